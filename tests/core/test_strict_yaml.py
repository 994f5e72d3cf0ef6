"""YAML files: which values they have, and what is refused in bounded time."""

import datetime
import time

import pytest
import yaml

from clbench.core.errors import UserError
from clbench.core.io import read_yaml
from clbench.core.strict_yaml import DEPTH, LIMIT, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"), ("off", "off"), ("true", True), ("12:30", "12:30"), ("01", "01"), ("1", 1), ("-7", -7),
        ("0x1F", 31), ("1e-3", 0.001), ("1.50", 1.5), (".5", 0.5), ("2020-01-01", "2020-01-01"), ("", None),
        ("null", None), ("~", None), ("'true'", "true"), ("1_000", "1_000"), ("1.2.3", "1.2.3"),
        ("-.inf", -float("inf")), ("{a: }", {"a": None}),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text, value):
    found = parse_yaml(text)
    assert found == value
    assert type(found) is type(value)


def test_what_the_safe_dumper_writes_comes_back():
    value = {"a": ["no", "12:30", "01", "", "~", "2020-01-01", True, None, 1.5, 7, 1e-5, "<<"]}
    assert parse_yaml(yaml.safe_dump(value)) == value


def test_aliases_and_merges_are_read():
    text = "a: &x {k: 1, m: 2}\nb: *x\nc: {<<: *x, k: 3}\n"
    assert parse_yaml(text) == {"a": {"k": 1, "m": 2}, "b": {"k": 1, "m": 2}, "c": {"k": 3, "m": 2}}


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOMB, "aliases stand for more than"),
        ("a: 1\nb: 2\na: 3\n", "line 3: the key 'a' is there twice"),
        ("a: {b: 1, b: 2}\n", "line 1: the key 'b' is there twice"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1: a tag such as tag:yaml.org,2002:python"),
        ("a: !x 1\n", "line 1: a tag such as !x"),
        ("&a [*a]\n", "contains itself"),
        ("[" * 100_000, f"nested more than {DEPTH} levels"),
        ("{a: " * 5_000, f"nested more than {DEPTH} levels"),
        ("x" * (LIMIT + 1), f"at most {LIMIT} are read"),
        ("[a]: 1\n", "line 1: a key must be a text or a number"),
        ("a: *b\n", "line 1: found undefined alias 'b'"),
        ("a: [1\n", "line 2: "),
        ("9" * 5_000, "a number cannot be read"),
    ],
)
def test_a_bad_file_is_refused_at_once_and_in_one_line(text, expected, tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(text)
    started = time.perf_counter()
    with pytest.raises(UserError) as error:
        read_yaml(path, "scenario")
    assert time.perf_counter() - started < 5
    assert str(error.value).startswith(f"scenario {path}: not YAML: ")
    assert expected in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300 + len(str(path))


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "file.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path, "scenario") == {"a": 1}


def test_a_date_stays_the_text_that_was_written():
    assert not isinstance(parse_yaml("a: 2020-01-01")["a"], datetime.date)
