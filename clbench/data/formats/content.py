"""The bytes and lines of text files: compression, encodings, byte order marks and line ends."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from clbench.core.data_source import Encoding
from clbench.core.errors import UserError


def read_bytes(path: Path, encoding: Encoding) -> bytes:
    """The content of a file in UTF-8 without a byte order mark; files called ``*.gz`` are decompressed.

    Raises:
        UserError: It cannot be read, or is not in that encoding. Bytes that are said to be UTF-8 are not
            checked here: see ``read_text``.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if encoding == "utf-8":
        return content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode(encoding).encode()
    except UnicodeError as error:
        raise UserError(f"{path}: not {encoding}: {getattr(error, 'reason', error)}") from error


def read_text(path: Path, encoding: Encoding) -> str:
    """The text of a file, with line ends as they are.

    Raises:
        UserError: See ``read_bytes``; a byte that is not UTF-8 is named with its line.
    """
    content = read_bytes(path, encoding)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        start = content.rfind(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: not UTF-8: {error.reason} at byte {error.start - start + 1}; "
            "the key 'encoding' names another"
        ) from error


def read_lines(path: Path, encoding: Encoding) -> list[tuple[int, str]]:
    """The lines of a file that are not blank, with their numbers.

    Only LF and CRLF end a line: str.splitlines would also split at separators that occur inside texts.
    """
    lines = enumerate(read_text(path, encoding).split("\n"), start=1)
    return [(number, line.removesuffix("\r")) for number, line in lines if line.strip()]
