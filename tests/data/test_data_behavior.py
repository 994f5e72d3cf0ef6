"""One behavior of all forms of data: marks, line ends, empty texts, labels, splits, changed files."""

import gzip
import json
import os

import numpy as np
import pyarrow as pa
import pytest
from datasets import Dataset
from pyarrow import parquet
from support.data_forms import TEST, WRITERS, as_csv, as_jsonl, columns, error_of, table

from clbench.core.data_source import DataSource
from clbench.data.formats import in_order, lookalikes, read


@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "tsv", "txt"])
def test_byte_order_marks_line_ends_compression_and_encodings_change_nothing(ending, tmp_path):
    write, rows = WRITERS[ending]
    plain = tmp_path / "plain"
    write(plain, rows)
    content = plain.read_bytes().replace(b"\r\n", b"\n")
    if ending == "csv":  # in a text too, the end of a line is the end of a line
        rows = [(text.replace("\r\n", "\n"), label) for text, label in rows]
    latin = content.decode().replace("\U0001f600", "ß")
    variants = {
        "mark": b"\xef\xbb\xbf" + content,
        "crlf": content.replace(b"\n", b"\r\n"),
        "end": content.rstrip(b"\n"),
    }
    for name, made in variants.items():
        path = tmp_path / f"{name}.{ending}"
        path.write_bytes(made)
        assert table(path, test_share=0.4)["train"], name
        packed = tmp_path / f"{name}.{ending}.gz"
        packed.write_bytes(gzip.compress(made))
        assert table(packed, test_share=0.4) == table(path, test_share=0.4)
        both = table(path, test_share=0.4)
        assert sorted(both["train"] + both["test"]) == sorted(rows)
    for encoding in ("latin-1", "utf-16"):
        (tmp_path / f"other.{ending}").write_bytes(latin.encode(encoding))
        found = table(tmp_path / f"other.{ending}", test_share=0.4, encoding=encoding)
        assert "é ß" in {text for text, _ in found["train"] + found["test"]}
    assert "not UTF-8" in error_of(tmp_path / f"other.{ending}", test_share=0.4)


def test_rows_are_named_by_their_line(tmp_path):
    for ending, content, line in (
        ("csv", b'text,label\n"a\nb",x\n\nc,\n', "line 5"),
        ("tsv", b"text\tlabel\na\tx\n\nc\t\n", "line 4"),
        ("jsonl", b'{"text":"a","label":"x"}\n\n{"text":"c","label":""}\n', "line 3"),
        ("json", b'[{"text":"a","label":"x"},{"text":"c","label":""}]', "record 2"),
    ):
        path = tmp_path / f"train.{ending}"
        path.write_bytes(content)
        assert error_of(path) == f"HERE, {line}: 'label' is empty"


@pytest.mark.parametrize("ending", [*WRITERS, "folders"])
@pytest.mark.parametrize("bad", ["nul \0 inside", "  \n", ""])
def test_nul_and_empty_texts_are_refused_in_every_form(ending, bad, tmp_path):
    rows = [("fine", "a"), (bad, "a"), ("fine too", "b")]
    if ending == "folders":
        for at, (text, label) in enumerate(rows):
            (tmp_path / "train" / label).mkdir(parents=True, exist_ok=True)
            (tmp_path / "train" / label / str(at)).write_text(text)
    else:
        WRITERS[ending][0](
            tmp_path / f"train.{ending}", rows if "\n" not in bad else [("x", "a"), (" ", "a")]
        )
    message = error_of(tmp_path, test_share=0.2)
    assert message.startswith("HERE/train")
    assert (
        "'text' has a NUL character" if "\0" in bad else "'text' is empty or white space, as in 1 of"
    ) in message
    if "\0" not in bad:
        found = read(DataSource(tmp_path, test_share=0.2, empty_texts="drop"))
        assert "train: 1 empty texts dropped" in found.notes
        assert "" not in [text.strip() for text in found.splits["train"]["text"]]


def test_texts_of_declared_hash_are_taken_as_they_are(tmp_path):
    as_jsonl(tmp_path / "train.jsonl", [("nul \0", "a"), ("", "b")])
    as_jsonl(tmp_path / "test.jsonl", TEST)
    assert table(tmp_path, pinned=True)["train"] == [("nul \0", "a"), ("", "b")]


def test_numbers_and_booleans_are_labels_and_numbers_are_sorted_by_value(tmp_path):
    values = [10, 2, True, 1.0, 2.5, "x"]
    path = tmp_path / "train.jsonl"
    path.write_text(
        "".join(json.dumps({"text": f"t{at}", "label": value}) + "\n" for at, value in enumerate(values))
    )
    as_jsonl(tmp_path / "test.jsonl", TEST)
    labels = [label for _, label in table(tmp_path)["train"]]
    assert labels == ["10", "2", "true", "1", "2.5", "x"]
    assert in_order(labels) == ["1", "2", "2.5", "10", "true", "x"]
    assert in_order(["b10", "b2", "-1", "nan", "1e3"]) == ["-1", "1e3", "b10", "b2", "nan"]


def test_an_empty_cell_is_no_second_text(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,text_pair,label,domain\na,,x,\nb,c,x,d\n")
    as_csv(tmp_path / "test.csv", TEST)
    rows = read(DataSource(tmp_path)).splits["train"]
    assert (rows["text_pair"][:], rows["domain"][:]) == ([None, "c"], [None, "d"])


def test_a_test_split_is_made_by_seed_and_not_by_place(tmp_path):
    rows = [(f"text {at}", "ab"[at % 2]) for at in range(100)]
    as_csv(tmp_path / "one.csv", rows)
    as_csv(tmp_path / "other.csv", rows[::-1])
    found = read(DataSource(tmp_path / "one.csv", test_share=0.2, seed=3))
    held = set(found.splits["test"]["text"])
    assert found.notes == ("test: 20% of the training texts of each label (20 texts), chosen by seed 3",)
    assert sorted(found.splits["test"]["label"]) == ["a"] * 10 + ["b"] * 10
    assert held.isdisjoint(found.splits["train"]["text"])
    assert len(found.splits["train"]) == 80
    assert (
        set(read(DataSource(tmp_path / "other.csv", test_share=0.2, seed=3)).splits["test"]["text"]) == held
    )
    assert set(read(DataSource(tmp_path / "one.csv", test_share=0.2, seed=4)).splits["test"]["text"]) != held
    places = found.places
    assert places is not None
    first = found.splits["test"]["text"][0]
    assert (
        places["test"](0)
        == f"{tmp_path / 'one.csv'}, line {rows.index((first, found.splits['test']['label'][0])) + 2}"
    )
    assert "no test split" in error_of(tmp_path / "one.csv")
    (tmp_path / "both").mkdir()
    as_csv(tmp_path / "both" / "train.csv", rows)
    as_csv(tmp_path / "both" / "test.csv", rows)
    assert error_of(tmp_path / "both", test_share=0.1) == "HERE: test_share is 0.1, but there is a test split"


def test_labels_that_look_alike_are_noted(tmp_path):
    as_csv(tmp_path / "train.csv", [("a", "Billing"), ("b", "billing "), ("c", "login")])
    as_csv(tmp_path / "test.csv", TEST)
    assert read(DataSource(tmp_path)).notes == (
        "labels 'Billing' and 'billing ' differ only in white space or case",
    )
    assert lookalikes(["a b", "ab", "A  B", "c"]) == [["A  B", "a b", "ab"]]


def test_splits_are_found_by_usual_and_by_given_names(tmp_path):
    for name in ("training", "val", "eval"):
        as_csv(tmp_path / f"{name}.csv", TEST)
    assert set(table(tmp_path, splits={"test": "eval"})) == {"train", "validation", "test"}
    assert set(table(tmp_path, splits={"test": "val"})) == {"train", "test"}
    assert "unknown split 'evil'; did you mean 'val'?" in error_of(tmp_path, splits={"test": "evil"})
    as_csv(tmp_path / "dev.csv", TEST)
    assert "both val and dev could be the validation split" in error_of(tmp_path, splits={"test": "eval"})
    as_jsonl(tmp_path / "training.jsonl", TEST)
    assert "both training.csv and training.jsonl could be the split 'training'" in error_of(tmp_path)


def test_what_is_not_there_is_named(tmp_path):
    (tmp_path / "mail.csv").write_text("")
    assert "did you mean 'mail.csv'?" in error_of(tmp_path / "male.csv")
    assert "has no examples" in error_of(tmp_path / "mail.csv")
    (tmp_path / "mail.docx").write_text("")
    assert "unknown ending '.docx'" in error_of(tmp_path / "mail.docx")
    assert "there is mail.csv, mail.docx" in error_of(tmp_path)


@pytest.mark.parametrize("form", ["csv", "parquet", "saved", "folders"])
def test_data_that_changed_with_its_size_and_time_kept_is_read_again(form, tmp_path):
    place = tmp_path / "data"
    place.mkdir()

    def write(word: str) -> None:
        rows = [(word, "a"), ("other", "b")]
        if form == "saved":
            for each in place.glob("**/*.arrow"):
                each.unlink()
            Dataset.from_dict(columns(rows)).save_to_disk(tmp_path / "new")
            for each in (tmp_path / "new").iterdir():
                each.rename(place / each.name)
        elif form == "folders":
            for text, label in rows:
                (place / "train" / label).mkdir(parents=True, exist_ok=True)
                (place / "train" / label / "1").write_text(text)
        else:
            WRITERS[form][0](place / f"train.{form}", rows)
        for each in place.rglob("*"):
            os.utime(each, (1_000_000_000, 1_000_000_000))

    write("first")
    sizes = {each: each.stat().st_size for each in place.rglob("*") if each.suffix != ".json"}
    assert "first" in str(table(place, test_share=0.5))
    write("FIRST")
    assert {each: each.stat().st_size for each in place.rglob("*") if each.suffix != ".json"} == sizes
    assert "FIRST" in str(table(place, test_share=0.5))


def test_of_each_label_one_text_stays_for_training(tmp_path):
    as_csv(tmp_path / "t.csv", [("a", "x"), ("b", "x"), ("c", "y")])
    found = table(tmp_path / "t.csv", test_share=0.01)
    assert sorted(label for _, label in found["train"]) == ["x", "y"]
    assert [label for _, label in found["test"]] == ["x"]
    assert len(table(tmp_path / "t.csv", test_share=0.99)["test"]) == 1


def arrays(**columns: list[str]) -> pa.Table:
    """A table; names that end in a digit are without it, so that two columns can have one name."""
    names = [name.rstrip("0123456789") for name in columns]
    return pa.Table.from_arrays([pa.array(values) for values in columns.values()], names=names)


TWICE = {
    "jsonl": b'{"text": "a", "label": "b", "x": 1}\n{"text": "a", "label": "b", "KEY": "c", "KEY": 2}\n',
    "json": b'[{"text": "a", "label": "b"}, {"text": "a", "label": "b", "KEY": 1, "KEY": 2}]',
    "csv": b"text,label,KEY,KEY\na,b,c,d\na,b,c,d\n",
    "tsv": b"text\tlabel\tKEY\tKEY\na\tb\tc\td\na\tb\tc\td\n",
}


@pytest.mark.parametrize("ending", [*TWICE, "parquet"])
def test_only_a_key_that_is_read_must_not_be_there_twice(ending, tmp_path):
    path = tmp_path / f"t.{ending}"

    def put(key: str) -> None:
        if ending == "parquet":
            rows = {"text": ["a", "a"], "label": ["b", "b"], f"{key}1": ["c", "c"], f"{key}2": ["d", "d"]}
            parquet.write_table(arrays(**rows), path)
        else:
            path.write_bytes(TWICE[ending].replace(b"KEY", key.encode()))

    put("more")
    assert table(path, test_share=0.5) == {"train": [("a", "b")], "test": [("a", "b")]}
    put("domain")
    place = {"jsonl": ", line 2", "json": ", record 2", "csv": ", line 1", "tsv": ", line 1"}.get(ending, "")
    assert error_of(path) == f"HERE{place}: 'domain' is there twice"


@pytest.mark.parametrize("form", ["parquet", "saved"])
def test_bytes_that_are_not_utf8_are_named_in_binary_forms_too(form, tmp_path):
    half = b"\xed\xa0\x80"  # U+D800, which UTF-8 does not allow
    offsets = pa.py_buffer(np.array([0, 1, 4], np.int32).tobytes())
    texts = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"a" + half))
    rows = pa.Table.from_arrays([texts, pa.array(["x", "y"])], names=["text", "label"])
    if form == "parquet":
        parquet.write_table(rows, tmp_path / "t.parquet")
        assert error_of(tmp_path / "t.parquet") == (
            "HERE, row 2: 'text' is not UTF-8: invalid continuation byte"
        )
    else:
        Dataset(rows).save_to_disk(tmp_path / "saved")
        assert error_of(tmp_path / "saved") == (
            "HERE, train, row 2: 'text' is not UTF-8: invalid continuation byte"
        )
