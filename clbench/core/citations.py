"""BibTeX entries of the methods and datasets that the suite has."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files


@cache
def entries() -> dict[str, str]:
    """All entries of ``citations.bib``, by key."""
    text = files("clbench.core").joinpath("citations.bib").read_text(encoding="utf-8")
    found = re.finditer(r"^@\w+\{([^,\s]+),.*?^\}", text, re.MULTILINE | re.DOTALL)
    return {entry[1]: entry[0] for entry in found}
