"""Tables of committed reports inside another Markdown file, kept up to date by a command."""

from __future__ import annotations

import re
from pathlib import Path

from clbench.core.errors import UserError

_BLOCK = re.compile(r"(<!-- table (?P<file>\S+): (?P<section>.+?) -->\n).*?(<!-- end -->)", re.DOTALL)
_BEGIN = re.compile(r"<!-- table ")
_DETAILS = re.compile(r"<details>.*?</details>\n?", re.DOTALL)


def filled(text: str, folder: Path) -> str:
    """``text`` with each table block filled from the report that it names.

    A block is ``<!-- table FILE: SECTION -->``, anything, ``<!-- end -->``; FILE is relative to ``folder``,
    and SECTION is one of its headings, or its first words. The list of result files, whose places are
    relative to FILE, is left to it.

    Raises:
        UserError: There is no such file or section, or a block has no end.
    """
    begun, whole = len(_BEGIN.findall(text)), len(_BLOCK.findall(text))
    if begun != whole:
        raise UserError(f"{folder}: of {begun} table blocks, {whole} end; each needs a line <!-- end -->")
    return _BLOCK.sub(lambda found: f"{found[1]}\n{_section(folder, found)}\n{found[4]}", text)


def _section(folder: Path, found: re.Match[str]) -> str:
    path = folder / found["file"]
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    for section in re.split(r"^## ", content, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        if heading.startswith(found["section"]):
            parts = (part.strip() for part in _DETAILS.split(body))
            link = f"Result files of each row: [{found['file']}]({found['file']})."
            return f"**{heading}**\n\n" + f"\n\n{link}\n\n".join(parts).strip() + "\n"
    raise UserError(f"{path}: no section '{found['section']}'")
