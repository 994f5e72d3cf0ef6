"""Frozen features: what is in them, how often they are made and what they are said to cost."""

import random
import time
from collections import Counter

import numpy as np
import pytest
import torch

import clbench.models.feature_cache
from clbench.core.batch import pad
from clbench.core.costs import Cost
from clbench.core.device import resolve_dtype
from clbench.core.errors import UserError
from clbench.core.io import cache_budget
from clbench.models.encoder import TextEncoder, load_encoder, token_states
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix

LIMIT = 40
WORDS = "the market of oil and a question about one function that would return the best price in time"


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny")


def make_texts() -> tuple[list[str], list[str | None]]:
    """26 different texts of 3 to more than ``LIMIT`` tokens, some of exactly 16 and 32, and four pairs."""
    words = WORDS.split() * 3
    sizes = (*range(1, 18), 30, 30, 30, 45)
    texts = [" ".join(words[at % 5 : at % 5 + size]) for at, size in enumerate(sizes)]
    pairs = {"a question": "one", "another": "two", texts[9]: texts[8], texts[19]: texts[20]}
    return [*texts, "the only", *pairs], [*[None] * len(texts), None, *pairs.values()]


TEXTS, PAIRS = make_texts()


EVERY = range(len(TEXTS))


def ask(cache, encoder, prefix, at=EVERY, limit=LIMIT):
    return cache.features(encoder, [TEXTS[i] for i in at], [PAIRS[i] for i in at], limit, prefix)[0]


def expected(encoder, pooling: str) -> list[np.ndarray]:
    """Each text through the model alone."""
    out = []
    for tokens in encoder.tokenize(TEXTS, PAIRS, LIMIT):
        rows, mask = pad([tokens])
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
    """Kernels may round in another way for each shape of their input; here they hardly do."""
    original = TextEncoder.frozen_states

    def rounding(self, rows, mask):
        return original(self, rows, mask) + 1e-4 * len(rows) + 1e-2 * rows.shape[1]

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


def twice(states: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Every second row of each text, doubled."""
    parts = [part[::2] * 2 for part in states.split(lengths.tolist())]
    return torch.cat(parts), torch.tensor([len(part) for part in parts])


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


# -- costs ---------------------------------------------------------------------------------------------


def test_seconds_count_each_text_once_and_are_the_recorded_ones_when_nothing_is_computed(encoder, tmp_path):
    selections = FrozenPrefix("states", twice, "twice")

    def requests(cache, at) -> float:
        for prefix in (
            selections,
            FrozenPrefix("states"),
            FrozenPrefix("mean"),
            selections,
            FrozenPrefix("cls"),
        ):
            ask(cache, encoder, prefix, [*at, *at])
        return cache.spent.seconds

    cold = FeatureCache(tmp_path, progress=False)
    assert cold.spent == Cost()
    started = time.perf_counter()
    total = requests(cold, EVERY)
    assert total < time.perf_counter() - started
    assert requests(cold, EVERY) == total > 0
    warm = FeatureCache(tmp_path, progress=False)
    assert requests(warm, EVERY) == pytest.approx(total, abs=1e-9)
    assert warm.texts_encoded == 0
    shares = [requests(FeatureCache(tmp_path, progress=False), [at]) for at in EVERY]
    assert min(shares) > 0
    assert sum(shares) == pytest.approx(total, abs=1e-9)
    encoding = FeatureCache(tmp_path, progress=False)
    ask(encoding, encoder, FrozenPrefix("states"))
    assert 0 < encoding.spent.seconds < total  # what follows the encoder has a cost of its own


def test_seconds_are_the_recorded_ones_when_poolings_were_encoded_one_after_the_other(encoder, tmp_path):
    def requests(pooling: str) -> float:
        cache = FeatureCache(tmp_path, progress=False)
        for each, at in (("mean", EVERY[::2]), ("states", EVERY), (pooling, EVERY)):
            ask(cache, encoder, FrozenPrefix(each), at)
        return cache.spent.seconds

    cold = requests("mean")
    assert [requests("mean"), requests("cls")] == pytest.approx([cold, cold], abs=1e-9)
    assert requests("states") != pytest.approx(cold, abs=1e-9)  # another pass, another duration
    for folder in tmp_path.glob("*-*"):
        keys = [key.tobytes() for path in folder.glob("shard-*/keys.npy") for key in np.load(path)]
        assert len(keys) == len(set(keys))  # no text is kept twice


def test_seconds_include_the_rows_that_went_into_tensors_that_are_read(encoder, tmp_path):
    def requests() -> float:
        cache = FeatureCache(tmp_path, progress=False)

        def make():
            return {
                "x": torch.from_numpy(np.concatenate(ask(cache, encoder, FrozenPrefix("states"), range(9))))
            }, Cost(1.0)

        cache.tensors("mean state", make)
        ask(cache, encoder, FrozenPrefix("mean"), range(6, 12))
        return cache.spent.seconds

    cold = requests()
    assert requests() == pytest.approx(cold, abs=1e-9)
    every = FeatureCache(tmp_path, progress=False)
    ask(every, encoder, FrozenPrefix("mean"), range(12))
    assert every.spent.seconds == pytest.approx(cold, abs=1e-9)
    assert every.texts_encoded == 0


def test_tensors_are_made_once_and_come_back_with_their_cost(tmp_path):
    calls = []

    def make():
        calls.append(1)
        strided = torch.arange(12.0).view(3, 4).T
        return {"keys": strided, "counts": torch.tensor([1, 2])}, Cost(1.25 + len(calls), 7, 9)

    cache = FeatureCache(tmp_path, progress=False)
    for each in (cache, cache, FeatureCache(tmp_path, progress=False)):
        tensors, cost = each.tensors("some keys", make)
        assert torch.equal(tensors["keys"], torch.arange(12.0).view(3, 4).T)
        assert torch.equal(tensors["counts"], torch.tensor([1, 2]))
        assert cost == Cost(2.25, 7, 9)
    assert len(calls) == 1
    assert cache.tensors("other keys", make)[1] == Cost(3.25, 7, 9)


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
    assert resolve_dtype("auto") == load_encoder("tiny", "auto").dtype == dtype
    assert resolve_dtype("float32") == torch.float32
    assert resolve_dtype("bfloat16") == torch.bfloat16


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
