"""Fetching the datasets from a local HTTP server that serves their original bytes, and converting them."""

import csv
import dataclasses
import gzip
import io
import json
from pathlib import Path

import pytest
from support.file_server import blob_sha1
from support.paper_data import DATA, needs_data

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.data.download.convert import CONVERTERS
from clbench.data.download.fetch import fetch_wikipedia
from clbench.data.download.places import ORIGINALS


def rows(dataset: str, split: str) -> list[dict]:
    with gzip.open(DATA / dataset / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))


def test_without_network_there_is_one_line_and_nothing_is_written(tmp_path, capsys):
    line = ["data", "fetch", "r8", "--data-dir", str(tmp_path / "data"), "--server", "http://127.0.0.1:9"]
    assert main(line) == 2
    error = capsys.readouterr().err
    assert "127.0.0.1:9" in error
    assert "cannot be fetched" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "data").exists()


# -- the paper's datasets ------------------------------------------------------------------------------


def reuters(dataset: str) -> dict[str, bytes]:
    """The original files, whose only difference from the rows is a space at the end of each line."""
    return {
        f"data/{dataset.upper()}/{split}.txt": "\n".join(
            f"{row['label']}\t{row['text']} " for row in rows(dataset, split)
        ).encode()
        for split in ("train", "test")
    }


def sst2() -> dict[str, bytes]:
    return {
        f"glue_data/SST-2/{name}.tsv": (
            "sentence\tlabel\n"
            + "".join(f"{row['text']} \t{int(row['label'] == 'positive')}\n" for row in rows("sst2", split))
        ).encode()
        for name, split in (("train", "train"), ("dev", "test"))
    }


def dsc() -> dict[str, bytes]:
    files: dict[str, list[str]] = {}
    for ending, split in (("train", "train"), ("dev", "validation"), ("test", "test")):
        for row in rows("dsc", split):
            label = "1" if row["label"] == "positive" else "-1"
            files.setdefault(f"dat/dsc/{row['domain']}_{ending}.tsv", []).append(f"{row['text']}\t{label}\n")
    return {name: "".join(lines).encode() for name, lines in files.items()}


def hwu64() -> dict[str, bytes]:
    return {
        f"Datasets/HWU64/{name}/{file}": "".join(f"{row[key]}\n" for row in rows("hwu64", split)).encode()
        for name, split in (("train", "train"), ("valid", "validation"), ("test", "test"))
        for file, key in (("seq.in", "text"), ("label", "label"))
    }


MADE = {"r8": lambda: reuters("r8"), "sst2": sst2, "dsc": dsc, "hwu64": hwu64}


@needs_data
@pytest.mark.parametrize("dataset", MADE)
def test_real_bytes_become_the_papers_data_line_for_line(dataset, server, tmp_path, capsys):
    original = ORIGINALS[dataset]
    for path, content in MADE[dataset]().items():
        assert blob_sha1(content) == original.files[path]  # these are the original bytes
        server.files[f"/{original.repository}/{original.commit}/{path}"] = content
    data = tmp_path / "data"
    assert main(["data", "fetch", dataset, "--data-dir", str(data), "--server", server.url]) == 0
    for file in (DATA / dataset).iterdir():
        with gzip.open(file) as expected, gzip.open(data / dataset / file.name) as found:
            assert found.read() == expected.read()
    assert f"{dataset}: " in capsys.readouterr().out
    assert main(["data", "verify", "--data-dir", str(data)]) == 0
    assert "as declared" in capsys.readouterr().out


def clinc150() -> dict[str, bytes]:
    """In the form of the original file, which also has out-of-scope texts."""
    lists = {
        name: [[f"{row['text']} ", row["label"]] for row in rows("clinc150", split)]
        for name, split in (("val", "validation"), ("train", "train"), ("test", "test"))
    }
    content = {"oos_val": [["set a warning", "oos"]], **lists}
    return {"data/data_full.json": json.dumps(content, indent=4).encode()}


def banking77() -> dict[str, bytes]:
    """In the form of the original files: CSV with CRLF, and line ends in some of the texts."""
    made = {}
    for split in ("train", "test"):
        file = io.StringIO(newline="")
        csv.writer(file).writerow(("text", "category"))
        for at, row in enumerate(rows("banking77", split)):
            csv.writer(file).writerow((row["text"].replace(" ", "\n", at % 2), row["label"]))
        made[f"banking_data/{split}.csv"] = file.getvalue().encode()
    return made


FORMED = {"clinc150": clinc150, "banking77": banking77}


@needs_data
@pytest.mark.parametrize("dataset", FORMED)
def test_bytes_of_the_original_form_become_the_data_line_for_line(dataset, server, tmp_path, monkeypatch):
    contents = FORMED[dataset]()
    hashes = {path: blob_sha1(content) for path, content in contents.items()}
    original = dataclasses.replace(ORIGINALS[dataset], files=hashes)
    assert ORIGINALS[dataset].files.keys() == hashes.keys()
    monkeypatch.setitem(ORIGINALS, dataset, original)
    for path, content in contents.items():
        server.files[f"/{original.repository}/{original.commit}/{path}"] = content
    data = tmp_path / "data"
    assert main(["data", "fetch", dataset, "--data-dir", str(data), "--server", server.url]) == 0
    for file in (DATA / dataset).iterdir():
        with gzip.open(file) as expected, gzip.open(data / dataset / file.name) as found:
            assert found.read() == expected.read()


def test_what_is_not_of_clinc150_is_named(tmp_path):
    files = files_of(tmp_path, {"data/data_full.json": '{"train": [["a", "b"]], "val": []}'})
    with pytest.raises(UserError, match=r"data_full\.json: not the lists of CLINC150: 'test'"):
        CONVERTERS["clinc150"](files)


@needs_data
def test_the_test_texts_of_r52_come_from_the_original_bytes():
    path = "data/R52/test.txt"
    assert blob_sha1(reuters("r52")[path]) == ORIGINALS["r52"].files[path]


def files_of(folder: Path, contents: dict[str, str], encoding: str = "utf-8") -> dict[str, Path]:
    for name, text in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding=encoding)
    return {name: folder / name for name in contents}


def test_20_newsgroups_joins_names_and_texts_line_by_line(tmp_path):
    names = (
        "d/20news-bydate-test/a/1\t20news-bydate-test\ta\nd/20news-bydate-train/b/2\t20news-bydate-train\tb\n"
    )
    files = files_of(tmp_path, {"data/20ng.txt": names}) | files_of(
        tmp_path, {"data/corpus/20ng.txt": "From:  one\u00e9 \x85 text\nsecond\ttext\n"}, "latin-1"
    )
    assert CONVERTERS["20ng"](files) == {
        "train": [{"text": "second text", "label": "b"}],
        "test": [{"text": "From: one\u00e9 text", "label": "a"}],
    }


def test_mrpc_takes_the_development_pairs_out_of_the_training_file(tmp_path):
    header = "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
    files = files_of(
        tmp_path,
        {
            "MRPC/dev.tsv": header + "1\t3\t4\tc \td\n",
            "MRPC/dev_ids.tsv": "3\t4\n",
            "MRPC/msr_paraphrase_train.txt": header + '0\t1\t2\ta "b\ta\r\n1\t3\t4\tc\td\r\n',
            "MRPC/train.tsv": header,
        },
    )
    assert CONVERTERS["mrpc"](files) == {
        "train": [{"text": 'a "b', "text_pair": "a", "label": "not_equivalent"}],
        "test": [{"text": "c", "text_pair": "d", "label": "equivalent"}],
    }


@pytest.mark.parametrize(
    ("dataset", "line", "row"),
    [
        ("rte", "0\tone\ttwo\tentailment", {"text": "one", "text_pair": "two", "label": "entailment"}),
        ("qqp", "9\t1\t2\tone?\ttwo?\t1", {"text": "one?", "text_pair": "two?", "label": "duplicate"}),
    ],
)
def test_pairs_of_glue(dataset, line, row, tmp_path):
    files = files_of(tmp_path, {"a/train.tsv": f"header\n{line}\n", "a/dev.tsv": f"header\n{line}\n{line}\n"})
    assert CONVERTERS[dataset](files) == {"train": [row], "test": [row, row]}


def test_a_line_with_too_few_columns_is_named(tmp_path):
    files = files_of(tmp_path, {"a/train.tsv": "header\nshort\n", "a/dev.tsv": "header\n"})
    with pytest.raises(UserError, match=r"train\.tsv, line 2: expected 4 columns, found 1"):
        CONVERTERS["rte"](files)


def test_every_dataset_has_its_files_at_a_fixed_commit():
    for original in ORIGINALS.values():
        assert len(original.commit) == 40
        assert all(len(sha1) == 40 for sha1 in original.files.values())


def test_simple_wikipedia_from_a_repository_in_the_hubs_layout(tmp_path):
    from datasets import Dataset

    folder = tmp_path / "wikipedia"
    (folder / "20231101.simple").mkdir(parents=True)
    long = "word " * 40
    Dataset.from_dict(
        {"id": ["1", "2"], "title": ["a", "b"], "text": [f"{long}\n\n{long}", "short"]}
    ).to_parquet(folder / "20231101.simple" / "train-00000-of-00001.parquet")
    (folder / "README.md").write_text(
        "---\nconfigs:\n- config_name: 20231101.simple\n  data_files:\n"
        "  - split: train\n    path: 20231101.simple/train-*\n---\n"
    )
    (path,) = fetch_wikipedia(tmp_path / "data", str(folder))
    with gzip.open(path, "rt") as file:
        assert [json.loads(line) for line in file] == [{"text": " ".join(["word"] * 80)}]


# -- the command ---------------------------------------------------------------------------------------


def test_list_says_what_there_is(tmp_path, capsys):
    (tmp_path / "r8").mkdir()
    assert main(["data", "list", "--data-dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(ORIGINALS) + 1
    assert lines[0].split()[:2] == ["r8", "there"]
    assert all(line.split()[1] == "absent" for line in lines[1:])


def test_verify_finds_data_that_is_another(tmp_path, capsys):
    (tmp_path / "r8").mkdir()
    for split in ("train", "test"):
        (tmp_path / "r8" / f"{split}.jsonl").write_text('{"text": "a", "label": "earn"}\n')
    assert main(["data", "verify", "r8", "--data-dir", str(tmp_path)]) == 1
    assert "r8: 1 train, 1 test; 1 test texts in train; not as declared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fech"], "did you mean 'fetch'"),
        (["fetch", "r9", "--data-dir", "x"], "did you mean 'r8'"),
        (["fetch", "r8"], "--data-dir"),
        (["verify", "--data-dir", "nowhere"], "data folder nowhere does not exist"),
        (["verify", "r8", "--data-dir", "nowhere"], "data folder nowhere does not exist"),
    ],
)
def test_bad_input_is_one_line(words, expected, capsys, monkeypatch):
    monkeypatch.delenv("CLBENCH_DATA", raising=False)
    assert main(["data", *words]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
