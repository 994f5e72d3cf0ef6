"""Text from outside, made harmless wherever it is shown."""

from __future__ import annotations


def plain(text: str) -> str:
    r"""``text`` on one line, without characters that steer a terminal or turn the direction of writing.

    Example:
        >>> plain("a\n b\x1b[31m")
        'a b�[31m'
    """
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(one if one.isprintable() else "�" for one in line)
