"""Reading source files for the offline corpus: objects, docstrings, and clean prose."""

import sys

import pytest

from clbench.data.pydocs import prose, source, tables
from clbench.data.pydocs.libraries import Library
from clbench.data.pydocs.tables import Row

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


def _private():
    """Not part of the interface."""


def undocumented():
    return 1
'''


def found_objects() -> dict[str, tuple[source.Kind, source.Node]]:
    return {name: (kind, node) for name, kind, node in source.objects(SOURCE, "m")}


def described(text):
    return list(source.paragraphs(source.parse(text).description))


def test_public_documented_objects_are_found_with_their_kinds_and_nothing_is_run():
    assert {name: kind for name, (kind, _) in found_objects().items()} == {
        "m": "module",
        "m.Ruler": "class",
        "m.Ruler.length": "method",
        "m.double": "function",
        "m.values": "function",
        "m.nothing": "function",
        "m.stub": "function",
    }


def test_whether_a_function_returns_a_value_is_read_from_its_own_code():
    found = {name: source.returns_value(node) for name, (_, node) in found_objects().items()}
    assert found["m.double"] is True
    assert found["m.values"] is True
    assert found["m.nothing"] is False
    assert found["m.Ruler.length"] is False  # only the nested function returns
    assert found["m.stub"] is None
    assert found["m.Ruler"] is None


def test_types_are_the_annotations_of_a_function_or_of_the_constructor():
    found = {name: source.argument_types(node) for name, (_, node) in found_objects().items()}
    assert found["m.double"] == {"x": "float"}
    assert found["m.Ruler"] == {"width": "int"}
    assert found["m"] == {}


def test_a_file_that_does_not_parse_has_no_objects():
    assert list(source.objects("def f(:\n", "m")) == []


WITH_CODE = """Sums many things up.

>>> one(1)
unfit text

Then goes on::

    unfit = 2

Says even more.

```python
unfit

unfit text
```

.. math::

    unfit

    unfit text

| unfit | 1 |

    unfit = indented()

Unfit Heading
-------------

This is the last one.
"""


def test_doctests_fences_directives_tables_and_literal_blocks_are_left_out():
    expected = ["Sums many things up.", "Then goes on.", "Says even more.", "This is the last one."]
    assert described(WITH_CODE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Sums the widths up.\n\nParameters\n==========\nwidth : int, default 3\n    How wide\n    it is."
        "\n\nReturns\n-------\nint\n    The sum of all widths.\n\nExamples\n--------\nunfit",
        "Sums the widths up.\n\nArgs:\n    width (int): How wide\n        it is.\n\n"
        "Returns:\n    The sum of all widths.\n\nExample:\n    unfit",
        "Sums the widths up.\n\n:param int width: How wide\n    it is.\n:returns: The sum of all widths.",
    ],
    ids=["numpydoc", "google", "rest"],
)
def test_the_three_docstring_conventions_give_the_same_parts(text):
    assert described(text) == ["Sums the widths up."]
    found = source.parse(text)
    (argument,) = found.params
    assert (argument.arg_name, argument.type_name) == ("width", "int")
    assert list(source.paragraphs(argument.description)) == ["How wide it is."]
    assert list(source.paragraphs(found.returns.description)) == ["The sum of all widths."]


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("The ``max_len`` entry in ``some[1:]``.", "The object entry in object."),
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
    assert prose.clean(text) == cleaned


def test_short_names_are_masked_only_as_whole_words():
    assert prose.clean("input np unplug Np") == "input object unplug object"


def test_prose_has_enough_words_and_is_mostly_letters():
    assert prose.is_prose("Return the number of words in a text.", 8)
    assert not prose.is_prose("Return the number of words in it.", 8)
    assert not prose.is_prose("a = 1; b = {2: 3}; c = [4, 5, 6]; d = 7 + 8 * 9 words in it here now", 4)
    assert not prose.is_prose("object makes object from object by object with object of object", 4)


def test_texts_are_shortened_at_the_end_of_a_sentence():
    assert prose.shorten(["One two. Three four five.", "Six."], most=4) == "One two."
    assert prose.shorten(["One two. Three four five.", "Six."], most=6) == "One two. Three four five. Six."
    assert prose.shorten(["One two three four five six."], most=2) == "One two three four"
    assert prose.shorten(["One is 1.5 wide. Two is not."], most=5) == "One is 1.5 wide."


def test_near_duplicates_are_refused_and_different_texts_are_not():
    seen = prose.NearDuplicates()
    text = "Return the length of the longest path between two nodes of the given graph."
    assert seen.is_new(text)
    assert not seen.is_new(text.upper())
    assert not seen.is_new(text.replace("given graph", "given directed graph"))
    assert not seen.is_new(text + " The graph must be connected.")
    assert seen.is_new("Return the length of the shortest sequence that contains every word once.")


def test_a_library_is_read_from_its_files_without_being_imported(tmp_path, monkeypatch):
    package = tmp_path / "unimportable"
    package.mkdir()
    (package / "__init__.py").write_text(SOURCE)
    (package / "tests").mkdir()
    (package / "tests" / "unread.py").write_text(SOURCE.replace("Tools that", "Checks which"))
    monkeypatch.syspath_prepend(str(tmp_path))
    found = tables.collect(Library("unimportable", "none", least=8), prose.NearDuplicates())
    text = "Tools that measure how far two sequences of words are apart from each other."
    assert list(found) == [("libraries", Row("unimportable", text, label="unimportable"))]
    assert "unimportable" not in sys.modules


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
