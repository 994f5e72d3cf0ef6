"""Reading files of pretrained models: without output, and with errors in one line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clbench.core.errors import UserError, message


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Silences transformers, and turns its exceptions into a one-line ``UserError``.

    Args:
        what: What is read, for the message.
    """
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # OSError, ValueError, KeyError, RuntimeError and SafetensorError all occur
        raise UserError(f"{what} cannot be read: {message(error)[:200]}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
