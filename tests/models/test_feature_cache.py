"""Frozen features: what is in them, how often they are computed, their precision."""

import random
from collections import Counter

import numpy as np
import pytest
import torch
from support.feature_texts import EVERY, LIMIT, PAIRS, TEXTS, ask, twice

import clbench.models.feature_cache
from clbench.core.batch import pack, padded
from clbench.core.device import resolve_precision
from clbench.core.errors import UserError
from clbench.core.io import cache_budget
from clbench.models.encoder import TextEncoder, load_encoder, token_states
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix


def expected(encoder, pooling: str) -> list[np.ndarray]:
    """Each text through the model alone."""
    out = []
    for tokens in encoder.tokenize(TEXTS, PAIRS, LIMIT):
        rows, mask = padded(*pack([tokens]))
        if pooling == "padded":
            rows = torch.nn.functional.pad(rows, (0, 0, 0, LIMIT - len(tokens)))
            mask = torch.nn.functional.pad(mask, (0, LIMIT - len(tokens)))
        with torch.no_grad():
            states = token_states(encoder.frozen(), rows, mask)[0].float().numpy()
        out.append({"mean": states.mean(0, keepdims=True), "cls": states[:1]}.get(pooling, states))
    return out


def same(first, second) -> bool:
    """Bit for bit."""
    return len(first) == len(second) and all(
        a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
        for a, b in zip(first, second, strict=True)
    )


def test_the_texts_here_cover_whole_steps_of_length_and_the_limit(encoder):
    lengths = {len(tokens) for tokens in encoder.tokenize(TEXTS, PAIRS, LIMIT)}
    assert {16, 32, LIMIT} <= lengths
    assert len(set(zip(TEXTS, PAIRS, strict=True))) == len(TEXTS)


@pytest.mark.parametrize("pooling", ["states", "mean", "cls", "padded"])
def test_features_are_the_states_of_the_encoder(pooling, encoder, tmp_path):
    rows = ask(FeatureCache(tmp_path, progress=False), encoder, FrozenPrefix(pooling))
    for own, wanted in zip(rows, expected(encoder, pooling), strict=True):
        np.testing.assert_allclose(own, wanted, atol=1e-5, rtol=0)
    if pooling == "padded":
        assert (rows.lengths == LIMIT).all()


@pytest.fixture(params=["as here", "by shape"])
def _rounding(request, monkeypatch):
    """Kernels may round in another way for each shape and without a mask; here they hardly do."""
    original = TextEncoder.frozen_states

    def rounding(self, rows, mask):
        shape = 1e-4 * len(rows) + 1e-2 * rows.shape[1] + mask.all()
        return original(self, rows, mask) + shape

    if request.param == "by shape":
        monkeypatch.setattr(TextEncoder, "frozen_states", rounding)


@pytest.mark.usefixtures("_rounding")
@pytest.mark.parametrize("pooling", ["states", "mean", "cls", "padded"])
def test_features_are_the_same_bits_in_any_company_in_any_order_on_any_number_of_threads(
    pooling, encoder, tmp_path
):
    wanted = ask(FeatureCache(tmp_path / "all", progress=False), encoder, FrozenPrefix(pooling))
    draw = random.Random(0)
    for attempt in range(3):
        torch.set_num_threads((1, 2, 1)[attempt])
        cache = FeatureCache(tmp_path / str(attempt), progress=False)
        some = draw.sample(range(len(TEXTS)), (7, 12, len(TEXTS))[attempt])
        ask(cache, encoder, FrozenPrefix(pooling), some[::2])
        assert same(ask(cache, encoder, FrozenPrefix(pooling), some), [wanted[i] for i in some])
    alone = FeatureCache(tmp_path / "alone", progress=False)
    assert all(same(ask(alone, encoder, FrozenPrefix(pooling), [i]), [wanted[i]]) for i in EVERY[::7])


def test_a_text_is_encoded_once_and_its_mean_and_first_state_need_no_further_pass(encoder, tmp_path):
    cache = FeatureCache(tmp_path, progress=False)
    ask(cache, encoder, FrozenPrefix("states"), [*range(len(TEXTS)), 3, 3])
    ask(cache, encoder, FrozenPrefix("states"), [5, 4])
    assert cache.texts_encoded == len(TEXTS)
    for later in (cache, FeatureCache(tmp_path, progress=False)):
        encoded = later.texts_encoded
        for pooling in ("mean", "cls", "states"):
            rows = ask(later, encoder, FrozenPrefix(pooling))
            for own, wanted in zip(rows, expected(encoder, pooling), strict=True):
                np.testing.assert_allclose(own, wanted, atol=1e-5, rtol=0)
        assert later.texts_encoded == encoded
    ask(cache, encoder, FrozenPrefix("padded"))
    assert cache.texts_encoded == 2 * len(TEXTS)  # another input, with other states


def test_another_length_limit_has_features_of_its_own(encoder, tmp_path):
    cache = FeatureCache(tmp_path, progress=False)
    ask(cache, encoder, FrozenPrefix("states"))
    short = ask(cache, encoder, FrozenPrefix("states"), limit=8)
    assert short.lengths.max() == 8
    assert same(
        short, ask(FeatureCache(tmp_path / "new", progress=False), encoder, FrozenPrefix("states"), limit=8)
    )


# -- what comes after the encoder ----------------------------------------------------------------------


def sums(states: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As many rows as the text has, of integers."""
    return (states[:, :2] > 0).int(), lengths


def test_what_follows_the_encoder_is_applied_once_per_text_and_kept_under_its_address(
    encoder, tmp_path, monkeypatch
):
    monkeypatch.setattr(clbench.models.feature_cache, "ROWS_AT_ONCE", 50)  # several calls
    states = ask(FeatureCache(tmp_path / "states", progress=False), encoder, FrozenPrefix("states"))
    texts = Counter()

    def counting(function):
        def call(rows, lengths):
            texts[function.__name__] += len(lengths)
            return function(rows, lengths)

        return call

    cache = FeatureCache(tmp_path / "kept", progress=False)
    for each in (cache, cache, FeatureCache(tmp_path / "kept", progress=False)):
        for function in (twice, sums):
            prefix = FrozenPrefix("states", counting(function), function.__name__)
            ask(each, encoder, prefix, [4, 4, 2])
            by_hand = [
                function(torch.from_numpy(np.array(own)), torch.tensor([len(own)]))[0].numpy()
                for own in states
            ]
            assert same(ask(each, encoder, prefix), by_hand)
    # And once more for a shortest and a longest text of each of two requests, to count what it takes.
    assert texts == {"twice": len(TEXTS) + 4, "sums": len(TEXTS) + 4}
    assert cache.texts_encoded == len(TEXTS)
    assert {len(own) for own in by_hand} == set(states.lengths)


# -- precision and budget ------------------------------------------------------------------------------


def test_features_in_bfloat16_are_close_to_float32_and_kept_apart_from_them(encoder, tmp_path):
    short = load_encoder("tiny", "bfloat16")
    cache = FeatureCache(tmp_path, progress=False)
    for pooling in ("states", "mean", "cls"):
        first, second = (ask(cache, each, FrozenPrefix(pooling)) for each in (encoder, short))
        for a, b in zip(first, second, strict=True):
            assert b.dtype == np.float32
            assert 0 < np.linalg.norm(a - b) < 5e-2 * np.linalg.norm(a)
    assert cache.texts_encoded == 2 * len(TEXTS)
    assert {parameter.dtype for parameter in short.frozen().parameters()} == {torch.bfloat16}
    own, other = short.model().state_dict(), encoder.model().state_dict()
    assert all(own[name].dtype == torch.float32 and torch.equal(own[name], other[name]) for name in other)


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"amx_bf16": False, "avx512_bf16": False, "avx512_f": True, "avx2": True}, torch.float32),
        ({"architecture": "aarch64"}, torch.float32),
    ],
)
def test_auto_is_bfloat16_where_the_processor_has_instructions_for_it(capabilities, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert resolve_precision("auto") == load_encoder("tiny", "auto").dtype == dtype
    assert resolve_precision("float32") == torch.float32
    assert resolve_precision("bfloat16") == torch.bfloat16


def test_the_budget_is_a_number_of_gigabytes(monkeypatch):
    monkeypatch.delenv("CLBENCH_CACHE_GB", raising=False)
    assert cache_budget() == 20 * 10**9
    monkeypatch.setenv("CLBENCH_CACHE_GB", "0.5")
    assert cache_budget() == 5 * 10**8
    for wrong in ("lots", "1GB", "nan", "inf"):
        monkeypatch.setenv("CLBENCH_CACHE_GB", wrong)
        with pytest.raises(UserError, match=f"CLBENCH_CACHE_GB.*'{wrong}'") as error:
            cache_budget()
        assert "\n" not in str(error.value)
