r"""Tables as LaTeX: booktabs, for ``\input`` into a paper that pdflatex compiles."""

from __future__ import annotations

import re
import unicodedata

from clbench.reporting.formatting import plain
from clbench.reporting.tables.cells import Cell, Document, Row, Table

_HEAD = (
    "% Needs \\usepackage{booktabs} and \\usepackage{graphicx}. Comments name the result files of each row.\n"
)
_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # At the start of a row these would be an argument of the line break before it.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\textsection{}",
    "↑": r"$\uparrow$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "±": r"\textpm{}",
    "·": r"\textperiodcentered{}",
    "\N{EN DASH}": r"\textendash{}",
    "\N{EM DASH}": r"\textemdash{}",
    "…": r"\ldots{}",
}
_ACCENTS = {
    "\N{COMBINING GRAVE ACCENT}": "`",
    "\N{COMBINING ACUTE ACCENT}": "'",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "^",
    "\N{COMBINING TILDE}": "~",
    "\N{COMBINING DIAERESIS}": '"',
}


def as_latex(report: Document) -> str:
    """One ``table`` environment for each table, which shrinks to the width of a line where it is wider."""
    parts = [_HEAD, *map(_table, report.tables)]
    parts.append(f"% {plain(report.reading)}\n% {plain(report.source)}\n")
    return "\n".join(parts)


def escaped(text: str) -> str:
    r"""``text`` from outside as LaTeX that shows it; characters that pdflatex has no font for become codes.

    Example:
        >>> print(escaped("50% of a_b, [é] 中"))
        50\% of a\_b, {[}\'{e}{]} {[}U+4E2D{]}
    """
    # Two hyphens in a row would become a dash.
    return re.sub(r"-(?=-)", "-{}", "".join(map(_character, plain(text))))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii():
        return character
    letter, *accents = list(unicodedata.normalize("NFD", character))
    if letter.isalpha() and letter.isascii() and len(accents) == 1 and accents[0] in _ACCENTS:
        return f"\\{_ACCENTS[accents[0]]}{{{letter}}}"
    return f"{{[}}U+{ord(character):04X}{{]}}"


def _table(full: Table) -> str:
    table = full.visible()
    headings = ["Method", table.counted, *(column.heading for column in table.columns)]
    lines = [
        "\\begin{table}",
        "\\centering",
        f"\\caption{{{escaped(table.title)}. {escaped(table.caption)}}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * (len(headings) - 1)}}}",
        "\\toprule",
        " & ".join(map(escaped, headings)) + " \\\\",
        "\\midrule",
        *(line for row in table.rows for line in _row(row)),
        "\\bottomrule",
        "\\end{tabular}}",
    ]
    notes = " \\par\n".join(map(escaped, table.lines("Underlined")))
    if notes:
        lines += ["\\par\\smallskip", "\\begin{minipage}{\\linewidth}", "\\footnotesize", notes]
        lines += ["\\end{minipage}"]
    return "\n".join([*lines, "\\end{table}\n"])


def _row(row: Row) -> list[str]:
    cells = [escaped(row.label), escaped(row.runs), *map(_cell, row.cells)]
    return [f"% files: {plain('; '.join(row.files)) or 'none'}", " & ".join(cells) + " \\\\"]


def _cell(cell: Cell) -> str:
    text = re.sub(r"-(?=\d)", "$-$", escaped(cell.text))
    # The interval is smaller than the mean that it belongs to.
    text = re.sub(r"(\{\[\}.*\{\]\})", r"{\\scriptsize \1}", text)
    return {"best": f"\\textbf{{{text}}}", "close": f"\\underline{{{text}}}", "": text}[cell.mark]
