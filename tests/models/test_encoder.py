"""Tokens and hidden states of encoders, by architecture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    DistilBertConfig,
    DistilBertModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
)

from clbench.core.errors import UserError
from clbench.models import tiny
from clbench.models.encoder import load_encoder, token_states

VOCABULARY = tiny.vocabulary()
CLS, SEP, THE, OIL = (VOCABULARY[piece] for piece in ("[CLS]", "[SEP]", "the", "oil"))


def batch(rows: list[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(map(len, rows))
    padded = torch.zeros(len(rows), width, 2, dtype=torch.int32)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = torch.from_numpy(row)
        mask[i, : len(row)] = True
    return padded, mask


def test_rows_hold_token_ids_segments_and_special_tokens():
    encoder = load_encoder("tiny")
    rows = encoder.tokenize(["the oil", "Oil zz", ""], ["the", None, None], 16)
    z, more_z = VOCABULARY["z"], VOCABULARY["##z"]
    assert rows[0].tolist() == [[CLS, 0], [THE, 0], [OIL, 0], [SEP, 0], [THE, 1], [SEP, 1]]
    assert rows[1].tolist() == [[CLS, 0], [OIL, 0], [z, 0], [more_z, 0], [SEP, 0]]
    assert rows[2].tolist() == [[CLS, 0], [SEP, 0]]
    assert all(row.dtype == np.int32 for row in rows)
    assert len(encoder.tokenize([], [], 16)) == 0


def test_long_rows_lose_the_end_of_the_longer_text():
    encoder = load_encoder("tiny")
    pair, single = encoder.tokenize(["the " * 6, "the " * 9], ["oil oil", None], 8)
    assert pair[:, 0].tolist() == [CLS, THE, THE, THE, SEP, OIL, OIL, SEP]
    assert single[:, 0].tolist() == [CLS, *[THE] * 6, SEP]


def test_more_tokens_than_the_model_has_positions_are_refused():
    with pytest.raises(UserError, match=r"^max_tokens 513: the encoder 'tiny' reads at most 512 tokens$"):
        load_encoder("tiny").tokenize(["the"], [None], 513)


def test_token_states_are_those_of_the_model():
    encoder = load_encoder("tiny")
    model = encoder.frozen()
    rows, mask = batch(encoder.tokenize(["the oil", "oil"], ["price of the bank", None], 16))
    ids, segments = rows.long().unbind(-1)
    states = token_states(model, rows, mask)
    direct = model(input_ids=ids, attention_mask=mask.long(), token_type_ids=segments).last_hidden_state
    assert states.shape == (2, rows.shape[1], 32)
    assert torch.equal(states, direct)
    no_segments = torch.stack([rows[..., 0], torch.zeros_like(rows[..., 1])], -1)
    assert not torch.allclose(token_states(model, no_segments, mask)[0], states[0])
    alone = token_states(model, rows[1:, :3], mask[1:, :3])
    torch.testing.assert_close(alone[0], states[1, :3])


def roberta_and_tokenizer() -> tuple[PreTrainedModel, RobertaTokenizer]:
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *"theoil", "Ġ"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    config = RobertaConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=34, type_vocab_size=1,
    )  # fmt: skip
    tokenizer = RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=32)
    return RobertaModel(config, add_pooling_layer=False), tokenizer


def test_roberta_has_no_segments(tmp_path: Path):
    model, tokenizer = roberta_and_tokenizer()
    model.save_pretrained(tmp_path / "roberta")
    tokenizer.save_pretrained(tmp_path / "roberta")
    encoder = load_encoder(str(tmp_path / "roberta"))
    assert encoder.hidden_size == 16
    (row,) = encoder.tokenize(["the"], ["oil"], 32)
    expected = ["<s>", "t", "h", "e", "</s>", "</s>", "o", "i", "l", "</s>"]
    assert tokenizer.convert_ids_to_tokens(row[:, 0].tolist()) == expected
    assert not row[:, 1].any()
    rows, mask = batch([row, row[:4]])
    direct = model.eval()(input_ids=rows[..., 0].long(), attention_mask=mask.long()).last_hidden_state
    assert torch.equal(token_states(encoder.frozen(), rows, mask), direct)


def test_distilbert_has_no_segments(tmp_path: Path):
    config = DistilBertConfig(vocab_size=len(VOCABULARY), dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    model = DistilBertModel(config)
    model.save_pretrained(tmp_path / "distilbert")
    tiny.tokenizer().save_pretrained(tmp_path / "distilbert")
    encoder = load_encoder(str(tmp_path / "distilbert"))
    assert encoder.hidden_size == 16
    (row,) = encoder.tokenize(["the"], ["oil"], 32)
    assert row.tolist() == [[CLS, 0], [THE, 0], [SEP, 0], [OIL, 0], [SEP, 0]]
    rows, mask = batch([row])
    direct = model.eval()(input_ids=rows[..., 0].long(), attention_mask=mask.long()).last_hidden_state
    assert torch.equal(token_states(encoder.frozen(), rows, mask), direct)


def test_model_gives_new_copies_and_frozen_one_shared_copy(bert: Path):
    for name in ("tiny", str(bert)):
        encoder = load_encoder(name)
        one, other = encoder.model(), encoder.model()
        assert one is not other
        assert all(p.requires_grad and p.dtype == torch.float32 for p in one.parameters())
        with torch.no_grad():
            next(one.parameters()).zero_()
        assert next(other.parameters()).any()
        assert encoder.frozen() is encoder.frozen()
        assert not encoder.frozen().training
        assert not any(p.requires_grad for p in encoder.frozen().parameters())
        assert all(
            torch.equal(a, b) for a, b in zip(other.parameters(), encoder.frozen().parameters(), strict=True)
        )


def test_tiny_is_the_same_whatever_the_global_seed_and_leaves_it_alone():
    copies = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.get_rng_state()
        copies.append(load_encoder("tiny"))
        copies[-1].frozen()
        assert torch.equal(torch.get_rng_state(), state)
    one, other = (encoder.frozen().state_dict() for encoder in copies)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert copies[0].fingerprint == copies[1].fingerprint
    assert sum(name.endswith("LayerNorm.weight") for name in one) == 5
    assert one["encoder.layer.0.output.dense.weight"].std() == pytest.approx(32**-0.5, rel=0.05)
