"""The installed libraries that the corpus is taken from, and the labels of its tables."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clbench.core.errors import UserError


@dataclass(frozen=True)
class Library:
    """One installed library, or one part of it.

    Attributes:
        name: Its import name, which is also its label.
        distribution: The name of its package in the package index.
        domain: The domain of its texts in the table ``kinds``; None if they are not in that table.
        part: Read only this folder of the package; empty for the whole package.
        least: The minimum number of words of a document; lower where the library is small.
        limit: The maximum number of documents.
    """

    name: str
    distribution: str
    domain: str | None = None
    part: str = ""
    least: int = 20
    limit: int = 340


#: The classes of the table ``libraries``, chosen for different subjects.
CLASSES = (
    Library("networkx", "networkx", "science"),
    Library("torchmetrics", "torchmetrics", "learning", least=10),
    Library("pandas", "pandas", "data"),
    Library("matplotlib", "matplotlib", "graphics"),
    Library("pydantic", "pydantic", "data", least=12),
    Library("sympy", "sympy", "science", part="physics"),
    Library("wandb", "wandb", "services"),
    Library("torch", "torch", "learning", part="distributed"),
    Library("huggingface_hub", "huggingface_hub", "services"),
    Library("datasets", "datasets", "data", least=12),
    Library("scipy", "scipy", "science", part="stats", least=10, limit=450),
    Library("faiss", "faiss-cpu", "learning", least=12),
)
#: The classes of the table ``task_topics``, by library.
TOPICS = {
    Library("sklearn", "scikit-learn", "learning"): "learning",
    Library("numpy", "numpy", "data"): "arrays",
    Library("fontTools", "fonttools", "graphics", least=12): "fonts",
}
#: The libraries of the unlabeled table ``general``, which no other table uses.
GENERAL = (
    Library("transformers", "transformers", least=10),
    Library("pytorch_lightning", "pytorch-lightning", least=10),
    Library("mpmath", "mpmath", least=10),
    Library("rich", "rich", least=10),
    Library("PIL", "pillow", least=10),
    Library("pygments", "Pygments", least=10),
)
ALL = (*CLASSES, *TOPICS, *GENERAL)
#: Other names of the libraries in prose. They are masked in all texts, as the import names are.
ALIASES = (
    *("np", "pd", "plt", "mpl", "nx", "hf", "pyplot", "scikit", "pytorch", "lightning"),
    *("hugging face", "huggingface", "weights & biases", "weights and biases", "w&b"),
)
#: The labels of each table.
LABELS: dict[str, tuple[str, ...]] = {
    "libraries": tuple(library.name for library in CLASSES),  # the text of an object
    "kinds": ("class", "function"),  # the description of an object from one of DOMAINS
    "task_returns": ("value", "nothing"),  # the description of a function
    "task_arguments": ("flag", "number", "string"),  # the summary of an object, the text of an argument
    "task_objects": ("class", "function"),  # the description of an object
    "task_topics": tuple(TOPICS.values()),  # the text of an object
    "general": (),  # the text of an object
}
#: The domains of the table ``kinds``.
DOMAINS = tuple(dict.fromkeys(library.domain for library in CLASSES if library.domain))

_SKIPPED = {"distutils", "test", "tests", "testing", "_vendor", "externals", "_vendored_packages"}


def versions() -> dict[str, str]:
    """The installed version of each library and of the parser, which the texts depend on.

    The build of a version (CPU or CUDA) is left out: it has the same texts.

    Raises:
        UserError: One is not installed.
    """
    from importlib import metadata  # slow, and not needed for the labels

    names = ["docstring_parser", *(library.distribution for library in ALL)]
    try:
        return {name: metadata.version(name).split("+")[0] for name in names}
    except metadata.PackageNotFoundError as error:
        raise _missing(error.name) from None


def source_files(library: Library) -> Iterator[tuple[str, Path]]:
    """The module name and the path of each source file, without tests, ordered by a hash of the name.

    The order is the same on every machine, and the first files are spread over the whole library.

    Raises:
        UserError: The library is not installed.
    """
    spec = importlib.util.find_spec(library.name)  # does not import the library
    if spec is None or not spec.submodule_search_locations:
        raise _missing(library.name)
    root = Path(spec.submodule_search_locations[0])
    found = {}
    for path in (root / library.part).rglob("*.py"):
        parts = (library.name, *path.relative_to(root).with_suffix("").parts)
        if _SKIPPED.isdisjoint(parts) and not parts[-1].startswith(("test_", "conftest", "_version")):
            found[".".join(parts).removesuffix(".__init__")] = path
    yield from sorted(found.items(), key=lambda item: hashlib.blake2b(item[0].encode()).digest())


def _missing(name: str) -> UserError:
    return UserError(f"the pydocs corpus needs '{name}', which is not installed; run: make install")
