from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.paper_data import DATA, needs_data

from clbench.core.data_source import DataSource
from clbench.core.errors import UserError
from clbench.data import formats
from clbench.data.formats import json_lines
from clbench.data.formats.find import find

REPOSITORY = Path(__file__).resolve().parents[2]
LABELED = {"text", "text_pair", "label", "domain"}
GOOD = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(5)]


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))


def lines(rows: list[Any]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a dataset 'news' whose training file is as given, and returns the data folder."""

    def write(train: bytes | list[Any], name: str = "train.jsonl", **others: list[Any]) -> Path:
        data = tmp_path / "data"
        (data / "news").mkdir(parents=True)
        (data / "news" / name).write_bytes(train if isinstance(train, bytes) else lines(train))
        for split, rows in {"test": GOOD, **others}.items():
            (data / "news" / f"{split}.jsonl.gz").write_bytes(gzip.compress(lines(rows)))
        return data

    return write


def error_of(data: Path, dataset: str = "news", labeled: bool = True) -> str:
    with pytest.raises(UserError) as caught:
        formats.load(data, dataset, labeled=labeled)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(data), "DATA")


def test_columns_are_those_declared_in_the_order_of_the_file(
    write: Callable[..., Path], capfd: pytest.CaptureFixture[str]
):
    rows = [
        {"id": 7, "text": "é one", "label": "x", "text_pair": "two", "domain": None},
        {"text": "three", "label": "y", "domain": "d"},
        {"label": "x", "text": ""},
    ]
    loaded = formats.load(write(rows, validation=GOOD), "news")
    assert list(loaded) == ["train", "validation", "test"]
    assert all(set(split.column_names) == LABELED for split in loaded.values())
    keys = ("text", "text_pair", "label", "domain")
    assert list(loaded["train"]) == [{key: row.get(key) for key in keys} for row in rows]
    assert list(loaded["test"]) == [{**row, "text_pair": None, "domain": None} for row in GOOD]
    assert {str(f.dtype) for split in loaded.values() for f in split.features.values()} == {"string"}
    assert capfd.readouterr() == ("", "")


def test_strings_that_look_like_dates_stay_strings(write: Callable[..., Path]):
    rows = [{"text": f"2020-01-0{i}", "label": "2021-05-05", "domain": "2016-01-01"} for i in range(1, 4)]
    loaded = formats.load(write(rows), "news")["train"]
    assert list(loaded) == [{**row, "text_pair": None} for row in rows]


def test_unlabeled_text_is_one_column_of_the_train_split(write: Callable[..., Path]):
    data = write([{"text": "a"}, {"text": "b", "label": 3}])
    (data / "news" / "test.jsonl.gz").unlink()
    loaded = formats.load(data, "news", labeled=False)
    assert {split: rows.to_dict() for split, rows in loaded.items()} == {"train": {"text": ["a", "b"]}}


def test_a_changed_file_is_read_again(write: Callable[..., Path]):
    data = write(GOOD)
    assert len(formats.load(data, "news")["train"]) == 5
    (data / "news" / "train.jsonl").write_bytes(lines(GOOD[:2]))
    assert len(formats.load(data, "news")["train"]) == 2


def test_a_file_that_changed_unnoticed_by_size_and_time_is_read_again(write: Callable[..., Path]):
    data = write(GOOD)
    path = data / "news" / "train.jsonl"
    before = path.stat()
    assert formats.load(data, "news")["train"]["text"][0] == "text 0"
    path.write_bytes(path.read_bytes().replace(b"text 0", b"text X"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert formats.load(data, "news")["train"]["text"][0] == "text X"


def test_a_table_read_at_once_is_that_read_line_by_line(write: Callable[..., Path]):
    rows = [
        {"text": "a" * 3_000_000, "label": "x", "more": {"a": [1, None]}},
        {"text": '\u00e9 \U0001f600 \\ " \n', "label": "2020-01-01", "text_pair": "", "domain": None},
        {"domain": "12", "label": "y", "text": ""},
    ]
    path = write(rows) / "news" / "train.jsonl"
    columns = ("text", "text_pair", "label", "domain")
    at_once = json_lines.read_json_lines(path, DataSource(path), columns)
    one_by_one = json_lines.read_json_lines(
        path, DataSource(path), [*columns, "more"]
    )  # no text: not at once
    assert {name: list(one_by_one.columns[name]) for name in columns} == at_once.columns
    assert "more" in one_by_one.columns


def test_nothing_is_written_into_the_data_folder(write: Callable[..., Path]):
    data = write(GOOD)
    before = sorted(data.rglob("*"))
    formats.load(data, "news")
    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"text": "a", "label": ', "not JSON: Expecting value at column 24"),
        (b'{"text": "\xff", "label": "a"}', "not UTF-8: invalid start byte at byte 11"),
        (b'["text", "a"]', 'expected an object with \'text\', found ["text", "a"]'),
        (b'"a"', "expected an object with 'text', found \"a\""),
        (b'{"text": "a"}', "'label' is missing"),
        (b'{"text": "a", "label": null}', "'label' is missing"),
        (b'{"text": "a", "label": [1]}', "'label' must be a string, a number, true or false, not [1]"),
        (b'{"text": "a", "label": " "}', "'label' is empty"),
        (b'{"text": "a", "text": "b", "label": "a"}', "'text' is there twice"),
        (b'{"text": "\\ud800", "label": "a"}', "'text' has half of a character pair (\\ud800)"),
        (b'{"text": "a", "label": 1' + b"0" * 5000 + b"}", "not read: Exceeds the limit"),
        (b'{"text": "a", "label": ' + b"[" * 100_000, "not read: values are nested too deeply"),
        (b'[{"text": "a", "label": "b"}]', "expected an object with 'text', found [{\"text\""),
        (b'{"text": "a",\n"label": "b"}', "not JSON: Expecting property name"),
        (b'{"label": "a"}', "'text' is missing"),
        (b'{"text": ["a"], "label": "a"}', "'text' must be a string, not [\"a\"]"),
        (b'{"text": {"a": 1}, "label": "a"}', "'text' must be a string, not {\"a\": 1}"),
        (b'{"text": "a", "label": "a", "domain": {}}', "'domain' must be a string, a number, true or false"),
        (b'{"text": "a", "label": "a", "text_pair": 2.5}', "'text_pair' must be a string, not 2.5"),
    ],
)
@pytest.mark.parametrize("at", [1, 4])
def test_a_wrong_line_is_named_with_its_file_and_number(
    write: Callable[..., Path], line: bytes, problem: str, at: int
):
    rows = lines(GOOD).splitlines(keepends=True)
    rows.insert(at - 1, line + b"\n")
    message = error_of(write(b"".join(rows)))
    assert message.startswith(f"DATA/news/train.jsonl, line {at}: {problem}")


def test_a_column_that_is_wrong_in_every_line_is_named_at_the_first(write: Callable[..., Path]):
    data = write([{"text": "a", "label": [i]} for i in range(3)])
    assert error_of(data).startswith("DATA/news/train.jsonl, line 1: 'label' must be a string")


def test_blank_lines_count_but_are_no_examples(write: Callable[..., Path]):
    data = write(lines(GOOD) + b"\n\n" + b'{"text": 1, "label": "a"}\n')
    assert error_of(data) == "DATA/news/train.jsonl, line 8: 'text' must be a string, not 1"
    (data / "news" / "train.jsonl").write_bytes(b"\n" + lines(GOOD) + b"\n")
    assert len(formats.load(data, "news")["train"]) == 5


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_split_is_refused(write: Callable[..., Path], content: bytes):
    assert error_of(write(content)) == "DATA/news/train.jsonl has no examples"


@pytest.mark.parametrize(
    "damage", [lambda data: data[: len(data) // 2], lambda data: b"no gzip at all" + data]
)
def test_a_damaged_gzip_file_is_named(write: Callable[..., Path], damage: Callable[[bytes], bytes]):
    data = write(damage(gzip.compress(lines(GOOD * 50))), name="train.jsonl.gz")
    assert error_of(data).startswith("DATA/news/train.jsonl.gz cannot be read: ")


def test_missing_folders_and_files_are_named(write: Callable[..., Path], tmp_path: Path):
    assert error_of(tmp_path / "nowhere").startswith(
        "data folder DATA does not exist; --data-dir or CLBENCH_DATA"
    )
    data = write(GOOD)
    (data / "orders").mkdir()  # a folder without a training file is no dataset
    assert error_of(data, "nws") == "unknown dataset 'nws'; did you mean 'news'? Known: news (in DATA)"
    (data / "news" / "test.jsonl.gz").unlink()
    assert error_of(data).startswith("DATA/news has no test split, such as test.jsonl")
    (data / "news" / "train.jsonl").unlink()
    assert error_of(data, labeled=False).startswith("DATA/news has no training split: train.jsonl, .json")


def test_of_a_file_and_its_compressed_form_the_latter_is_read(write: Callable[..., Path]):
    data = write(GOOD, validation=GOOD)
    shutil.copy(data / "news" / "test.jsonl.gz", data / "news" / "train.jsonl.gz")
    found = find(DataSource(data / "news")).files
    assert {split: [path.name for path in paths] for split, paths in found.items()} == {
        "train": ["train.jsonl.gz"],
        "validation": ["validation.jsonl.gz"],
        "test": ["test.jsonl.gz"],
    }


@needs_data
def test_r8_is_read_whole():
    loaded = formats.load(DATA, "r8")
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 5485, "test": 2189}
    counts = Counter(loaded["train"]["label"])
    assert len(counts) == 8
    assert (min(counts.values()), max(counts.values())) == (41, 2840)
    with gzip.open(DATA / "r8" / "test.jsonl.gz", "rt", encoding="utf-8") as file:
        assert loaded["test"]["text"][:] == [json.loads(line)["text"] for line in file]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'{"text": "a", "label": "b"}{"text": "c", "label": "d"}\n', 1),
        (b'{"text": "a", "label": "b"}{"text": "c", "label": "d"}\n{"text": "e",\n"label": "f"}\n', 1),
        (b'{"text": "a", "label": "b"}\n{\n"text": "e",\n"label": "f"\n}\n', 2),
    ],
)
def test_a_line_is_one_object(write: Callable[..., Path], content: bytes, line: int):
    assert error_of(write(content)).startswith(f"DATA/news/train.jsonl, line {line}: not JSON: ")
