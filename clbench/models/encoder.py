"""Text encoders by name or directory: tokens and hidden states."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np

from clbench.core.device import resolve_precision
from clbench.core.errors import UserError
from clbench.core.types import Precision
from clbench.models import tiny, tiny_lm
from clbench.models.declared import ENCODERS
from clbench.models.plain_text import PlainText
from clbench.models.pretrained import (
    check_folder,
    encoder_folder,
    position_limit,
    read_config,
    read_model,
    read_tokenizer,
)
from clbench.models.pretrained_files import WEIGHTS, file_hashes, find_files
from clbench.models.ragged import RaggedArray

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase


class TextEncoder:
    """A tokenizer and its model, which is loaded when it is first needed.

    Attributes:
        name: The declared name, or the base name of a local directory.
        hidden_size: D, the size of a token state.
        fingerprint: A hash of the weights, the configuration and the tokenizer: equal for equal files.
        dtype: The precision: that of the frozen copy, and that of autocast for a copy that is trained, whose
            weights are in float32.
        tokenizer: As transformers knows it; texts go through ``tokenize``.
        provenance: ``source`` (where the files were found), ``revision`` (the hub commit, the package
            version, or empty) and ``weights_sha256`` (empty for a built-in encoder).
    """

    def __init__(
        self,
        name: str,
        config: PretrainedConfig,
        fingerprint: str,
        provenance: dict[str, str],
        tokenizer: PreTrainedTokenizerBase,
        make_model: Callable[[], PreTrainedModel],
        precision: Precision = "float32",
    ) -> None:
        self.name = name
        self.dtype = resolve_precision(precision)
        self.hidden_size: int = config.hidden_size
        self.fingerprint = fingerprint
        self.provenance = provenance
        self.tokenizer = tokenizer
        self._text = PlainText(tokenizer, _has_segments(config))
        self._limit = min(position_limit(config) or tokenizer.model_max_length, tokenizer.model_max_length)
        self._make_model = make_model
        self._frozen: PreTrainedModel | None = None

    def check_length(self, max_tokens: int, pairs: bool = False) -> None:
        """Refuses a length limit that texts cannot have.

        Args:
            max_tokens: The limit.
            pairs: Whether it is that of pairs of texts.

        Raises:
            UserError: The model has no positions for so many tokens, or they are all special ones.
        """
        if max_tokens > self._limit:
            raise UserError(
                f"max_tokens {max_tokens}: the encoder '{self.name}' reads at most {self._limit} tokens"
            )
        special = self._text.special_tokens(pairs)
        if max_tokens <= special:
            raise UserError(
                f"max_tokens {max_tokens}: the encoder '{self.name}' adds {special} special tokens to "
                f"{'a pair of texts' if pairs else 'a text'}; at least {special + 1 + pairs} are needed"
            )

    def tokenize(self, texts: Sequence[str], pairs: Sequence[str | None], max_tokens: int) -> RaggedArray:
        """Token rows, special tokens included and without padding.

        What stands in a text is text: ``[SEP]`` there does not become a special token. A text without any
        token, of an encoder that adds none, is one token that ends or begins texts.

        Args:
            texts: N texts.
            pairs: N second texts; None where a text stands alone.
            max_tokens: Longer rows are cut to this length, the longer of two texts first.

        Returns:
            Of each text (n, 2) of int32, 1 <= n <= ``max_tokens``: token ids, and segment ids (0 for the
            first text, 1 for the second; always 0 for a model that has no segments).

        Raises:
            UserError: See ``check_length``.
        """
        paired = np.array([pair is not None for pair in pairs], dtype=bool)
        arrays: list[np.ndarray] = []
        array, start, stop = np.zeros((3, len(texts)), np.int64)
        for kind in (False, True):  # the tokenizer takes pairs for all texts of a call or for none
            chosen = np.flatnonzero(paired == kind)
            if not len(chosen):
                continue
            self.check_length(max_tokens, pairs=kind)
            places = chosen.tolist()
            seconds = [cast(str, pairs[i]) for i in places] if kind else None
            columns = self._text.tokens([texts[i] for i in places], seconds, max_tokens)
            lengths = np.fromiter(map(len, columns[0]), np.int64, len(chosen))
            rows = np.zeros((int(lengths.sum()), 2), np.int32)
            for column, values in enumerate(columns):
                rows[:, column] = np.fromiter(chain.from_iterable(values), np.int32, len(rows))
            stop[chosen] = np.cumsum(lengths)
            start[chosen] = stop[chosen] - lengths
            array[chosen] = len(arrays)
            arrays.append(rows)
        return RaggedArray(tuple(arrays), array, start, stop)

    def model(self) -> PreTrainedModel:
        """A new copy in float32 and eval mode, without a pooler, on the CPU."""
        return self._make_model()

    def with_weights(self, weights: Mapping[str, Tensor]) -> Self:
        """This encoder with other values of parameters, by name; those that are not named stay."""
        import torch

        digest = hashlib.sha256(self.fingerprint.encode())
        for name, each in sorted(weights.items()):
            digest.update(name.encode() + each.contiguous().view(torch.uint8).numpy().tobytes())

        def make_model() -> PreTrainedModel:
            model = self._make_model()
            model.load_state_dict(weights, strict=False)
            return model

        other = copy.copy(self)
        other._make_model, other._frozen, other.fingerprint = make_model, None, digest.hexdigest()
        return other

    @property
    def parameters(self) -> int:
        """How many parameters the model has."""
        return sum(parameter.numel() for parameter in self.frozen().parameters())

    def frozen(self) -> PreTrainedModel:
        """The shared frozen copy: eval mode, no gradients.

        Do not make it a submodule of a module that is trained: ``train()`` would turn its dropout on.
        """
        if self._frozen is None:
            self._frozen = cast("PreTrainedModel", self._make_model().to(self.dtype)).requires_grad_(False)  # type: ignore[arg-type]
        return self._frozen

    def frozen_states(self, rows: Tensor, mask: Tensor) -> Tensor:
        """The frozen copy's last hidden states (B, T, D) in float32, computed where ``rows`` are."""
        import torch

        model = self.frozen()
        if model.device != rows.device:
            model.to(device=rows.device)  # type: ignore[call-arg]  # transformers wraps it untyped
        with torch.no_grad():
            return token_states(model, rows, mask).float()

    def predictions(self, states: Tensor, rows: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What a language model says of each next token; see ``clbench.models.causal_lm``.

        Raises:
            UserError: It is no language model.
        """
        raise UserError(f"encoder '{self.name}' is no language model")


BUILT_IN: Mapping[str, ModuleType] = {"tiny": tiny, "tiny-lm": tiny_lm}
"""Encoders that are made in memory: modules with ``config``, ``tokenizer``, ``model`` and ``fingerprint``."""


def load_encoder(name: str, precision: Precision = "float32") -> TextEncoder:
    """The encoder of a name, its files found and checked. Weights are read when they are first needed.

    Args:
        name: One of ``ENCODERS``, or the path of a directory with ``config.json``, ``model.safetensors``
            and the files of a fast tokenizer. The directory may hold any encoder or decoder of text that
            transformers knows, and the encoder part of T5.
        precision: ``auto`` is bfloat16 where that is fast, else float32.

    Raises:
        UserError: The name is unknown, files are missing or do not fit each other, or the weights are not
            the declared ones.
    """
    files = find_encoder(name)
    return TextEncoder(**files.about, make_model=files.make(read_model, "model"), precision=precision)


@dataclass(frozen=True)
class EncoderFiles:
    """The files of an encoder, found and checked, but for its weights.

    Attributes:
        about: The arguments of ``TextEncoder`` that follow from them.
        directory: Where they are; None for an encoder that is built in.
    """

    about: dict[str, Any]
    directory: Path | None

    def make(
        self, read: Callable[[Path, PretrainedConfig], PreTrainedModel], built_in: str
    ) -> Callable[[], PreTrainedModel]:
        """What makes a new copy of the model.

        Args:
            read: Reads it from a directory.
            built_in: The function of a built-in encoder's module that makes it.

        Raises:
            UserError: The built-in encoder has no such function.
        """
        if self.directory is not None:
            return partial(read, self.directory, self.about["config"])
        found: Callable[[], PreTrainedModel] | None = getattr(BUILT_IN[self.about["name"]], built_in, None)
        if found is None:
            raise UserError(f"encoder '{self.about['name']}' is no language model; 'tiny-lm' is one")
        return found


def find_encoder(name: str) -> EncoderFiles:
    """The files of an encoder.

    Raises:
        UserError: See ``load_encoder``.
    """
    source = ENCODERS.get(name)
    if source is None:
        directory = encoder_folder(name)
        short = directory.resolve().name
        return _read(short, directory, {"source": f"directory {short}", "revision": ""}, None)
    if source.built_in:
        made = BUILT_IN[name]
        about = {
            "name": name,
            "config": made.config(),
            "fingerprint": made.fingerprint(),
            "provenance": {"source": "built in", "revision": "", "weights_sha256": ""},
            "tokenizer": made.tokenizer(),
        }
        return EncoderFiles(about, None)
    found = find_files(name, source)
    return _read(name, found.directory, {"source": found.source, "revision": found.revision}, found.sha256)


def token_states(model: PreTrainedModel, rows: Tensor, mask: Tensor, prompts: Tensor | None = None) -> Tensor:
    """The model's last hidden states.

    Args:
        model: An encoder as ``TextEncoder.model`` gives it.
        rows: (B, T, 2) integers: token ids and segment ids.
        mask: (B, T) booleans: True for tokens, False for padding, which is at the end.
        prompts: (P, E) or (B, P, E) vectors before the embeddings of each text. They take the first P
            positions, and are of the first segment.

    Returns:
        (B, T, D) states of the texts; those of padding have no meaning.
    """
    import torch.nn.functional as F

    inputs, length = {"input_ids": rows[..., 0].long()}, 0
    if prompts is not None:
        words = model.get_input_embeddings()(inputs.pop("input_ids"))
        inputs["inputs_embeds"] = with_prompts(prompts, words)
        length = prompts.shape[-2]
        rows, mask = F.pad(rows, (0, 0, length, 0)), F.pad(mask, (length, 0), value=True)
    inputs["attention_mask"] = mask.long()
    if _has_segments(model.config):
        inputs["token_type_ids"] = rows[..., 1].long()
    return cast("Tensor", model(**inputs).last_hidden_state[:, length:])  # (B, T, D)


def with_prompts(prompts: Tensor, words: Tensor) -> Tensor:
    """Prompts (P, E) or (B, P, E) before embeddings (B, T, E): (B, P + T, E)."""
    import torch

    return torch.cat([prompts.expand(len(words), -1, -1), words], 1)


def _has_segments(config: PretrainedConfig) -> bool:
    # RoBERTa has a table of one segment, DistilBERT has none.
    return getattr(config, "type_vocab_size", 0) > 1


def _read(name: str, directory: Path, provenance: dict[str, str], sha256: str | None) -> EncoderFiles:
    check_folder(directory, str(directory))
    hashes = file_hashes(directory)
    if sha256 is not None and hashes[WEIGHTS] != sha256:
        raise UserError(
            f"{directory / WEIGHTS} is not the weights of encoder '{name}': "
            f"its SHA-256 is {hashes[WEIGHTS]} and should be {sha256}"
        )
    config = read_config(directory)
    about = {
        "name": name,
        "config": config,
        "fingerprint": hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest(),
        "provenance": {**provenance, "weights_sha256": hashes[WEIGHTS]},
        "tokenizer": read_tokenizer(directory, config),
    }
    return EncoderFiles(about, directory)
