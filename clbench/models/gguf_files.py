"""Quantized language models in GGUF files, unpacked once into the files that transformers loads fast."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from clbench.core.errors import UserError
from clbench.core.io import cache_dir, write_text
from clbench.models.cache_files import DamagedError, drop, verify, write_shard
from clbench.models.loading import loading, sha256

LAYOUT = 2
"""The version of the unpacked folder."""
# What save_pretrained writes of the library and the machine, and not of the model.
_INCIDENTAL = ("transformers_version", "_name_or_path", "is_local", "local_files_only")


@dataclass(frozen=True)
class GgufFile:
    """A GGUF file in an installed package, none of whose code is run.

    Attributes:
        package: The package.
        version: The version that has the file.
        path: The file, relative to the installation root.
        sha256: Of the file.
    """

    package: str
    version: str
    path: str
    sha256: str


def dequantized(name: str, declared: GgufFile, path: Path) -> Path:
    """A folder with the model's weights in bfloat16, its configuration and its tokenizer.

    It is made once, in the cache folder, and its checksums are compared each time. It holds the whole
    language model, whose encoder is the same without the output layer.

    Args:
        name: Of the model, for messages.
        declared: What the file should be.
        path: The file.

    Raises:
        UserError: The file is not the declared one, the package ``gguf`` is missing, or the cache folder
            cannot be written.
    """
    folder = cache_dir() / "unpacked" / f"{name}-{declared.sha256[:16]}-{LAYOUT}"
    try:
        if _intact(folder):
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if not _intact(folder):  # another process may have made it
                _unpack(name, declared, path, folder)
    except OSError as error:
        raise UserError(f"model '{name}' cannot be unpacked into {folder}: {error.strerror}") from error
    return folder


def _intact(folder: Path) -> bool:
    """Whether the folder is there; it is removed where its content is not what was written."""
    try:
        verify(folder)
    except FileNotFoundError:
        return False
    except DamagedError as error:
        drop(folder, error)
        return False
    return True


def _unpack(name: str, declared: GgufFile, path: Path, folder: Path) -> None:
    if not path.is_file():
        raise UserError(f"model '{name}': {path} is missing; install {declared.package}=={declared.version}")
    found = sha256(path)
    if found != declared.sha256:
        raise UserError(
            f"{path} is not model '{name}': its SHA-256 is {found} and should be {declared.sha256}"
        )
    if importlib.util.find_spec("gguf") is None:
        raise UserError(f"model '{name}' is a GGUF file: pip install 'clbench[smollm2]' to read it")
    write_shard(folder, ".partial-", lambda temporary: _save(path, temporary), lambda _: None)


def _save(path: Path, folder: Path) -> None:
    """Reads model and tokenizer from a GGUF file and writes them as transformers does."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    with loading(f"GGUF file {path}"):
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        model = AutoModelForCausalLM.from_pretrained(
            path.parent,
            gguf_file=path.name,
            dtype=torch.float32,
            quantization_config=GgufConfig(dequantize=True),
        )
        model.to(dtype=torch.bfloat16)  # type: ignore[call-arg]  # transformers wraps it untyped
        model.save_pretrained(folder, max_shard_size="50GB")
        tokenizer.save_pretrained(folder)
    for file in folder.glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        kept = {key: value for key, value in content.items() if key not in _INCIDENTAL}
        if kept != content:
            write_text(file, json.dumps(kept, indent=2, sort_keys=True) + "\n")
    for file in folder.iterdir():
        file.chmod(0o644)
