"""Finds the files of an encoder: in the hub cache, in an installed package, or on the hub.

The hub cache comes first, so ``HF_HOME`` decides where it is set. The hub comes last, so a machine without a
network never waits for a timeout if the files are local.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from clbench.core.errors import UserError

WEIGHTS = "model.safetensors"
_CONFIG = "config.json"
_TOKENIZER = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)
_TIMEOUT = 10.0  # seconds until the hub counts as unreachable
_FILES = (_CONFIG, WEIGHTS, *_TOKENIZER)


@dataclass(frozen=True)
class EncoderSource:
    """The declaration of an encoder.

    Attributes:
        description: One line for lists.
        hub_id: The model's name on the hub; None for an encoder that is built in.
        revision: The commit on the hub, 40 hexadecimal digits.
        sha256: What the SHA-256 of ``model.safetensors`` must be, wherever it is found.
        package: An installed package that may hold the same files: its name, and the folder of the files
            relative to the installation root.
    """

    description: str
    hub_id: str | None = None
    revision: str | None = None
    sha256: str | None = None
    package: tuple[str, str] | None = None


def find_files(name: str, source: EncoderSource) -> tuple[Path, dict[str, str]]:
    """The directory with the files of a declared encoder, and their provenance: source and revision.

    Raises:
        UserError: The files are not found locally, and the hub cannot be reached or refuses them.
    """
    # Imported here: the hub client takes half a second, which encoders without a hub can do without.
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if source.hub_id is None or source.revision is None:
        raise ValueError(f"encoder '{name}' is built in: it has no files")
    snapshot = partial(snapshot_download, source.hub_id, revision=source.revision, allow_patterns=[*_FILES])
    try:
        directory = Path(snapshot(local_files_only=True))
        if missing_file(directory) is None:  # half a download may be left in the cache
            return directory, {"source": "hub cache", "revision": source.revision}
    except LocalEntryNotFoundError:
        pass
    if source.package is not None:
        distribution, folder = source.package
        try:
            package = metadata.distribution(distribution)
            directory = Path(str(package.locate_file(folder)))
            return directory, {"source": f"package {package.name}", "revision": package.version}
        except metadata.PackageNotFoundError:
            pass
    try:
        # snapshot_download alone would try for half a minute to reach a hub that is not there.
        HfApi().model_info(source.hub_id, revision=source.revision, timeout=_TIMEOUT)
        return Path(snapshot()), {"source": "hub", "revision": source.revision}
    except Exception as error:  # the classes of transport errors change with the hub client's version
        install = f"pip install {source.package[0]}, " if source.package else ""
        raise UserError(
            f"encoder '{name}' ({source.hub_id}) is not in the hub cache and cannot be downloaded "
            f"({_reason(error)}); {install}name a local directory with --encoder path/to/dir, "
            "or set HF_HOME to a folder whose cache has it"
        ) from error


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def missing_file(directory: Path) -> str | None:
    """The first required file that ``directory`` lacks; None if it has all."""
    for file in (_CONFIG, WEIGHTS):
        if not (directory / file).is_file():
            return file
    vocabularies = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
    if any(all((directory / file).is_file() for file in files) for files in vocabularies):
        return None
    return "tokenizer.json"


def file_hashes(directory: Path) -> dict[str, str]:
    """The SHA-256 of each file of the encoder in ``directory``."""
    return {file: _sha256(directory / file) for file in _FILES if (directory / file).is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
