"""Language models by name or directory: encoders whose token states predict the next token."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from clbench.core.errors import UserError
from clbench.core.types import Precision
from clbench.models.encoder import TextEncoder, find_encoder
from clbench.models.loading import loading
from clbench.models.pretrained_files import WEIGHTS

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

ROWS_AT_ONCE = 512
"""Token states that are put through the output layer at once: its output has a number for each token."""
EXTRA = 2
"""Numbers of a row of predictions beside its state: the next token and its log-probability."""
_BYTE = re.compile("<0x[0-9A-F]{2}>")
_SCALED = ("final_logit_softcapping", "logit_scale", "logits_scaling", "lm_head_multiplier")


class LanguageModel(TextEncoder):
    """A decoder-only language model with its output layer, which is also an encoder of text.

    A text of n tokens makes n - 1 predictions: its first token is context alone. No special tokens are added.
    """

    def language_model(self) -> PreTrainedModel:
        """A new copy in float32 and eval mode, with the output layer, on the CPU."""
        return self._make_model()

    def model(self) -> PreTrainedModel:
        """A new copy without the output layer."""
        return cast("PreTrainedModel", self._make_model().base_model)

    @functools.cached_property
    def whole(self) -> PreTrainedModel:
        """The shared frozen copy with its output layer."""
        return cast("PreTrainedModel", self._make_model().to(self.dtype)).requires_grad_(False)  # type: ignore[arg-type]

    def frozen(self) -> PreTrainedModel:
        """The shared frozen copy without its output layer."""
        return cast("PreTrainedModel", self.whole.base_model)

    @property
    def vocabulary(self) -> int:
        """V, the number of outputs."""
        return len(self.whole.get_output_embeddings().weight)

    def output(self, states: Tensor) -> Tensor:
        """The frozen output layer: states (..., D) in float32 to logits (..., V) in float32."""
        layer = self.whole.get_output_embeddings().to(states.device)
        return cast("Tensor", layer(states.to(self.dtype)).float())

    def predictions(self, states: Tensor, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What the frozen model says of each next token.

        Args:
            states: (B, T, D) last hidden states.
            rows: (B, T, 2) token rows.
            mask: (B, T) of tokens.

        Returns:
            (B, T - 1, D + 2): the state, the next token's id, and its log-probability in nats; and the mask
            (B, T - 1) of those that predict a token of the text.
        """
        follows, following = mask[:, 1:], rows[:, 1:, 0].long()
        before = states[:, :-1]
        found = log_likelihoods(self.output, before.flatten(0, 1), following.flatten()).view(following.shape)
        extra = torch.stack([following.float(), found], 2)  # a token id is exact in float32
        return torch.cat([before, extra], 2), follows

    @functools.cached_property
    def token_bytes(self) -> Tensor:
        """(V,) int64, the bytes of UTF-8 that each token stands for.

        Raises:
            UserError: The tokenizer does not keep all of a text, so that its bytes cannot be told.
        """
        return torch.from_numpy(_token_bytes(self.name, self.tokenizer, self.vocabulary))

    def decoded(self, ids: Sequence[int]) -> str:
        """The text of some tokens."""
        return str(self.tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


def log_likelihoods(output: Any, states: Tensor, tokens: Tensor) -> Tensor:
    """Log p of tokens (M,) in nats, by an output layer on states (M, D), some at a time."""
    parts = [
        -F.cross_entropy(output(some), following, reduction="none")
        for some, following in zip(states.split(ROWS_AT_ONCE), tokens.split(ROWS_AT_ONCE), strict=True)
    ]
    return torch.cat(parts) if parts else states.new_zeros(0)


def load_language_model(name: str, precision: Precision = "float32") -> LanguageModel:
    """The language model of a name, its files found and checked. Weights are read when first needed.

    Args:
        name: One of ``ENCODERS`` that is a language model, or a directory of a decoder-only model of
            transformers, as for :func:`clbench.models.encoder.load_encoder`.
        precision: Of the frozen copy, and of autocast for a trained one.

    Raises:
        UserError: It is no language model, or its files are missing or wrong.
    """
    files = find_encoder(name)
    if files.directory is not None:
        _check(files.directory, files.about["config"])
    make = files.make(read_language_model, "language_model")
    return LanguageModel(**files.about, make_model=make, precision=precision)


def read_language_model(directory: Path, config: PretrainedConfig) -> PreTrainedModel:
    """A new copy of the model in float32 and eval mode, with its output layer.

    Raises:
        UserError: The weights cannot be read, or a tensor is missing.
    """
    from transformers import AutoModelForCausalLM

    with loading(f"language model directory {directory}"):
        found: Any = AutoModelForCausalLM.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    model, report = found
    if report["missing_keys"]:  # transformers would go on with random values
        raise UserError(f"{directory / WEIGHTS} lacks the tensor {min(report['missing_keys'])}")
    return cast("PreTrainedModel", model.eval())


def _check(directory: Path, config: PretrainedConfig) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    made_for = " ".join(getattr(config, "architectures", None) or ())
    causal = "ForCausalLM" in made_for or "LMHeadModel" in made_for
    if not causal or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UserError(
            f"encoder directory {directory} is no language model: type '{config.model_type}', made for "
            f"{made_for or 'nothing'}; a scenario of kind language-model needs one such as smollm2-135m"
        )
    for name in _SCALED:
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise UserError(f"language model directory {directory}: outputs with {name} are not supported")


def _token_bytes(name: str, tokenizer: Any, size: int) -> np.ndarray:
    """See ``LanguageModel.token_bytes``; tokens that the tokenizer does not have stand for nothing."""
    decoder = json.loads(tokenizer.backend_tokenizer.to_str())["decoder"]
    kinds = {decoder["type"], *(each["type"] for each in decoder.get("decoders", ()))} if decoder else set()
    if not kinds & {"ByteLevel", "ByteFallback", "Metaspace"}:
        raise UserError(
            f"language model '{name}': its tokenizer does not keep all of a text (decoder "
            f"{', '.join(sorted(kinds)) or 'none'}); one over bytes is needed to count bits per byte"
        )
    found = np.zeros(size, np.int64)
    added = {each.content for each in tokenizer.added_tokens_decoder.values()}
    for piece, place in tokenizer.get_vocab().items():
        if piece in added or "ByteLevel" not in kinds:
            text = piece if piece in added else piece.replace("\u2581", " ")
            found[place] = 1 if _BYTE.fullmatch(piece) else len(text.encode())
        else:
            found[place] = len(piece)  # a letter for each byte
    return found
