"""The parser that all commands share."""

import argparse

import pytest

from clbench.core.arguments import Parser
from clbench.core.errors import UserError


def parser(**options) -> Parser:
    made = Parser("try", "Tries it.", "clbench try", **options)
    made.add_argument("names", nargs="*")
    made.add_argument("--data-dir", default="there", help="folder")
    made.add_argument("--number", type=int, default=0, help="how many")
    made.add_argument("--page", action=argparse.BooleanOptionalAction, default=True)
    made.add_argument("--group.top-k")
    return made


@pytest.mark.parametrize(
    "words",
    [
        ["--data-dir", "a_b", "x_y"],
        ["--data_dir", "a_b", "x_y"],
        ["--data_dir=a_b", "x_y"],
        ["--data-dir=a_b", "x_y"],
    ],
)
def test_either_dash_is_accepted_and_values_stay(words):
    options = parser().read(words)
    assert (options.data_dir, options.names) == ("a_b", ["x_y"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--page"], True),
        (["--no-page"], False),
        (["--no_page"], False),
        (["--page", "false"], False),
        (["--page=False"], False),
        (["--page", "true"], True),
        (["--no-page", "false"], True),
    ],
)
def test_a_boolean_is_a_flag_and_takes_true_and_false(words, expected):
    options = parser().read([*words, "a name"])
    assert options.page is expected
    assert options.names == ["a name"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--dat-dir", "x"], "unknown option '--dat-dir'; did you mean '--data-dir'?"),
        (["--data", "x"], "unknown option '--data'"),  # no abbreviations: a new option would break them
        (["--group.topk", "1"], "did you mean '--group.top-k'? Known: --group.top-k"),
        (["-x"], "unknown option '-x'"),
        (["--number", "many"], "argument --number: invalid int value: 'many'"),
        (["--number"], "argument --number: expected one argument"),
        (["--page=maybe"], "option --page is a flag: '--page or --no-page', no value"),
    ],
)
def test_bad_input_is_one_line(words, message):
    with pytest.raises(UserError) as error:
        parser().read(words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_words_that_no_positional_takes_are_refused():
    with pytest.raises(UserError, match="unexpected argument 'b'; see 'clbench try --help'"):
        Parser("try", "Tries it.", "clbench try").read(["b"])


def test_without_defaults_only_what_was_given_is_returned():
    made = Parser("try", "Tries it.", "clbench try", defaults=False)
    made.add_argument("--one")
    made.add_argument("--two", action=argparse.BooleanOptionalAction)
    assert vars(made.read(["--no-two"])) == {"two": False}


def test_peeking_ignores_help_and_what_is_not_declared():
    assert parser().peek(["--help", "--number", "3", "--unknown", "4"]).number == 3


def test_help_shows_defaults_an_example_and_the_documentation(capsys):
    with pytest.raises(SystemExit):
        parser().read(["--help"])
    shown = capsys.readouterr().out
    assert "folder (default: there)" in shown
    assert "how many (default: 0)" in shown
    assert "example:\n  clbench try\n" in shown
    assert "Documentation: " in shown
