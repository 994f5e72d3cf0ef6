"""Reads configuration, tokenizer and weights of an encoder from a folder, and refuses what cannot work."""

from __future__ import annotations

import inspect
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from clbench.core.errors import UserError, unknown
from clbench.models.declared import ENCODERS
from clbench.models.folder_facts import SIZES, check_limit, check_size
from clbench.models.loading import loading
from clbench.models.pretrained_files import WEIGHTS, missing_file

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

# Types whose positions begin after that of padding.
_OFFSET = {
    "camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
}  # fmt: skip


def check_folder(directory: Path, name: str) -> None:
    """Refuses a folder that lacks files of an encoder.

    Args:
        directory: The folder.
        name: As the user gave it.

    Raises:
        UserError: The folder or a file is missing.
    """
    if not directory.is_dir():
        if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not directory.parent.is_dir():
            raise UserError(
                f"encoder '{name}' is no folder here; a model of the hub is downloaded first "
                f"(hf download {name} --local-dir DIRECTORY) and given by its folder: --encoder DIRECTORY"
            )
        raise UserError(f"encoder directory {directory} does not exist")
    missing = missing_file(directory)
    if missing is not None:
        raise UserError(f"encoder directory {directory} lacks {missing}")


def encoder_folder(name: str) -> Path:
    """The folder of an encoder that is not declared by name.

    Raises:
        UserError: It is no folder, or lacks files.
    """
    directory = Path(name).expanduser()
    declared = next((each for each, source in ENCODERS.items() if source.hub_id == name), None)
    if declared is not None and not directory.is_dir():
        raise UserError(f"encoder '{name}' has the name '{declared}' here: --encoder {declared}")
    if not (directory.is_dir() or os.sep in name or (os.altsep and os.altsep in name)):
        raise unknown("encoder", name, ENCODERS)
    check_folder(directory, name)
    return directory


def read_config(directory: Path) -> PretrainedConfig:
    """The configuration of an encoder of text.

    Raises:
        UserError: It cannot be read, or is that of another kind of model.
    """
    from transformers import AutoConfig

    with loading(f"encoder directory {directory}"):
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    for name in SIZES:  # under whatever name this type has it
        check_size(directory, name, getattr(config, name, None))
    _model_class(directory, config)
    return cast("PretrainedConfig", config)


def read_tokenizer(directory: Path, config: PretrainedConfig) -> PreTrainedTokenizerBase:
    """The tokenizer of an encoder.

    Raises:
        UserError: It cannot be read, is not a fast one, or has ids beyond the model's embeddings.
    """
    from transformers import AutoTokenizer

    with loading(f"encoder directory {directory}: the tokenizer"):
        tokenizer = cast(
            "PreTrainedTokenizerBase",
            AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False),
        )
    check_limit(directory, tokenizer.model_max_length)
    if not tokenizer.is_fast:
        raise UserError(
            f"encoder directory {directory} has no fast tokenizer: save one as tokenizer.json "
            "(AutoTokenizer.from_pretrained with use_fast=True, then save_pretrained)"
        )
    most = max(tokenizer.get_vocab().values(), default=-1)
    if most >= config.vocab_size:
        raise UserError(
            f"encoder directory {directory}: the tokenizer has ids up to {most} and the model embeddings for "
            f"{config.vocab_size}; give the tokenizer of this model, or resize its embeddings"
        )
    tokenizer.truncation_side = "right"
    return tokenizer


def read_model(directory: Path, config: PretrainedConfig) -> PreTrainedModel:
    """A new copy of the model in float32 and eval mode, without pooler or decoder.

    Raises:
        UserError: The weights cannot be read, or a tensor is missing.
    """
    import torch

    model_class = _model_class(directory, config)
    without_pooler = "add_pooling_layer" in inspect.signature(model_class).parameters
    with loading(f"encoder directory {directory}"):
        model, report = model_class.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
            **({"add_pooling_layer": False} if without_pooler else {}),
        )
    if report["missing_keys"]:  # transformers would go on with random values
        raise UserError(f"{directory / WEIGHTS} lacks the tensor {min(report['missing_keys'])}")
    return cast("PreTrainedModel", model.eval())


def position_limit(config: PretrainedConfig) -> int | None:
    """How many tokens the model has positions for; None where positions are relative."""
    positions = getattr(config, "max_position_embeddings", None)
    if positions is None:
        return None
    return int(positions) - (config.pad_token_id + 1 if config.model_type in _OFFSET else 0)


def _model_class(directory: Path, config: PretrainedConfig) -> Any:
    """The class that maps token ids to token states: of an encoder-decoder, its encoder."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING, MODEL_MAPPING

    kind = type(config)
    refused = f"encoder directory {directory}: type '{config.model_type}' "
    found: Any = MODEL_FOR_TEXT_ENCODING_MAPPING.get(kind, None)
    if found is not None and found.__name__.endswith("EncoderModel"):
        return found
    if getattr(config, "is_encoder_decoder", False):
        raise UserError(f"{refused}is an encoder-decoder; only the encoder of T5, mT5 and UMT5 can be used")
    found = MODEL_MAPPING.get(kind, None)
    sizes = (getattr(config, name, None) for name in ("hidden_size", "vocab_size"))
    if found is None or not all(isinstance(size, int) for size in sizes):
        raise UserError(f"{refused}is not a model of text alone")
    return found
