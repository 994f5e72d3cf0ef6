"""Where the projections of attention and of the feed-forward part are, by the names of modules."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

OUTPUTS: Sequence[tuple[str, str]] = (
    ("attention.output.dense", "output.dense"),  # BERT, RoBERTa, ELECTRA, DeBERTa
    ("attention.attn.o", "output.dense"),  # MPNet
    ("attention.out_lin", "ffn.lin2"),  # DistilBERT
    ("attention.dense", "ffn_output"),  # ALBERT
    ("attn.Wo", "mlp.Wo"),  # ModernBERT
    ("attn.c_proj", "mlp.c_proj"),  # GPT-2
    ("self_attn.o_proj", "mlp.down_proj"),  # Llama, Qwen, Gemma
    ("SelfAttention.o", "DenseReluDense.wo"),  # T5
)
"""The last projection of attention and that of the feed-forward part, which write to the residual stream."""
_KEY_OR_VALUE = re.compile(r"(k|v|key|value|qkv|query_key_value)(_proj|_lin)?|Wqkv|c_attn")
_QUERY_OR_VALUE = re.compile(r"(q|v|query|value|qkv|query_key_value)(_proj|_lin)?|Wqkv|c_attn")


def output_projections(model: PreTrainedModel) -> tuple[list[str], list[str]]:
    """The modules that end attention, and those that end the feed-forward part, one of each per layer.

    ALBERT has one layer that it applies many times. Both lists are empty for an architecture that is not
    known.
    """
    names = [name for name, _ in model.named_modules()]
    for attention, feed_forward in OUTPUTS:
        first = [name for name in names if name.endswith(f".{attention}")]
        second = [name for name in names if name.endswith(f".{feed_forward}") and name not in first]
        if first and len(first) == len(second):
            return first, second
    return [], []


def lora_targets(model: PreTrainedModel) -> list[str]:
    """The modules that LoRA updates: query and value projections, as in section 4.2 of its paper.

    The names are those of peft for the model's type. For a type that peft does not list, they are the linear
    layers of attention that make queries or values, else all linear layers of attention. The list is empty
    where there are none.
    """
    from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING as KNOWN

    names = linear_layers(model)
    known = KNOWN.get(model.config.model_type)
    if isinstance(known, str):
        found = [name for name in names if re.fullmatch(known, name)]
    else:
        found = [name for name in names if name.rpartition(".")[2] in (known or ())]
    attention = _of_attention(names)
    chosen = [name for name in attention if _QUERY_OR_VALUE.fullmatch(name.rpartition(".")[2])]
    return found or chosen or attention


def key_value_targets(model: PreTrainedModel) -> list[str]:
    """The linear layers of attention that make keys or values; the list is empty where none is known.

    Where one layer makes queries, keys and values, it is that layer.
    """
    names = _of_attention(linear_layers(model))
    return [name for name in names if _KEY_OR_VALUE.fullmatch(name.rpartition(".")[2])]


def linear_layers(model: PreTrainedModel) -> list[str]:
    """All linear layers of an encoder."""
    return [name for name, module in model.named_modules() if type(module).__name__ in ("Linear", "Conv1D")]


def _of_attention(names: list[str]) -> list[str]:
    return [name for name in names if re.search(r"att(e?ntio)?n", name.lower())]
