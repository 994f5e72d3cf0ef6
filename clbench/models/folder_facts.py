"""What the JSON files of an encoder's folder say, read without the libraries that load the encoder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clbench.core.errors import UserError, shown

SIZES = {
    "hidden_size": 65_536, "num_hidden_layers": 1_000, "num_attention_heads": 65_536,
    "intermediate_size": 1_000_000, "vocab_size": 10_000_000, "max_position_embeddings": 10_000_000,
}  # fmt: skip
"""The largest sizes in a configuration: a larger one is a mistake, and would fill the memory."""


def check_size(directory: Path, name: str, value: Any) -> None:
    """Refuses a size of ``SIZES`` that no model has; a list, where layers differ, is left to the model.

    Raises:
        UserError: It is no whole number, or out of range.
    """
    most = SIZES[name]
    if not (value is None or isinstance(value, list) or (type(value) is int and 1 <= value <= most)):
        wanted = f"a whole number from 1 to {most:,}"
        raise UserError(f"encoder directory {directory}: {name} is {shown(value)}, not {wanted}")


def check_limit(directory: Path, limit: Any) -> None:
    """Refuses a length limit of a tokenizer that no text can keep; it is a huge number where there is none.

    Raises:
        UserError: It is no number of at least 1.
    """
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 1:
        raise UserError(
            f"encoder directory {directory}: model_max_length of the tokenizer is {shown(limit)}; "
            "it must be a whole number of at least 1"
        )


def check_files(directory: Path) -> float | None:
    """Refuses a folder whose configuration or tokenizer cannot be right.

    Returns:
        Tokens that the encoder reads at most; None where the files do not say. It can be fewer: positions
        may begin after that of padding.

    Raises:
        UserError: A file is not a JSON object, or a size or a limit in it is out of range.
    """
    about, tokenizer = f"encoder directory {directory}", f"encoder directory {directory}: the tokenizer"
    config = _object(directory / "config.json", about)
    for name in SIZES:
        check_size(directory, name, config.get(name))
    if not isinstance(_object(directory / "tokenizer.json", tokenizer).get("model"), dict):
        raise UserError(f"{tokenizer} cannot be read: tokenizer.json has no 'model'")
    settings = directory / "tokenizer_config.json"
    limits = [config.get("max_position_embeddings")]
    if settings.exists():
        limits.append(_object(settings, tokenizer).get("model_max_length"))
        if limits[-1] is not None:
            check_limit(directory, limits[-1])
    return min((each for each in limits if isinstance(each, int | float)), default=None)


def _object(path: Path, what: str) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or f"not JSON: {error}"
        raise UserError(f"{what} cannot be read: {path.name}: {reason}") from error
    if not isinstance(content, dict):
        raise UserError(f"{what} cannot be read: {path.name} is not an object")
    return content
