"""Small random encoders of many architectures, saved as users save theirs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoModel, PreTrainedTokenizerFast

from clbench.models import tiny

HIDDEN, LAYERS = 32, 2
TEXTS = ["the market of oil", "a question about one function", "price", "the best return of the bank in time"]


def _piece_tokenizer(specials: list[str], template: str, **names: str) -> PreTrainedTokenizerFast:
    """Unigram pieces with the special tokens among them, as in T5, ALBERT and DeBERTa."""
    words = [f"▁{word}" for word in list(tiny.vocabulary())[-300:]]
    letters = [chr(code) for code in range(33, 127)]
    pieces = [*((each, 0.0) for each in specials), ("▁", -3.0), *((each, -4.0) for each in words)]
    pieces += [(each, -6.0) for each in letters]
    backend = Tokenizer(models.Unigram(pieces, unk_id=specials.index(names["unk_token"])))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    return _with_template(backend, specials, template, names)


def _byte_tokenizer(specials: list[str], template: str, **names: str) -> PreTrainedTokenizerFast:
    """Byte-level BPE, as in RoBERTa, ModernBERT, GPT-2, Llama and Qwen."""
    pieces = [*specials, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    backend = Tokenizer(models.BPE(vocab={piece: at for at, piece in enumerate(pieces)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return _with_template(backend, specials, template, names)


def _with_template(
    backend: Tokenizer, specials: list[str], template: str, names: dict[str, str]
) -> PreTrainedTokenizerFast:
    if template:
        before, after = template.split("$A")
        backend.post_processor = processors.TemplateProcessing(
            single=template,
            pair=f"{template}{' $B:1' if '$A' in template else ''}{after}",
            special_tokens=[(each, specials.index(each)) for each in specials if each in before + after],
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **names)
    tokenizer.add_special_tokens(
        {"additional_special_tokens": [s for s in specials if s not in names.values()]}
    )
    return tokenizer


@cache
def _tokenizers() -> dict[str, PreTrainedTokenizerFast]:
    bert = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    roberta = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return {
        "word pieces": tiny.tokenizer(),
        "pieces, [CLS]": _piece_tokenizer(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[CLS] $A [SEP]", **bert),
        "pieces, </s>": _piece_tokenizer(
            ["<pad>", "</s>", "<unk>"], "$A </s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
        ),
        "bytes, <s>": _byte_tokenizer(["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>", **roberta),
        "bytes, [CLS]": _byte_tokenizer(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[CLS] $A [SEP]", **bert),
        # Decoders: no template, no padding token; and a first token, with padding on the left.
        "bytes": _byte_tokenizer(["<|endoftext|>"], "", bos_token="<|endoftext|>", eos_token="<|endoftext|>"),
        "bytes, <bos>": _left(
            _byte_tokenizer(["<pad>", "<eos>", "<bos>"], "<bos> $A", bos_token="<bos>", eos_token="<eos>")
        ),
    }


def _left(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    tokenizer.padding_side = tokenizer.truncation_side = "left"
    tokenizer.init_kwargs |= {"padding_side": "left", "truncation_side": "left"}  # what is saved
    return tokenizer


_BERT = {
    "hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 48,
    "max_position_embeddings": 66,
}  # fmt: skip
_LLAMA = {**_BERT, "num_key_value_heads": 1, "head_dim": 16}


@dataclass(frozen=True)
class Architecture:
    """A configuration's class and sizes, and what is known of it by hand.

    Attributes:
        config: The class of its configuration, in transformers.
        tokenizer: One of ``_tokenizers``.
        sizes: Arguments of the configuration.
        places: The modules after which a layer gets adapters with placement ``houlsby``: the end of attention
            and the end of the feed-forward part.
        targets: The modules of a layer that LoRA updates.
        layers: Layers with weights of their own.
    """

    config: str
    tokenizer: str
    sizes: dict[str, object]
    places: tuple[str, str]
    targets: tuple[str, ...]
    layers: int = LAYERS


ARCHITECTURES: dict[str, Architecture] = {
    "BERT": Architecture(
        "BertConfig", "word pieces", _BERT, ("attention.output.dense", "output.dense"), ("query", "value")
    ),
    "RoBERTa": Architecture(
        "RobertaConfig", "bytes, <s>", {**_BERT, "type_vocab_size": 1},
        ("attention.output.dense", "output.dense"), ("query", "value"),
    ),
    "DistilBERT": Architecture(
        "DistilBertConfig", "word pieces",
        {"dim": HIDDEN, "n_layers": LAYERS, "n_heads": 2, "hidden_dim": 48, "max_position_embeddings": 66},
        ("attention.out_lin", "ffn.lin2"), ("q_lin", "v_lin"),
    ),
    "ALBERT": Architecture(
        "AlbertConfig", "pieces, [CLS]", {**_BERT, "embedding_size": 16},
        ("attention.dense", "ffn_output"), ("query", "value"), layers=1,
    ),
    "ELECTRA": Architecture(
        "ElectraConfig", "word pieces", {**_BERT, "embedding_size": 16},
        ("attention.output.dense", "output.dense"), ("query", "value"),
    ),
    "MPNet": Architecture(
        "MPNetConfig", "bytes, <s>", _BERT, ("attention.attn.o", "output.dense"), ("q", "v")
    ),
    "DeBERTa v2": Architecture(
        "DebertaV2Config", "pieces, [CLS]",
        {**_BERT, "type_vocab_size": 0, "relative_attention": True, "position_biased_input": False,
         "pos_att_type": ["p2c", "c2p"], "position_buckets": 16, "norm_rel_ebd": "layer_norm",
         "share_att_key": True},
        ("attention.output.dense", "output.dense"), ("query_proj", "value_proj"),
    ),
    "ModernBERT": Architecture(
        "ModernBertConfig", "bytes, [CLS]",
        {**_BERT, "local_attention": 16, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2,
         "bos_token_id": 1, "eos_token_id": 2},
        ("attn.Wo", "mlp.Wo"), ("Wqkv",),
    ),
    "GPT-2": Architecture(
        "GPT2Config", "bytes",
        {"n_embd": HIDDEN, "n_layer": LAYERS, "n_head": 2, "n_positions": 66, "bos_token_id": 0,
         "eos_token_id": 0},
        ("attn.c_proj", "mlp.c_proj"), ("c_attn",),
    ),
    "Llama": Architecture(
        "LlamaConfig", "bytes, <bos>", _LLAMA, ("self_attn.o_proj", "mlp.down_proj"), ("q_proj", "v_proj")
    ),
    "Qwen2": Architecture(
        "Qwen2Config", "bytes", _LLAMA, ("self_attn.o_proj", "mlp.down_proj"), ("q_proj", "v_proj")
    ),
    "Qwen3": Architecture(
        "Qwen3Config", "bytes", _LLAMA, ("self_attn.o_proj", "mlp.down_proj"), ("q_proj", "v_proj")
    ),
    "Gemma 3": Architecture(
        "Gemma3TextConfig", "bytes, <bos>", {**_LLAMA, "sliding_window": 16, "query_pre_attn_scalar": 16},
        ("self_attn.o_proj", "mlp.down_proj"), ("q_proj", "v_proj"),
    ),
    "T5, encoder part": Architecture(
        "T5Config", "pieces, </s>",
        {"d_model": HIDDEN, "num_layers": LAYERS, "num_heads": 2, "d_ff": 48, "d_kv": 16},
        ("SelfAttention.o", "DenseReluDense.wo"), ("q", "v"),
    ),
}  # fmt: skip


def save(name: str, folder: Path, **changes: object) -> Path:
    """Writes an encoder with seeded random weights and a tokenizer; ``changes`` are of its configuration."""
    kind = ARCHITECTURES[name]
    tokenizer = _tokenizers()[kind.tokenizer]
    sizes = {"vocab_size": len(tokenizer), "initializer_range": 0.2, **kind.sizes, **changes}
    config = getattr(transformers, kind.config)(**sizes)
    config.pad_token_id = tokenizer.pad_token_id
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
