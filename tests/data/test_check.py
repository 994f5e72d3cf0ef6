"""``clbench data check``: what it says of a scenario on its data."""

import csv
import re

import pytest

from clbench.cli import main

YAML = "data: mail.csv\nkeys: {text: body, label: queue}\ntest_share: 0.2\nclasses_per_experience: 2\n"


@pytest.fixture
def mail(tmp_path):
    """A scenario of three classes, and a function that writes its rows."""

    def write(rows, yaml=YAML):
        with (tmp_path / "mail.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("body", "queue"), *rows])
        (tmp_path / "mail.yaml").write_text(yaml)
        return str(tmp_path / "mail.yaml")

    return write


ROWS = [(f"ticket number {at} of {queue}", queue) for at in range(20) for queue in ("10", "2", "pay")]


def test_it_says_what_the_scenario_will_be(mail, capsys):
    assert main(["data", "check", mail(ROWS), "--encoder", "tiny"]) == 0
    out = capsys.readouterr().out
    assert "class-incremental, single-head: 2 experiences, 3 classes" in out
    assert "1  2+10           28           4     8  2, 10\n" in out
    assert "2  pay            14           2     4  pay\n" in out
    assert "data mail: 48 train, 12 test\n" in out
    assert "test: 20% of the training texts of each label (12 texts), chosen by seed 0" in out
    assert "validation: 10% of the training texts of each class (validation_share)" in out
    assert "0 of 12 test texts are in train, 0 of 6 validation texts are in train" in out
    assert "empty texts: none" in out
    assert "max_tokens is 128, 0 of 60 texts are cut" in out
    assert "labels: nothing suspicious" in out


def test_it_finds_what_looks_wrong(mail, capsys):
    long = "word " * 700
    rows = [*ROWS, (long, "pay"), ("", "pay"), ("ticket number 1 of pay", "2"), *[("seen twice", "Pay")] * 6]
    rows += [("a", "rare"), ("b", "rare"), ("c", "label " * 20), ("d", "label " * 20)]
    yaml = f"{YAML}empty_texts: drop\nprotocol: {{validation_share: 0}}\n"
    assert main(["data", "check", mail(rows, yaml), "--encoder", "tiny"]) == 0
    out = capsys.readouterr().out
    assert "train: 1 empty texts dropped" in out
    assert "no validation texts: there is no such split, and validation_share is 0" in out
    assert "labels 'Pay' and 'pay' differ only in white space or case" in out
    assert re.search(r"[12] of 15 test texts are in train", out)
    assert "longest text: at least 512 tokens of 'tiny' ('word word" in out
    assert "max_tokens is 128, 1 of 72 texts are cut" in out
    assert "classes with fewer than 5 training texts: " in out
    assert "rare (1)" in out
    assert "labels of more than 60 characters" in out
    assert "1 training texts have two labels, such as 'ticket number 1 of pay'" in out


def test_it_says_so_if_a_label_may_be_the_wrong_column(mail, capsys):
    rows = [(f"text {at}", f"id {at // 2}") for at in range(40)]
    assert main(["data", "check", mail(rows), "--encoder", "tiny", "--order", "classes:3"]) == 0
    assert "20 classes for 20 training texts: is it the right column?" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "name a scenario or its YAML file"),
        (["pydocs-cill"], "did you mean 'pydocs-cil'"),
        (["pydocs-cil", "--encoder", "tiny", "--order", "7"], "unknown order '7'"),
        (["r8-cil"], "--data-dir"),
    ],
)
def test_bad_input_is_one_line(words, expected, capsys, monkeypatch):
    monkeypatch.delenv("CLBENCH_DATA", raising=False)
    assert main(["data", "check", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_empty_texts_are_counted_where_they_are_refused(mail, capsys):
    assert main(["data", "check", mail([*ROWS, ("", "pay"), (" ", "pay")])]) == 2
    assert "mail.csv, line 62: 'body' is empty or white space, as in 2 of 62 rows" in capsys.readouterr().err


def test_a_limit_that_is_the_encoders_own(mail, capsys):
    yaml = f"{YAML}protocol: {{max_tokens: 512}}\n"
    assert main(["data", "check", mail([*ROWS, ("word " * 700, "pay")], yaml), "--encoder", "tiny"]) == 0
    assert "max_tokens is 512, 1 of 61 texts are as long or cut" in capsys.readouterr().out
