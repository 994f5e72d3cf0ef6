"""Which installed libraries the corpus is taken from, and where their source files lie."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from clbench.errors import UserError


@dataclass(frozen=True)
class Library:
    """One installed library, or one part of it.

    Attributes:
        name: Its import name, which is also its label.
        distribution: The name under which its version is known.
        part: Only this folder of the package, where the whole has no subject of its own.
        domain: The domain of its texts in the table ``kinds``, or None if they are not in it.
        limit: Reading stops once so many documents have been found.
    """

    name: str
    distribution: str
    part: str = ""
    domain: str | None = None
    limit: int = 450


#: The classes of the table ``libraries``.
CLASSES = (
    Library("networkx", "networkx", domain="science"),
    Library("torchmetrics", "torchmetrics", domain="learning"),
    Library("pandas", "pandas", domain="data"),
    Library("matplotlib", "matplotlib", domain="graphics"),
    Library("pydantic", "pydantic", domain="services"),
    Library("sympy", "sympy", part="physics", domain="science"),
    Library("wandb", "wandb", domain="services"),
    Library("torch", "torch", part="distributed", domain="learning"),
    Library("PIL", "pillow", domain="graphics"),
    Library("datasets", "datasets", domain="data"),
    Library("scipy", "scipy", part="stats", domain="science"),
    Library("faiss", "faiss-cpu", domain="learning"),
)
#: Further libraries of the tables ``kinds`` and ``task_*``.
FURTHER = (
    Library("sklearn", "scikit-learn", domain="learning"),
    Library("numpy", "numpy", domain="data"),
    Library("huggingface_hub", "huggingface_hub", domain="services"),
    Library("fontTools", "fonttools", domain="graphics"),
)
#: The libraries of the table ``general``, used by no other table.
GENERAL = (
    Library("transformers", "transformers"),
    Library("pytorch_lightning", "pytorch-lightning"),
    Library("mpmath", "mpmath"),
    Library("rich", "rich"),
    Library("sentence_transformers", "sentence-transformers"),
    Library("fsspec", "fsspec"),
    Library("pygments", "Pygments"),
    Library("jsonargparse", "jsonargparse"),
)
ALL = CLASSES + FURTHER + GENERAL

#: What names a library in prose, besides the import names; masked in all texts.
ALIASES = (
    "np,pd,plt,mpl,nx,sp,pl,scikit,pyplot,pytorch,pillow,fonttool,hugging face,huggingface,hf,weights & biases,"
    "weights and biases,w&b,lightning,sbert,sentence transformers"
).split(",")  # fmt: skip

_SKIPPED = {"test", "tests", "testing", "_vendor", "externals", "_vendored_packages"}


def versions(libraries: tuple[Library, ...] = ALL) -> dict[str, str]:
    """The installed version of each library.

    Raises:
        UserError: If one is not installed.
    """
    found = {}
    for library in libraries:
        try:
            # The build after the "+" (CPU or CUDA) has the same documentation.
            found[library.name] = importlib.metadata.version(library.distribution).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            raise missing(library) from None
    return found


def missing(library: Library) -> UserError:
    """The error for a library that the corpus needs and that is not there."""
    return UserError(f"library '{library.name}', which the pydocs corpus reads, is not installed; run: make install")


def folder(library: Library) -> Path:
    """Where the library's source files lie; it is looked up without being imported.

    Raises:
        UserError: If it is not installed.
    """
    spec = importlib.util.find_spec(library.name)
    if spec is None or not spec.submodule_search_locations:
        raise missing(library)
    return Path(spec.submodule_search_locations[0])


def source_files(library: Library) -> list[tuple[str, Path]]:
    """The module name and path of each source file, tests left out, in an order spread over the library.

    The order is that of a hash of the module name, and so the same wherever the library is installed.
    """
    root = folder(library)
    found = []
    for path in (root / library.part).rglob("*.py"):
        parts = (library.name, *path.relative_to(root).with_suffix("").parts)
        if _SKIPPED.isdisjoint(parts) and not parts[-1].startswith(("test_", "conftest", "_version")):
            found.append((".".join(parts), path))
    return sorted(found, key=lambda item: hashlib.blake2b(item[0].encode()).digest())
