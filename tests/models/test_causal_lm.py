"""Language models: loading, the frozen predictions, bytes of tokens."""

import math

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from clbench.core.errors import UserError
from clbench.models import tiny_lm
from clbench.models.causal_lm import LanguageModel, load_language_model
from clbench.models.encoder import load_encoder
from clbench.models.frozen_prefix import FrozenPrefix, encode

TEXTS = ["the price of oil", "a café, naïve \N{OIL DRUM}", "x"]


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return load_language_model("tiny-lm")


def test_predictions_are_the_state_the_next_token_and_its_log_probability(model):
    tokens = model.tokenize(TEXTS, [None] * 3, 12)
    found = {}
    for part in encode(model, tokens, ("predictions",)):
        rows, lengths = part.rows["predictions"]
        found |= dict(zip(part.places.tolist(), np.split(rows, lengths.cumsum()[:-1]), strict=True))
    whole = tiny_lm.language_model()
    for at, own in enumerate(tokens):
        ids = torch.tensor(own[:, 0]).long()
        assert found[at].shape == (len(ids) - 1, tiny_lm.HIDDEN_SIZE + 2)
        for place in range(len(ids) - 1):  # one token at a time, by transformers alone
            logits = whole(input_ids=ids[None, : place + 1]).logits[0, -1]
            expected = float(logits[ids[place + 1]] - logits.exp().sum().log())
            assert found[at][place, -2] == ids[place + 1]
            assert math.isclose(found[at][place, -1], expected, abs_tol=1e-4)
            assert np.allclose(
                model.output(torch.from_numpy(found[at][place, :-2])), logits.detach(), atol=1e-4
            )


def test_the_mean_agrees_with_the_loss_of_transformers(model):
    ids = torch.tensor(model.tokenize(TEXTS[:1], [None], 64)[0][:, 0]).long()[None]
    rows = next(encode(model, model.tokenize(TEXTS[:1], [None], 64), ("predictions",))).rows["predictions"][0]
    loss = float(tiny_lm.language_model()(input_ids=ids, labels=ids).loss)
    assert math.isclose(-rows[:, -1].mean(), loss, abs_tol=1e-5)


def test_bytes_of_tokens_add_up_to_those_of_the_text(model):
    for text in TEXTS:
        ids = model.tokenize([text], [None], 64)[0][:, 0]
        assert int(model.token_bytes[ids].sum()) == len(text.encode())
        assert model.decoded(ids) == text


def test_the_prefix_without_a_cache_gives_the_same(model):
    from clbench.core.batch import Batch, pack

    tokens = model.tokenize(TEXTS, [None] * 3, 12)
    rows, lengths = pack(list(tokens))
    none = torch.zeros(3, dtype=torch.int64)
    batch = Batch(rows, lengths, none, torch.ones(3, 1, dtype=torch.bool), none, encoded=False)
    found = FrozenPrefix("predictions")(model, batch, 12)
    assert found.lengths.tolist() == [len(each) - 1 for each in tokens]
    expected = np.concatenate(
        [
            rows
            for part in encode(model, tokens.select([0]), ("predictions",))
            for rows in [part.rows["predictions"][0]]
        ]
    )
    assert np.allclose(found.rows[: len(expected)], expected, atol=1e-4)


def test_it_serves_as_an_encoder(model):
    encoder = load_encoder("tiny-lm")
    rows = torch.tensor(encoder.tokenize(TEXTS[:1], [None], 64)[0])[None]
    mask = torch.ones(rows.shape[:2], dtype=torch.bool)
    assert torch.equal(encoder.frozen_states(rows, mask), model.frozen_states(rows, mask))
    assert encoder.fingerprint == model.fingerprint


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_directory_of_any_decoder(tmp_path, kind, tied):
    size = len(tiny_lm.vocabulary())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "llama":
            made = LlamaForCausalLM(
                LlamaConfig(vocab_size=size, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                            intermediate_size=32, max_position_embeddings=64, tie_word_embeddings=tied)
            ).eval()  # fmt: skip
        else:
            made = GPT2LMHeadModel(
                GPT2Config(
                    vocab_size=size, n_embd=16, n_layer=1, n_head=2, n_positions=64, tie_word_embeddings=tied
                )
            ).eval()
    made.save_pretrained(tmp_path)
    tiny_lm.tokenizer().save_pretrained(tmp_path)
    model = load_language_model(str(tmp_path))
    ids = torch.tensor(model.tokenize(TEXTS[:1], [None], 64)[0])[None]
    states = model.frozen_states(ids, torch.ones(ids.shape[:2], dtype=torch.bool))
    assert torch.allclose(model.output(states), made(input_ids=ids[..., 0].long()).logits, atol=1e-5)


def test_what_is_no_language_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="'tiny' is no language model"):
        load_language_model("tiny")
    with pytest.raises(UserError, match="'tiny' is no language model"):
        next(encode(load_encoder("tiny"), load_encoder("tiny").tokenize(["a"], [None], 8), ("predictions",)))
    from clbench.models import tiny

    tiny.model().save_pretrained(tmp_path)
    tiny.tokenizer().save_pretrained(tmp_path)
    with pytest.raises(UserError, match="is no language model: type 'bert'"):
        load_language_model(str(tmp_path))
