"""The feature cache on disk: its budget, interrupted writers and broken files."""

import multiprocessing
import os
import resource
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch

import clbench.models.feature_cache
import clbench.models.feature_store
import clbench.models.frozen_prefix
from clbench.core.costs import Cost
from clbench.models.cache_files import Warned
from clbench.models.encoder import TextEncoder, load_encoder
from clbench.models.feature_budget import Budget
from clbench.models.feature_cache import FeatureCache
from clbench.models.feature_store import Held, Store
from clbench.models.frozen_prefix import FrozenPrefix, encode

TEXTS = [f"text {at} of {'the market ' * (at % 4)}in a list" for at in range(45)]
EVERY = range(len(TEXTS))
LIMIT = 32


@pytest.fixture(scope="module")
def states(encoder):
    """The states of all texts, never cached."""
    return encoded(encoder)


@pytest.fixture
def _small_shards(monkeypatch):
    """One text of 32 tokens per batch; shards of three or four texts."""
    monkeypatch.setattr(clbench.models.frozen_prefix, "TOKENS_PER_BATCH", {"cpu": 32, "cuda": 32})
    monkeypatch.setattr(clbench.models.feature_store, "SHARD_BYTES", 8 << 10)


def encoded(encoder) -> list[np.ndarray]:
    tokens = encoder.tokenize(TEXTS, [None] * len(TEXTS), LIMIT)
    found = {}
    for batch in encode(encoder, tokens):
        rows, lengths = batch.rows["states"]
        found.update(zip(batch.places.tolist(), np.split(rows, np.cumsum(lengths)[:-1]), strict=True))
    return [found[at] for at in range(len(TEXTS))]


def ask(cache, encoder, at=EVERY, prefix=FrozenPrefix("states")):  # noqa: B008 - frozen
    return cache.features(encoder, [TEXTS[i] for i in at], [None] * len(at), LIMIT, prefix)[0]


def same(rows, states, at=EVERY) -> bool:
    return len(rows) == len(at) and all(
        np.array_equal(own, states[i]) for own, i in zip(rows, at, strict=True)
    )


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*/*/*"))


def shards(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/shard-*"))


def leftovers(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/.*"))


# -- budget --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small_shards")
@pytest.mark.parametrize("budget", [30_000, 100_000])
def test_bytes_on_disk_are_within_the_budget_after_any_request(budget, encoder, states, tmp_path):
    cache = FeatureCache(tmp_path, budget=Budget(tmp_path, budget), progress=False)
    taken = []
    for at in (range(5), range(20), range(30, 45), range(45), range(3, 9)):
        rows = ask(cache, encoder, at)
        taken.append((rows, at))
        assert size(tmp_path) <= budget
        ask(cache, encoder, at, FrozenPrefix("states", lambda rows, lengths: (rows[:, :3], lengths), "three"))
        assert size(tmp_path) <= budget
        cache.tensors(f"some {at}", lambda: ({"x": torch.zeros(1000)}, Cost(1.0)))
        assert size(tmp_path) <= budget
    assert size(tmp_path) > budget / 2  # no more is evicted than must be
    assert cache.texts_encoded == len(TEXTS)
    assert all(same(rows, states, at) for rows, at in taken)  # taken before they were evicted
    assert same(ask(FeatureCache(tmp_path, budget=Budget(tmp_path, budget), progress=False), encoder), states)
    assert size(tmp_path) <= budget
    assert not leftovers(tmp_path)


@pytest.mark.usefixtures("_small_shards")
def test_the_files_are_looked_at_only_when_the_room_may_be_used_up(encoder, tmp_path, monkeypatch):
    looks, found = [], Budget._found
    monkeypatch.setattr(Budget, "_found", lambda self: looks.append(self) or found(self))
    counts = []
    for budget in (10**9, 30_000):
        folder = tmp_path / str(budget)
        cache = FeatureCache(folder, budget=Budget(folder, budget), progress=False)
        for at in EVERY:
            ask(cache, encoder, [at])
        counts.append(len(looks))
    assert counts[0] == 1
    assert counts[1] > 2


@pytest.mark.usefixtures("_small_shards")
def test_a_request_beyond_the_budget_is_served_in_full_and_nothing_stays(encoder, states, tmp_path):
    for _ in range(2):
        cache = FeatureCache(tmp_path, budget=Budget(tmp_path, 1), progress=False)
        rows = ask(cache, encoder)
        assert shards(tmp_path) == []
        assert same(rows, states)
        assert same(ask(cache, encoder), states)
        assert cache.texts_encoded == len(TEXTS)
        assert cache.tensors("x", lambda: ({"x": torch.ones(3)}, Cost(2.0)))[1] == Cost(2.0)
        assert shards(tmp_path) == []


def test_all_that_is_in_the_cache_counts_and_old_versions_go_first(encoder, tmp_path):
    folder, old = tmp_path / "features-9", tmp_path / "features-1" / "tiny" / "shard-0"
    ask(FeatureCache(folder, progress=False), encoder)
    kept = size(folder)
    for path in (tmp_path / "pydocs" / "table", old / "values.npy", tmp_path / "pydocs" / ".being-written"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(1000))
    os.utime(old, (1000, 1000))
    for budget, olds, features in ((kept + 2000, 1, kept), (kept + 1999, 0, kept), (1000, 0, 0)):
        cache = FeatureCache(folder, budget=Budget(folder, budget, tmp_path), progress=False)
        cache.features(encoder, [], [], LIMIT, FrozenPrefix("states"))
        assert [len(shards(old.parents[1])), size(folder)] == [olds, features]
    assert (tmp_path / "pydocs" / "table").exists()


def test_the_least_recently_used_go_first_and_are_made_again(encoder, tmp_path):
    padded = FrozenPrefix("padded")  # texts of equal size in one store: one shard per request
    cache = FeatureCache(tmp_path, progress=False)
    kept = {}
    for at in range(4):
        before = shards(tmp_path)
        kept[at] = ask(cache, encoder, [at], padded)[0].copy()
        (new,) = set(shards(tmp_path)) - set(before)
        os.utime(new, (1000 + at, 1000 + at))
    cache.tensors("old", lambda: ({"x": torch.zeros(3)}, Cost(1.0)))
    (tensors,) = tmp_path.glob("made/shard-*")
    os.utime(tensors, (1002.5, 1002.5))  # between texts 2 and 3
    later = FeatureCache(tmp_path, budget=Budget(tmp_path, size(tmp_path)), progress=False)
    rows = ask(later, encoder, [1, 0], padded)  # text 2 is now the oldest, then the tensors
    ask(later, encoder, [4], padded)
    assert len(shards(tmp_path)) == 5
    later.tensors("old", lambda: pytest.fail("made again"))  # text 3 is now the oldest
    ask(later, encoder, [5], padded)
    assert later.texts_encoded == 2
    for at, encodes in ((0, 0), (1, 0), (4, 0), (5, 0), (2, 1), (3, 1)):
        last = FeatureCache(tmp_path, progress=False)
        assert np.array_equal(ask(last, encoder, [at], padded)[0], kept.get(at, rows[0])) or at > 3
        assert last.texts_encoded == encodes
    os.utime(tensors, (1000, 1000))
    least = Budget(tmp_path, size(tmp_path) - 1)
    FeatureCache(tmp_path, budget=least, progress=False).features(encoder, [], [], LIMIT, padded)
    assert not tensors.exists()
    assert np.array_equal(rows[0], kept[1])
    assert np.array_equal(rows[1], kept[0])


def test_shards_that_cannot_be_opened_for_want_of_file_handles_are_not_removed(tmp_path):
    store = Store(tmp_path / "a", tmp_path / "a", Warned(tmp_path))
    keys = [at.to_bytes(16) for at in range(40)]
    for key in keys:
        store.write([key], np.ones((2, 2), np.float32), np.array([2]), np.ones((1, 2, 2)), Held("", range(1)))
    free = os.dup(0)
    os.close(free)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 20, limits[1]))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            Store(tmp_path / "a", tmp_path / "a", Warned(tmp_path)).missing(keys)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert not Store(tmp_path / "a", tmp_path / "a", Warned(tmp_path)).missing(keys)


# -- interruption --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_small_shards")
def test_an_error_in_the_middle_of_a_fill_keeps_whole_shards_only(encoder, states, tmp_path, monkeypatch):
    calls = []

    def failing(self, rows, mask):
        calls.append(1)
        if len(calls) == 19:
            raise MemoryError
        return original(self, rows, mask)

    original = TextEncoder.frozen_states
    monkeypatch.setattr(TextEncoder, "frozen_states", failing)
    cache = FeatureCache(tmp_path, progress=False)
    with pytest.raises(MemoryError):
        ask(cache, encoder)
    monkeypatch.setattr(TextEncoder, "frozen_states", original)
    assert not leftovers(tmp_path)
    saved = sum(len(np.load(shard / "keys.npy")) for shard in (tmp_path).glob("*-states/shard-*"))
    assert 0 < saved < cache.texts_encoded
    for later, encodes in ((FeatureCache(tmp_path, progress=False), len(TEXTS) - saved), (cache, 0)):
        before = later.texts_encoded
        assert same(ask(later, encoder), states)
        assert later.texts_encoded - before == encodes


def test_an_error_while_a_shard_is_written_leaves_nothing(encoder, states, tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, progress=False)
    monkeypatch.setattr("clbench.models.feature_store.np.save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        ask(cache, encoder)
    monkeypatch.undo()
    assert shards(tmp_path) == leftovers(tmp_path) == []
    fresh = FeatureCache(tmp_path, progress=False)
    assert same(ask(fresh, encoder), states)
    assert fresh.texts_encoded == len(TEXTS)


def _fill_and_die(folder: Path) -> None:
    rename, renamed = os.rename, []

    def dying(source, target):
        if renamed:
            os.kill(os.getpid(), signal.SIGKILL)
        renamed.append(rename(source, target))

    os.rename = dying
    clbench.models.feature_store.SHARD_BYTES = 16 << 10
    ask(FeatureCache(folder, progress=False), load_encoder("tiny"), prefix=FrozenPrefix("padded"))


def test_a_killed_writer_leaves_nothing_that_is_read_or_stays(encoder, tmp_path):
    padded = FrozenPrefix("padded")
    process = multiprocessing.get_context("spawn").Process(target=_fill_and_die, args=(tmp_path,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    assert len(shards(tmp_path)) == 1
    assert len(leftovers(tmp_path)) == 1
    saved = len(np.load(shards(tmp_path)[0] / "keys.npy"))
    assert 0 < saved < len(TEXTS)
    cache = FeatureCache(tmp_path, progress=False)
    rows = ask(cache, encoder, prefix=padded)
    assert cache.texts_encoded == len(TEXTS) - saved
    assert same(rows, ask(FeatureCache(tmp_path / "new", progress=False), encoder, prefix=padded))
    assert not list(tmp_path.glob("*/.partial-*"))


def test_tensors_that_were_never_finished_are_made_again(tmp_path, monkeypatch):
    cache = FeatureCache(tmp_path, progress=False)
    monkeypatch.setattr("clbench.models.cache_files.os.rename", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cache.tensors("x", lambda: ({"x": torch.ones(99)}, Cost(1.0)))
    monkeypatch.undo()
    assert not leftovers(tmp_path)
    cache.tensors("x", lambda: ({"x": torch.ones(99)}, Cost(2.0)))
    (shard,) = tmp_path.glob("made/shard-*")
    shard = shard.rename(shard.with_name(f".partial-{shard.name}-x"))  # as if killed there
    tensors, cost = cache.tensors("x", lambda: ({"x": torch.ones(9)}, Cost(4.0)))
    assert torch.equal(tensors["x"], torch.ones(9))
    assert cost == Cost(4.0)
    assert not shard.exists()


def test_what_a_killed_process_was_evicting_goes_with_the_next_eviction(encoder, states, tmp_path):
    cache = FeatureCache(tmp_path, progress=False)
    ask(cache, encoder)
    (shard,) = (tmp_path).glob("*-states/shard-*")
    shutil.copytree(shard, shard.with_name(f".evicted-{shard.name}-{os.getpid()}"))
    assert same(ask(FeatureCache(tmp_path, budget=Budget(tmp_path, 1), progress=False), encoder), states)
    assert shards(tmp_path) == leftovers(tmp_path) == []


# -- other processes -----------------------------------------------------------------------------------


def test_a_shard_that_another_process_evicts_at_once_is_still_served(encoder, states, tmp_path, monkeypatch):
    def losing(function, at):
        def call(*paths):
            if at == "after":
                function(*paths)
            shutil.rmtree(paths[-1], ignore_errors=True)
            if at == "before":
                function(*paths)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", losing(os.rename, "after"))
        cache = FeatureCache(tmp_path, progress=False)
        assert same(ask(cache, encoder), states)
        made = cache.tensors("x", lambda: ({"x": torch.ones(3)}, Cost(1.0)))
        assert torch.equal(made[0]["x"], torch.ones(3))
    ask(FeatureCache(tmp_path, progress=False), encoder)
    cache = FeatureCache(tmp_path, progress=False)
    monkeypatch.setattr(os, "utime", losing(os.utime, "before"))
    assert same(ask(cache, encoder), states)
