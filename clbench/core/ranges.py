"""Types of values with their range, for options, keys of files and arguments of methods alike.

A type such as ``Count`` stands in the annotation of a field or an argument. Whatever reads a value (the
command line, YAML, Python calls) checks it against that annotation, so that the range is declared once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

MOST = 10**9
"""The largest number of anything that is counted."""


class Rule:
    """What the values of a type have in common beyond the type."""

    def before(self, value: Any) -> Any:
        """The value as it was written, before it is converted to the type.

        Raises:
            ValueError: It is a text that would be converted, but is none that anybody means.
        """
        return value

    def check(self, value: Any) -> Any:
        """The value.

        Raises:
            ValueError: It breaks the rule; the message says what is expected.
        """
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """How pydantic uses the rule in an annotation: before converting, and after."""
        from pydantic_core import core_schema

        after = core_schema.no_info_after_validator_function(self.check, handler(source))
        return core_schema.no_info_before_validator_function(self.before, after)


@dataclass(frozen=True)
class Range(Rule):
    """Finite numbers between two bounds.

    Attributes:
        low: The smallest number.
        high: The largest number.
        above: Whether ``low`` itself is excluded.
        below: Whether ``high`` itself is excluded.

    Example:
        >>> str(Range(0, 1, above=True)), str(Range(1))
        ('above 0 and at most 1', 'at least 1')
    """

    low: float
    high: float = math.inf
    above: bool = False
    below: bool = False

    def __str__(self) -> str:
        lower = f"{'above' if self.above else 'at least'} {self.low:,}"
        upper = f" and {'below' if self.below else 'at most'} {self.high:,}"
        return lower if self.high == math.inf else lower + upper

    def before(self, value: Any) -> Any:
        """Refuses texts that Python takes for numbers, and YAML and JSON do not: ``1_0``, with spaces."""
        if isinstance(value, str) and (not value.isascii() or re.search(r"[\s_]", value)):
            raise ValueError(f"must be a number without spaces and _, {self}")
        return value

    def allows(self, value: float) -> bool:
        """Whether a number is in the range."""
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        return low and high and math.isfinite(value)

    def check(self, value: float) -> float:
        """The number, if it is in the range."""
        if not self.allows(value):
            raise ValueError(f"must be {self}")
        return value


@dataclass(frozen=True)
class Words(Rule):
    """One line of text.

    Attributes:
        longest: Its most bytes in UTF-8.
        without: Characters that it cannot have.
        name: Whether it names a file or folder: not ``.`` or ``..``.
    """

    longest: int
    without: str = ""
    name: bool = False

    def __str__(self) -> str:
        without = f" without {' '.join(self.without)}" if self.without else ""
        return f"one line of at most {self.longest} bytes{without}"

    def check(self, value: str) -> str:
        """The text, if it is one."""
        odd = any(not letter.isprintable() or letter in self.without for letter in value)
        dots = self.name and value.strip(".") == ""
        if odd or dots or not value.strip() or len(value.encode("utf-8", "replace")) > self.longest:
            raise ValueError(f"must be {self}")
        return value


@dataclass(frozen=True)
class Pattern(Rule):
    """Texts of a form.

    Attributes:
        pattern: A regular expression of the whole text.
        meaning: The form in words.
    """

    pattern: str
    meaning: str

    def __str__(self) -> str:
        return self.meaning

    def allows(self, value: str) -> bool:
        """Whether a text has the form."""
        return re.fullmatch(self.pattern, value) is not None

    def check(self, value: str) -> str:
        """The text, if it has the form."""
        if not self.allows(value):
            raise ValueError(f"must be {self}")
        return value


class Reachable(Rule):
    """Paths that a file system can have."""

    def __str__(self) -> str:
        return "a path without control characters, its names of at most 255 bytes"

    def before(self, value: Any) -> Any:
        """Refuses an empty text, which would be the current folder."""
        if value == "":
            raise ValueError("must not be empty")
        return value

    def check(self, value: Path) -> Path:
        """The path, if it can be one."""
        text = str(value)
        long = len(text.encode("utf-8", "replace")) > 4000 or any(
            len(part.encode("utf-8", "replace")) > 255 for part in value.parts
        )
        if long or any(not letter.isprintable() for letter in text):
            raise ValueError(f"must be {self}")
        return value


Count = Annotated[int, Range(1, MOST)]
"""How many there are, at least one."""
Amount = Annotated[int, Range(0, MOST)]
"""How many there are, or none."""
Size = Annotated[int, Range(1, 65_536)]
"""A side of a matrix."""
Width = Annotated[int, Range(0, 65_536)]
"""A side of a matrix, or 0 for no such matrix."""
Capacity = Annotated[int, Range(1, 10_000_000)]
"""Rows of a memory."""
Threads = Annotated[int, Range(1, 4096)]
"""Threads or processes."""
Seed = Annotated[int, Range(0, 2**32 - 1)]
"""The seed of random numbers."""
Tokens = Annotated[int, Range(2, 1_000_000)]
"""Tokens of a text, special tokens included."""
Positive = Annotated[float, Range(0, above=True)]
"""A finite number above zero."""
Weight = Annotated[float, Range(0)]
"""A finite number, zero or above."""
Share = Annotated[float, Range(0, 1, above=True, below=True)]
"""A share that is neither nothing nor all."""
HeldOut = Annotated[float, Range(0, 1, below=True)]
"""A share that can be nothing, but not all."""
Fraction = Annotated[float, Range(0, 1, above=True)]
"""A share that can be all, but not nothing."""
Ratio = Annotated[float, Range(0, 1)]
"""A share that can be nothing or all."""
Line = Annotated[str, Words(1000)]
"""One line of text."""
Name = Annotated[str, Words(100, without="/\\", name=True)]
"""The name of a file or folder, without any path."""
Label = Annotated[str, Words(128, without="/\\#?%:")]
"""A name at Weights & Biases."""
Order = Annotated[
    str,
    Pattern(
        "([a-z]+:)?[0-9]{1,10}",
        "the number of a published order, 0, random:SEED or classes:SEED",
    ),
]
"""The order of the experiences of a stream."""
_HOST = r"([\w.-]+|\[[0-9a-fA-F:.]+\])"
Address = Annotated[str, Pattern(_HOST + ":[0-9]{1,5}", "HOST:PORT, such as head:6379")]
"""Where a server of another machine listens."""
Url = Annotated[
    str,
    Pattern(
        rf"https?://([^\s/?#@]+@)?{_HOST}(:[0-9]{{1,5}})?(/[!-~]*)?",
        "an address such as https://example.org/data",
    ),
]
"""An address on the web."""
Place = Annotated[Path, Reachable()]
"""The path of a file or folder."""


def ranges_of(owner: type) -> dict[str, Range]:
    """The ranges of the fields of a data class that are numbers, by name."""
    found: dict[str, Range] = {}
    for name, hint in get_type_hints(owner, include_extras=True).items():
        kinds = (hint, *get_args(hint))  # an optional one is a union
        rules = [rule for kind in kinds for rule in getattr(kind, "__metadata__", ())]
        for rule in rules:
            if isinstance(rule, Range):
                found[name] = rule
    return found


def reader(kind: Any) -> Callable[[str], Any]:
    """Converts and checks a word of the command line, for ``argparse``.

    Args:
        kind: One of the types above.

    Example:
        >>> reader(Count)("3")
        3
    """
    plain, rule = get_args(kind)

    def read(word: str) -> Any:
        if not word:
            raise ValueError("must not be empty")
        rule.before(word)
        try:
            value = plain(word)
        except (ValueError, OverflowError):
            kind = "a whole number" if plain is int else "a number"
            raise ValueError(f"must be {kind}, {rule}") from None
        return rule.check(value)

    return read
