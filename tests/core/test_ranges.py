"""Types with a range take what is inside it, up to its bounds, and nothing else."""

import dataclasses
import math
from pathlib import Path

import pytest

from clbench.core import ranges
from clbench.core.config import RunConfig
from clbench.core.io import folder_name
from clbench.core.ranges import Range, ranges_of, reader
from clbench.core.scenario import Protocol


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (
            ranges.Count,
            ["1", "1000000000"],
            ["0", "-1", "1.5", "x", "", "1e3", "1000000001", "1_0", " 1", "1\n", "\uff11"],
        ),
        (ranges.Amount, ["0"], ["-1"]),
        (ranges.Seed, ["0", "4294967295"], ["-1", "4294967296"]),
        (ranges.Tokens, ["2"], ["1"]),
        (ranges.Positive, ["1e-300", "5"], ["0", "-1", "nan", "inf", "1e999", "-inf", "1_0", "0.1 "]),
        (ranges.Weight, ["0", "2.5"], ["-1e-9", "inf", "nan"]),
        (ranges.Share, ["0.5"], ["0", "1"]),
        (ranges.HeldOut, ["0", "0.99"], ["1", "-0.1"]),
        (ranges.Ratio, ["0", "1"], ["1.01", "nan"]),
        (ranges.Name, ["a b", "a.b", "ä"], ["", ".", "..", "a/b", "a\\b", "a\0", "a\n", " ", "x" * 101]),
        (ranges.Label, ["a-b"], ["a/b", "a?b", "a:b", "x" * 129]),
        (ranges.Line, ["a/b.yaml"], ["a\nb", "\x1b[31m", "\ud800", "x" * 1001]),
        (ranges.Order, ["0", "19", "random:3", "classes:1"], ["-1", "random:", "random:x", "x", "1.5"]),
        (ranges.Place, ["a/b", "/x"], ["", "a\0b", "x" * 256, "a\n", "é" * 128]),
        (
            ranges.Address,
            ["head:6379", "[::1]:1", "10.0.0.1:80"],
            ["head", "head:x", ":1", "a b:1", "[::1", "a/b:1"],
        ),
        (
            ranges.Url,
            ["https://a.org", "http://127.0.0.1:80/x/y", "http://[::1]:80", "https://me:word@a.org/x"],
            [
                "a.org",
                "file:///etc",
                "http://[::1",
                "http://",
                "http://a b",
                "https://a.org/a b",
                "ftp://a.org",
            ],
        ),
    ],
)
def test_a_type_takes_what_is_in_its_range(kind, right, wrong):
    read = reader(kind)
    for word in right:
        read(word)
    for word in wrong:
        with pytest.raises(ValueError, match="must"):
            read(word)


def test_bounds_are_named():
    with pytest.raises(ValueError, match=r"^must be at least 1 and at most 1,000,000,000$"):
        reader(ranges.Count)("0")
    assert str(Range(0, 1, above=True, below=True)) == "above 0 and below 1"
    assert not Range(0).allows(math.nan)


def test_every_number_of_a_run_has_a_range():
    for owner in (RunConfig, Protocol):
        numbers = {each.name for each in dataclasses.fields(owner) if type(each.default) in (int, float)}
        assert numbers <= set(ranges_of(owner))


def test_a_field_of_both_has_one_range():
    run, protocol = ranges_of(RunConfig), ranges_of(Protocol)
    assert {name: run[name] for name in run.keys() & protocol.keys()} == {
        name: protocol[name] for name in run.keys() & protocol.keys()
    }
    assert len(run.keys() & protocol.keys()) >= 7


@pytest.mark.parametrize("text", ["../../x", "..", ".", "", "a/b", "a\\b", "a\0b", "x" * 300, "é" * 200])
def test_a_name_of_a_folder_is_one_part_of_a_path(text, tmp_path):
    made = tmp_path / folder_name(text)
    made.mkdir()
    assert made.resolve().parent == tmp_path.resolve()
    assert len({folder_name(text), folder_name(f"{text}!"), folder_name("_")}) == 3


def test_usual_names_of_folders_are_kept():
    for name in ("ewc-frozen-strength=10.0", "r8-cil", "a b", "naïve", "random:1"):
        assert folder_name(name) == name
    assert Path(folder_name("a")).name == "a"
