"""A small random language model over bytes, made in memory, with which tests run real code without any file.

Each token is one byte, so that a text of n bytes has n tokens and nothing is lost in decoding. Weights come
from a seeded generator, as those of ``clbench.models.tiny``.
"""

from __future__ import annotations

import copy
import functools
import hashlib
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerBase

HIDDEN_SIZE = 32
MAX_TOKENS = 512
END = "<|endoftext|>"
_SEED = 20211018


def vocabulary() -> dict[str, int]:
    """The 256 bytes, as byte-level tokenizers write them, and the end of a text."""
    from tokenizers import pre_tokenizers

    return {piece: index for index, piece in enumerate([END, *sorted(pre_tokenizers.ByteLevel.alphabet())])}


def config() -> LlamaConfig:
    """A Llama of 2 layers, 2 heads and hidden size 32, its output layer tied to its embeddings."""
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(vocabulary()),
        hidden_size=HIDDEN_SIZE,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        intermediate_size=4 * HIDDEN_SIZE,
        max_position_embeddings=MAX_TOKENS,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )


def tokenizer() -> PreTrainedTokenizerBase:
    """A tokenizer of bytes, which adds no special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE(vocab=vocabulary(), merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token=END, bos_token=END, model_max_length=MAX_TOKENS
    )


def language_model() -> PreTrainedModel:
    """A new copy of the model with its output layer, in eval mode; every copy has the same weights."""
    return copy.deepcopy(_original())


def model() -> PreTrainedModel:
    """A new copy of the model without its output layer, as an encoder."""
    return cast("PreTrainedModel", language_model().base_model)


@functools.cache
def _original() -> PreTrainedModel:
    import torch
    from transformers import LlamaForCausalLM

    generator = torch.Generator().manual_seed(_SEED)
    bound = (3 / HIDDEN_SIZE) ** 0.5  # standard deviation HIDDEN_SIZE ** -0.5
    # The constructor draws weights from the global random state; copies must be trainable wherever this runs.
    with torch.inference_mode(False), torch.no_grad(), torch.random.fork_rng(devices=[]):
        llama = LlamaForCausalLM(config())
        for name, parameter in sorted(llama.named_parameters()):
            if parameter.dim() == 2:
                parameter.uniform_(-bound, bound, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("norm.weight") else 0.0)
    llama.eval()
    return llama


@functools.cache
def fingerprint() -> str:
    """A hash of the weights and the vocabulary."""
    digest = hashlib.sha256("\n".join(vocabulary()).encode())
    for name, tensor in sorted(_original().state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
