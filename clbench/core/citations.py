"""BibTeX entries of the methods and datasets that the suite has."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def entries() -> dict[str, str]:
    """All entries of ``citations.bib``, by key."""
    text = files("clbench.core").joinpath("citations.bib").read_text(encoding="utf-8")
    found = re.findall(r"^@\w+\{([^,\s]+),.*?^\}", text, re.MULTILINE | re.DOTALL)
    bodies = re.findall(r"^@\w+\{.*?^\}", text, re.MULTILINE | re.DOTALL)
    return dict(zip(found, bodies, strict=True))


def bibtex(key: str) -> str:
    """The BibTeX entry of a key.

    Raises:
        KeyError: There is no such entry.
    """
    return entries()[key]
