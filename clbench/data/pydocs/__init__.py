"""The built-in corpus: English prose from the docstrings of installed libraries, read without importing them.

Every install with the pinned versions has the same texts, so experiments need no download. The texts
belong to the libraries' authors, and are read where they lie, never redistributed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from clbench.core.errors import unknown
from clbench.data.pydocs.store import digest, stored
from clbench.data.pydocs.tables import (
    ARGUMENTS,
    DOMAINS,
    GENERAL_LIBRARIES,
    KINDS,
    LIBRARIES,
    NAMES,
    OBJECTS,
    RETURNS,
    TOPICS,
)

if TYPE_CHECKING:
    from datasets import DatasetDict

__all__ = [
    "ARGUMENTS",
    "DOMAINS",
    "GENERAL_LIBRARIES",
    "KINDS",
    "LIBRARIES",
    "NAMES",
    "OBJECTS",
    "RETURNS",
    "TOPICS",
    "fingerprint",
    "load",
]


def load(table: str, *, progress: bool = True) -> DatasetDict:
    """One table of the corpus, which the first call on a machine builds (some 15 seconds) and caches.

    ==================  ==========================================================  =================
    Table               Text                                                        Label
    ==================  ==========================================================  =================
    ``libraries``       what is said about an object of a library                   ``LIBRARIES``
    ``kinds``           a description, from one of ``DOMAINS``                      ``KINDS``
    ``task_returns``    the description of a function                               ``RETURNS``
    ``task_arguments``  the summary of an object; pair: of one of its arguments     ``ARGUMENTS``
    ``task_objects``    the description of a class or a function                    ``OBJECTS``
    ``task_topics``     what is said about an object                                ``TOPICS``
    ``general``         what is said about objects of ``GENERAL_LIBRARIES``         none
    ==================  ==========================================================  =================

    Args:
        table: Its name.
        progress: Whether to show a progress bar while building, if stderr is a terminal.

    Returns:
        The splits ``train`` and ``test`` with the columns ``text`` (str), ``text_pair`` (str or None),
        ``label`` (str) and ``domain`` (str or None); ``general`` has only ``train`` and ``text``.

    Raises:
        UserError: If there is no such table, or a library that the corpus needs is not installed or has
            too little documentation.
    """
    if table not in NAMES:
        raise unknown("pydocs table", table, NAMES)
    from datasets import Dataset, DatasetDict, Features, Value  # heavy, and the module is light

    columns = ("text",) if table == "general" else ("text", "text_pair", "label", "domain")
    features = Features({column: Value("string") for column in columns})
    return DatasetDict(
        {
            split: Dataset.from_list(
                [{column: getattr(row, column) for column in columns} for row in rows], features=features
            )
            for split, rows in stored(progress=progress)[table].items()
        }
    )


def fingerprint() -> str:
    """A hash of every text and label of the corpus, in hexadecimal."""
    return digest(stored(progress=True))
