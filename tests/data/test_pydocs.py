"""The offline corpus: its tables, and how they are cached."""

import gzip
import json
import re
from collections import Counter

import pytest

from clbench.cli import main
from clbench.core.errors import UserError
from clbench.data import pydocs
from clbench.data.pydocs import libraries, store, tables
from clbench.data.pydocs.libraries import Library
from clbench.data.pydocs.tables import Row

NAMES = pydocs.LABELS["libraries"]
BALANCED = sorted(pydocs.LABELS.keys() - {"libraries", "general"})


def read(folder):
    """The rows of a data folder of the corpus by table and split."""
    found = {}
    for path in sorted(folder.glob("*/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [Row(**json.loads(line)) for line in file]
        found.setdefault(path.parent.name, {})[path.name.removesuffix(".jsonl.gz")] = rows
    return found


@pytest.fixture(scope="session")
def corpus():
    """The tables of the installed libraries, built once per session of tests."""
    return read(store.folder(progress=False))


def test_a_library_that_is_absent_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(libraries, "ALL", (Library("nosuchlibrary", "no-such-library"),))
    with pytest.raises(UserError, match=r"'no-such-library'.*make install"):
        libraries.versions()
    with pytest.raises(UserError, match=r"'nosuchlibrary'.*make install"):
        list(libraries.source_files(Library("nosuchlibrary", "no-such-library")))


def test_a_library_with_too_few_texts_is_named():
    with pytest.raises(UserError, match=rf"200 train texts from '{NAMES[0]}' and finds 0; .*make install"):
        store.check({"train": [], "test": []})


def test_the_split_of_a_name_is_fixed_and_about_a_quarter_is_for_testing():
    # Changing these values changes every published figure.
    assert [index for index in range(8) if tables.split_of(f"name{index}") == "test"] == [6]
    count = Counter(tables.split_of(f"a.b{index}") for index in range(4000))
    assert 0.22 < count["test"] / 4000 < 0.28


def test_there_are_twelve_libraries_with_enough_texts(corpus):
    assert len(set(NAMES)) == 12
    for split, least in (("train", 200), ("test", 60)):
        count = Counter(row.label for row in corpus["libraries"][split])
        assert set(count) == set(NAMES)
        assert min(count.values()) >= least, count


def test_general_text_is_plenty_and_from_no_library_of_the_scenarios(corpus):
    assert len(corpus["general"]["train"]) >= 1500
    others = {
        row.name.split(".")[0]
        for table in pydocs.LABELS
        if table != "general"
        for row in corpus[table]["train"]
    }
    general = {row.name.split(".")[0] for row in corpus["general"]["train"]}
    assert general == {library.name for library in libraries.GENERAL}
    assert general.isdisjoint(others)


@pytest.mark.parametrize("table", [table for table in pydocs.LABELS if table != "general"])
def test_no_text_and_no_object_is_in_both_splits(corpus, table):
    train, test = corpus[table]["train"], corpus[table]["test"]
    assert {row.text for row in train}.isdisjoint(row.text for row in test)
    assert {row.text_pair for row in train if row.text_pair}.isdisjoint(row.text_pair for row in test)
    assert {row.name for row in train}.isdisjoint(row.name for row in test)


@pytest.mark.parametrize("table", BALANCED)
def test_labels_are_balanced_within_each_domain(corpus, table):
    labels = pydocs.LABELS[table]
    domains = pydocs.DOMAINS if table == "kinds" else (None,)
    for split, least in (("train", 90), ("test", 25)):
        count = Counter((row.domain, row.label) for row in corpus[table][split])
        assert set(count) == {(domain, label) for domain in domains for label in labels}
        assert min(count.values()) >= least, count
        for domain in domains:
            assert len({count[domain, label] for label in labels}) == 1


def test_only_the_argument_task_has_pairs(corpus):
    paired = {table for table in pydocs.LABELS for row in corpus[table]["train"] if row.text_pair is not None}
    assert paired == {"task_arguments"}
    assert all(row.text_pair for row in corpus["task_arguments"]["test"])


def test_texts_name_no_library_and_hold_no_code_or_address(corpus):
    names = [*(library.name for library in libraries.ALL), *libraries.ALIASES]
    long = [re.escape(name) for name in names if len(name) > 3]
    short = [rf"(?<![a-z]){name}(?![a-z])" for name in names if len(name) <= 3]
    unwanted = re.compile(
        "|".join([*long, *short, ">>>", "https?:", "``", r"\w_\w", r"\w\(\)"]), re.IGNORECASE
    )
    texts = [
        text
        for splits in corpus.values()
        for rows in splits.values()
        for row in rows
        for text in row[1:3]
        if text
    ]
    found = [text for text in texts if unwanted.search(text)]
    assert found == []
    assert min(len(text.split()) for text in texts) >= 4


@pytest.fixture
def builds(monkeypatch, tmp_path):
    """An empty cache, and tables of two texts to build; the list grows with each time they are built."""
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path))
    made = []

    def build(progress):
        made.append(progress)
        rows = [
            Row("m.f", "The first text.", "A pair.", "a", None),
            Row("m.g", "The other text.", None, "b", "d"),
        ]
        return {table: {"train": rows, "test": rows[:1]} for table in pydocs.LABELS}

    monkeypatch.setattr(store, "_build", build)
    return made


def test_a_second_call_reads_the_cache_and_gives_the_same(builds):
    first = pydocs.load("kinds", progress=False)
    assert first["train"]["text"][:] == ["The first text.", "The other text."]
    assert pydocs.load("kinds", progress=False)["train"].to_dict() == first["train"].to_dict()
    assert pydocs.load("general", progress=False)["train"].column_names == ["text"]
    assert builds == [False]


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "no gzip", "absent", "half-built"])
def test_damaged_tables_are_built_again(builds, damage):
    first = pydocs.load("kinds", progress=False)
    path = (
        store.folder(progress=False) / ("general" if damage == "half-built" else "kinds") / "train.jsonl.gz"
    )
    content = path.read_bytes()
    path.unlink()
    if damage not in ("absent", "half-built"):
        changed = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
        path.write_bytes(
            {"cut": content[:-10], "changed": changed, "empty": b"", "no gzip": b"\xff\n"}[damage]
        )
    assert pydocs.load("kinds", progress=False)["train"].to_dict() == first["train"].to_dict()
    assert len(builds) == 2
    assert path.read_bytes() == content


def test_a_flipped_byte_of_a_table_is_found_by_the_check_of_the_cache(builds, capsys):
    pydocs.load("kinds", progress=False)
    path = store.folder(progress=False) / "task_returns" / "test.jsonl.gz"
    assert main(["data", "verify", "--cache"]) == 0
    count = sum(len(list(each.iterdir())) for each in path.parents[1].iterdir())
    assert f"{count} tables; 0 damaged" in capsys.readouterr().out
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    assert main(["data", "verify", "--cache"]) == 1
    assert f"{path} is damaged: removed; the next run" in capsys.readouterr().out
    assert not path.exists()
    assert len(pydocs.load("task_returns", progress=False)["test"]) == 1
    assert len(builds) == 2


def test_the_cache_depends_on_the_versions_of_corpus_and_libraries_and_not_on_the_build(builds, monkeypatch):
    paths = []
    for corpus_version, version in ((1, "1.0"), (1, "1.0+cpu"), (1, "1.1"), (2, "1.0")):
        monkeypatch.setattr(store, "CORPUS_VERSION", corpus_version)
        monkeypatch.setattr("importlib.metadata.version", lambda name, version=version: version)
        paths.append(store.folder(progress=False))
    assert paths[0] == paths[1]
    assert len(set(paths)) == 3


def test_load_gives_datasets_with_the_columns_of_the_scenarios(corpus, monkeypatch, tmp_path):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(store, "_build", lambda progress: corpus)
    kinds = pydocs.load("kinds", progress=False)
    assert set(kinds) == {"train", "test"}
    assert kinds["train"].column_names == ["text", "text_pair", "label", "domain"]
    assert set(kinds["test"]["text_pair"]) == {None}
    assert set(kinds["test"]["domain"]) == set(pydocs.DOMAINS)
    general = pydocs.load("general", progress=False)
    assert set(general) == {"train"}
    assert general["train"].column_names == ["text"]


def test_an_unknown_table_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="unknown pydocs table 'librarys'; did you mean 'libraries'"):
        pydocs.load("librarys")
