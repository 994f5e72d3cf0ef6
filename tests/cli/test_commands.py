"""What all commands share: help, versions, one-line errors, and how fast they answer."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import clbench
from clbench.cli import COMMANDS, main

LINES = [*([name] for name in COMMANDS), ["wandb", "push"], ["wandb", "dashboard"]]
PROGRAM = str(Path(sys.executable).with_name("clbench"))


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_bad_option_is_one_line_and_status_2(words, capsys):
    needed = {"data": ["list"], "new-baseline": ["my_method"]}.get(words[0], [])
    assert main([*words, *needed, "--no-such-option"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("clbench: error: ")
    assert captured.err.count("\n") == 1
    assert "no-such-option" in captured.err


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lst", "unknown command 'lst'; did you mean 'list'"),
        ("list scenario", "unknown group 'scenario'; did you mean 'scenarios'"),
        ("data ftech", "unknown action 'ftech'; did you mean 'fetch'"),
        ("data fetch r9 --data-dir x", "unknown dataset 'r9'; did you mean 'r8'"),
        ("report --page maybe", "maybe: no such file or folder"),
        ("reproduce --workers two", "argument --workers: 'two': must be a whole number, at least 1"),
        ("reproduce --wandb on", "argument --wandb: invalid choice: 'on'"),
        ("reproduce --workers", "argument --workers: expected one argument"),
        ("tune --trials x", "argument --trials: 'x': must be a whole number, at least 1"),
        ("wandb psh", "unknown action of clbench wandb 'psh'; did you mean 'push'"),
        ("wandb push --mode of", "argument --mode: invalid choice: 'of'"),
        ("new-baseline", "the following arguments are required: name"),
        ("bench encod", "unknown measurement 'encod'; did you mean 'encode'"),
        ("run --joint maybe --scenario r8-cil --baseline ewc", "unexpected argument 'maybe'"),
    ],
)
def test_a_bad_value_is_one_line_and_status_2(line, expected, capsys):
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_help_says_what_a_command_does_with_an_example(words, capsys):
    if words == ["wandb"]:
        assert main([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        assert all(action in shown for action in ("push", "dashboard"))
    else:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--help"])
        assert ended.value.code == 0
        shown = capsys.readouterr().out
        assert f"example:\n  clbench {' '.join(words)}" in shown
    assert "Documentation: " in shown
    assert "_" not in "".join(word for word in shown.split() if word.startswith("--"))


def test_the_program_says_what_commands_there_are_and_its_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"clbench {clbench.__version__}\n"
    for words in ([], ["--help"], ["-h"]):
        assert main(words) == 0
        shown = capsys.readouterr().out
        assert all(f"  {name} " in shown and summary in shown for name, summary in COMMANDS.items())


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["list"], ["run", "--help"], ["reproduce", "--help"]], ids=" ".join
)
def test_what_is_only_looked_up_takes_less_than_a_second(words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert subprocess.run([PROGRAM, *words], stdout=subprocess.DEVNULL).returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1


REFUSED = {
    "an option": "run --scenario r8-cil --baseline ncm --epochs 0",
    "a length": "run --scenario pydocs-cil --baseline ncm --encoder tiny --max-tokens 513",
    "an encoder folder": "run --scenario pydocs-cil --baseline ncm --encoder ./e --max-tokens 65",
    "an experiment": "reproduce e.yaml",
    "runs of an experiment": "reproduce main --profile small --data-dir /nonexistent",
    "a search": "tune --scenario pydocs-cil --baseline ewc --trials 0",
    "a measurement": "bench nope",
    "results": "report /nonexistent",
    "results to send": "wandb push r --project a/b",
    "a dataset": "data fetch nope",
}
WATCHED = """
import sys
from clbench.cli import main
status = main(sys.argv[1:])
print(status, *(name for name in ("torch", "lightning", "transformers") if name in sys.modules))
"""


@pytest.mark.parametrize("words", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_refused_before_heavy_imports(words, tmp_path):
    (tmp_path / "e.yaml").write_text("title: a\nmethods: [1]\n")
    (tmp_path / "e").mkdir()
    for name, content in (("config", '{"max_position_embeddings": 64}'), ("tokenizer", '{"model": {}}')):
        (tmp_path / "e" / f"{name}.json").write_text(content)
    (tmp_path / "e" / "model.safetensors").write_text("")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program = [sys.executable, "-c", WATCHED, *words.split()]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stdout == "2\n", done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 3


def test_a_terminal_that_cannot_show_a_character_fails_no_command(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("title: Träuble\nruns_of: main\n", encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([PROGRAM, "list"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Tr?uble" in done.stdout


def test_stopping_a_command_has_its_own_status(monkeypatch, capsys):
    def stop(words):
        raise KeyboardInterrupt

    monkeypatch.setattr("clbench.cli.list.main", stop)
    assert main(["list"]) == 130
    assert "the same command continues from here" in capsys.readouterr().err
