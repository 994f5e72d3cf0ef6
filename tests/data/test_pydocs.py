import re
import sys
from collections import Counter

import pytest

from clbench.core.errors import UserError
from clbench.data import pydocs
from clbench.data.pydocs import docstring, documents, libraries, prose, store, tables
from clbench.data.pydocs.duplicates import Seen
from clbench.data.pydocs.extract import extract
from clbench.data.pydocs.libraries import Library

MASKER = prose.Masker(["numpy", "np", "torch"])

SOURCE = '''
"""Tools that measure how far two sequences of words are apart from each other."""
raise RuntimeError("this file must not be run")


class Ruler:
    """Measures texts."""

    def __init__(self, width: int):
        pass

    def length(self):
        """Returns the length."""
        def inner():
            return 3
        print(inner())


def double(x: float = 1.0):
    """Doubles."""
    return 2 * x


def values():
    """Yields."""
    yield 1


def nothing(flag):
    """Nothing."""
    if flag:
        return None
    return


def stub():
    """A stub."""
    raise NotImplementedError
'''


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """The corpus of the installed libraries, built once; its cache folder is ``folder``."""
    folder = tmp_path_factory.mktemp("pydocs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLBENCH_CACHE", str(folder))
        yield store.stored(progress=False)


def described(text):
    return [prose.clean(paragraph, MASKER) for paragraph in docstring.parse(text).description]


def test_objects_are_found_with_their_kinds_and_nothing_is_run():
    found = {item.name: item.kind for item in extract(SOURCE, "m")}
    assert found == {
        "m": "module",
        "m.Ruler": "class",
        "m.Ruler.length": "method",
        "m.double": "function",
        "m.values": "function",
        "m.nothing": "function",
        "m.stub": "function",
    }


def test_whether_a_function_returns_a_value_is_read_from_its_own_code():
    found = {item.name: item.returns for item in extract(SOURCE, "m")}
    assert found["m.double"] is True
    assert found["m.values"] is True
    assert found["m.nothing"] is False
    assert found["m.Ruler.length"] is False  # only the nested function returns
    assert found["m.stub"] is None
    assert found["m.Ruler"] is None


def test_types_are_the_annotations_of_a_function_or_of_the_constructor():
    found = {item.name: item.types for item in extract(SOURCE, "m")}
    assert found["m.double"] == {"x": "float"}
    assert found["m.Ruler"] == {"width": "int"}


def test_a_file_that_does_not_parse_has_no_objects():
    assert extract("def f(:\n", "m") == []


def test_doctests_fences_directives_tables_and_literal_blocks_are_left_out():
    text = (
        "Sums things up.\n\n>>> one(1)\nunfit\n\nThen goes on::\n\n    unfit = 2\n\nMore.\n\n"
        "```python\nunfit\n```\n\n.. math::\n\n    unfit\n\n| unfit | 1 |\n\n    unfit = indented()\n\nLast."
    )
    assert " ".join(described(text)) == "Sums things up. Then goes on More. Last."


@pytest.mark.parametrize(
    "text",
    [
        "Summary.\n\nParameters\n----------\nwidth : int, default 3\n    How wide\n    it is."
        "\n\nReturns\n-------\nint\n"
        "    The sum.\n\nExamples\n--------\nunfit",
        "Summary.\n\nArgs:\n    width (int, default 3): How wide\n        it is.\n\n"
        "Returns:\n    The sum.\n\n"
        "Example:\n    unfit",
        "Summary.\n\n:param int, default 3 width: How wide\n    it is.\n:returns: The sum.",
    ],
    ids=["numpydoc", "google", "rest"],
)
def test_the_three_docstring_conventions_give_the_same_parts(text):
    found = docstring.parse(text)
    assert found.description == ["Summary."]
    (argument,) = found.arguments
    assert (argument.name, argument.type, argument.text) == ("width", "int, default 3", "How wide it is.")
    assert found.returns == "The sum."


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Calls :func:`~numpy.sum` on it.", "Calls object on it."),
        ("Set ``axis`` to ``None`` or ``max_len``.", "Set axis to None or object."),
        ("A NumPy array of np values.", "A object array of object values."),
        ("The MyClass holds some_name and ab.c_d here.", "The object holds object here."),
        ("See `the guide <https://x.org/a>`_ or [that](http://y.org).", "See the guide or that."),
        ("Read https://x.org/a?b=c first.", "Read first."),
        ("PyTorch-like tensors.", "object-like tensors."),
        ("Map, e.g. words, to numbers.", "Map, e.g. words, to numbers."),
        ("Cite [1]_ for :math:`x^2`, please.", "Cite for object, please."),
    ],
)
def test_markup_addresses_and_names_are_masked(text, cleaned):
    assert prose.clean(text, MASKER) == cleaned


def test_short_names_are_masked_only_as_whole_words():
    assert MASKER("input np unplug Np") == "input object unplug object"


def test_prose_has_enough_words_and_is_mostly_letters():
    assert prose.is_prose("Return the number of words in a text.", 8)
    assert not prose.is_prose("Return the number of words in it.", 8)
    assert not prose.is_prose("a = 1; b = {2: 3}; c = [4, 5, 6]; d = 7 + 8 * 9 words in it here now", 4)
    assert not prose.is_prose("object makes object from object by object with object of object", 4)


def test_texts_are_shortened_at_the_end_of_a_sentence():
    assert prose.shorten(["One two. Three four five.", "Six."], most=4) == "One two."
    assert prose.shorten(["One two. Three four five.", "Six."], most=6) == "One two. Three four five. Six."
    assert prose.shorten(["One two three four five six."], most=2) == "One two three four"
    assert prose.first_sentence("One is 1.5 wide. Two is not.") == "One is 1.5 wide."


def test_near_duplicates_are_refused_and_different_texts_are_not():
    seen = Seen()
    text = "Return the length of the longest path between two nodes of the given graph."
    assert seen.add(text)
    assert not seen.add(text.upper())
    assert not seen.add(text.replace("given graph", "given directed graph"))
    assert not seen.add(text + " The graph must be connected.")
    assert seen.add("Return the length of the shortest sequence that contains every word once.")


def test_a_library_is_read_from_its_files_without_being_imported(tmp_path, monkeypatch):
    package = tmp_path / "unimportable"
    package.mkdir()
    (package / "__init__.py").write_text(SOURCE)
    (package / "tests").mkdir()
    (package / "tests" / "unread.py").write_text(SOURCE.replace("Tools that", "Checks which"))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = documents.collect(Library("unimportable", "none", least=8), Seen())
    assert [item.text for item in found] == [
        "Tools that measure how far two sequences of words are apart from each other."
    ]
    assert "unimportable" not in sys.modules


def test_a_library_that_is_absent_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(libraries, "ALL", (Library("nosuchlibrary", "no-such-library"),))
    with pytest.raises(UserError, match=r"'nosuchlibrary'.*make install"):
        libraries.versions()
    with pytest.raises(UserError, match=r"'nosuchlibrary'.*make install"):
        libraries.folder(Library("nosuchlibrary", "no-such-library"))


def test_a_library_with_too_few_texts_is_named():
    few = {"libraries": {"train": [], "test": []}}
    with pytest.raises(UserError, match=rf"'{pydocs.LIBRARIES[0]}' has only 0 train texts.*make install"):
        store._check(few)


def test_the_split_of_a_name_is_fixed_and_about_a_quarter_is_for_testing():
    # Changing these values changes every published figure.
    assert [tables.split_of(f"name{index}") for index in range(8)] == [
        "train",
        "train",
        "train",
        "train",
        "train",
        "train",
        "test",
        "train",
    ]
    count = Counter(tables.split_of(f"a.b{index}") for index in range(4000))
    assert 0.22 < count["test"] / 4000 < 0.28


@pytest.mark.parametrize(
    ("documented", "label"),
    [
        ("bool, default True", "flag"),
        ("int | None", "number"),
        ("float or int", "number"),
        ("Optional[str]", "string"),
        ("str or bool", None),
        ("list[int]", None),
        ("array-like of int", None),
        ("Graph", None),
        ("", None),
    ],
)
def test_arguments_are_labeled_by_a_single_plain_type(documented, label):
    assert tables.argument_type(documented) == label


def test_there_are_twelve_libraries_with_enough_texts(corpus):
    assert len(set(pydocs.LIBRARIES)) == 12
    for split, least in (("train", 200), ("test", 60)):
        count = Counter(row.label for row in corpus["libraries"][split])
        assert set(count) == set(pydocs.LIBRARIES)
        assert min(count.values()) >= least, count


def test_general_text_is_plenty_and_from_no_library_of_the_scenarios(corpus):
    assert len(corpus["general"]["train"]) >= 1500
    others = {
        row.name.split(".")[0]
        for table in pydocs.NAMES
        if table != "general"
        for row in corpus[table]["train"]
    }
    general = {row.name.split(".")[0] for row in corpus["general"]["train"]}
    assert general == set(pydocs.GENERAL_LIBRARIES)
    assert general.isdisjoint(others)


@pytest.mark.parametrize("table", [table for table in pydocs.NAMES if table != "general"])
def test_no_text_and_no_object_is_in_both_splits(corpus, table):
    train, test = corpus[table]["train"], corpus[table]["test"]
    assert {row.text for row in train}.isdisjoint(row.text for row in test)
    assert {row.text_pair for row in train if row.text_pair}.isdisjoint(row.text_pair for row in test)
    assert {row.name for row in train}.isdisjoint(row.name for row in test)


@pytest.mark.parametrize(
    ("table", "labels"),
    [
        ("kinds", pydocs.KINDS),
        ("task_returns", pydocs.RETURNS),
        ("task_arguments", pydocs.ARGUMENTS),
        ("task_objects", pydocs.OBJECTS),
        ("task_topics", pydocs.TOPICS),
    ],
)
def test_labels_are_balanced_within_each_domain(corpus, table, labels):
    domains = pydocs.DOMAINS if table == "kinds" else (None,)
    for split, least in (("train", 90), ("test", 25)):
        count = Counter((row.domain, row.label) for row in corpus[table][split])
        assert set(count) == {(domain, label) for domain in domains for label in labels}
        assert min(count.values()) >= least, count
        for domain in domains:
            assert len({count[domain, label] for label in labels}) == 1


def test_only_the_argument_task_has_pairs(corpus):
    paired = {table for table in pydocs.NAMES for row in corpus[table]["train"] if row.text_pair is not None}
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


def test_a_second_call_reads_the_cache_and_gives_the_same(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path))
    calls = []

    def build(found):
        calls.append(1)
        return corpus

    monkeypatch.setattr(store, "collect", lambda library, seen: [])
    monkeypatch.setattr(store, "build", build)
    first = pydocs.fingerprint()
    assert store.stored(progress=False) == corpus
    assert pydocs.fingerprint() == first
    assert len(calls) == 1

    path = store.cache_file()
    for broken in (path.read_text()[:-10], path.read_text().replace("the", "teh", 1), "", "x\n{}"):
        path.write_text(broken)
        assert store.stored(progress=False) == corpus
    path.write_bytes(b"\xff\xfe\n")
    assert pydocs.fingerprint() == first
    assert len(calls) == 6
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_the_cache_file_depends_on_the_versions_and_not_on_the_build(monkeypatch, tmp_path):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path))
    paths = []
    for version in ("1.0", "1.0+cpu", "1.1"):
        monkeypatch.setattr(libraries.importlib.metadata, "version", lambda name, version=version: version)
        paths.append(store.cache_file())
    assert paths[0] == paths[1] != paths[2]


def test_load_gives_datasets_with_the_columns_of_the_scenarios(corpus, monkeypatch):
    monkeypatch.setattr(pydocs, "stored", lambda *, progress: corpus)
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
