"""Which code a run is of: a run that was stopped goes on under the same code alone."""

from __future__ import annotations

import functools
import hashlib
import inspect
from importlib.metadata import version
from pathlib import Path

import clbench

PARTS = ("core", "data", "engine", "methods", "models")
"""The packages that a result depends on."""
PACKAGES = ("torch", "numpy", "lightning", "transformers")


def code_version(method: type) -> str:
    """A hash of the source of the engine and of a method's classes, and of the versions beside them."""
    digest = hashlib.sha256(engine_version())
    for each in method.__mro__:
        if not each.__module__.startswith(("clbench.", "torch.", "lightning.", "builtins")):
            digest.update(_source(each))
    return digest.hexdigest()


@functools.cache
def engine_version() -> bytes:
    """A hash of the source of the engine, and of the versions beside it."""
    root = Path(clbench.__file__).parent
    digest = hashlib.sha256(repr([(name, version(name)) for name in PACKAGES]).encode())
    for path in sorted(path for part in PARTS for path in (root / part).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.digest()


def _source(kind: type) -> bytes:
    """The file of a class; nothing for one that was typed into a session."""
    try:
        return Path(inspect.getfile(kind)).read_bytes()
    except (OSError, TypeError):
        return b""
