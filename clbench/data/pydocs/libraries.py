"""Which installed libraries the corpus is taken from, and where their source files lie."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from clbench.core.errors import UserError


@dataclass(frozen=True)
class Library:
    """One installed library, or one part of it.

    Attributes:
        name: Its import name, which is also its label.
        distribution: The name under which its version is known.
        part: Only this folder of the package, where the whole has no subject of its own.
        domain: The domain of its texts in the table ``kinds``, or None if they are not in it.
        least: Documents have at least so many words; fewer where the library is small.
        limit: Reading stops once so many documents have been found.
    """

    name: str
    distribution: str
    part: str = ""
    domain: str | None = None
    least: int = 20
    limit: int = 340


#: The classes of the table ``libraries``: as different in subject as the installed ones allow.
CLASSES = (
    Library("networkx", "networkx", domain="science"),
    Library("torchmetrics", "torchmetrics", domain="learning", least=10),
    Library("pandas", "pandas", domain="data"),
    Library("matplotlib", "matplotlib", domain="graphics"),
    Library("pydantic", "pydantic", domain="data", least=12),
    Library("sympy", "sympy", part="physics", domain="science"),
    Library("wandb", "wandb", domain="services"),
    Library("torch", "torch", part="distributed", domain="learning"),
    Library("huggingface_hub", "huggingface_hub", domain="services"),
    Library("datasets", "datasets", domain="data", least=12),
    Library("scipy", "scipy", part="stats", domain="science", least=10, limit=450),
    Library("faiss", "faiss-cpu", domain="learning", least=12),
)
#: Further libraries of the tables ``kinds`` and ``task_*``.
FURTHER = (
    Library("sklearn", "scikit-learn", domain="learning"),
    Library("numpy", "numpy", domain="data"),
    Library("fontTools", "fonttools", domain="graphics", least=12),
)
#: The libraries of the table ``general``, used by no other table.
GENERAL = (
    Library("transformers", "transformers", least=10),
    Library("pytorch_lightning", "pytorch-lightning", least=10),
    Library("mpmath", "mpmath", least=10),
    Library("rich", "rich", least=10),
    Library("PIL", "pillow", least=10),
    Library("pygments", "Pygments", least=10),
)
ALL = CLASSES + FURTHER + GENERAL

#: What names a library in prose, besides the import names; masked in all texts.
ALIASES = (
    *("np", "pd", "plt", "mpl", "nx", "hf", "pyplot", "scikit", "pytorch", "lightning"),
    *("hugging face", "huggingface", "weights & biases", "weights and biases", "w&b"),
)

_SKIPPED = {"distutils", "test", "tests", "testing", "_vendor", "externals", "_vendored_packages"}


def versions() -> dict[str, str]:
    """The installed version of each library.

    Raises:
        UserError: If one is not installed.
    """
    found = {}
    for library in ALL:
        try:
            # The build after the "+" (CPU or CUDA) has the same documentation.
            found[library.name] = importlib.metadata.version(library.distribution).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            raise missing(library) from None
    return found


def missing(library: Library) -> UserError:
    """The error for a library that the corpus needs and that is not there."""
    return UserError(
        f"library '{library.name}', which the pydocs corpus reads, is not installed; run: make install"
    )


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
            found.append((".".join(parts).removesuffix(".__init__"), path))
    return sorted(found, key=lambda item: hashlib.blake2b(item[0].encode()).digest())
