"""Processes that need the same texts share the work in parts, and report their progress."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock, Timeout

import clbench.models.feature_parts
from clbench.core.costs import Cost
from clbench.models.cache_files import Warned
from clbench.models.encoder import load_encoder
from clbench.models.feature_cache import FeatureCache
from clbench.models.feature_costs import Asked
from clbench.models.feature_parts import Progress, make_missing
from clbench.models.feature_store import SLOTS, Held, Store
from clbench.models.frozen_prefix import FrozenPrefix

TEXTS = [f"text {at} of {'the market ' * (at % 5)}in a list" for at in range(600)]
KEYS = [bytes([at]) + bytes(15) for at in range(256)]
_barrier = None


def _start_worker(barrier) -> None:
    global _barrier
    _barrier = barrier
    torch.set_num_threads(1)
    clbench.models.feature_parts.PART_TEXTS = 64
    load_encoder("tiny").frozen()


def firsts(rows, lengths):
    return rows[:, :3].contiguous(), lengths


def _fill(folder: Path, prefix: FrozenPrefix) -> tuple[list[np.ndarray], int, float]:
    cache = FeatureCache(folder, progress=False)
    _barrier.wait(60)
    rows, _ = cache.features(load_encoder("tiny"), TEXTS, [None] * len(TEXTS), 32, prefix)
    return [np.array(own) for own in rows], cache.texts_encoded, cache.spent.seconds


@pytest.mark.parametrize("prefix", [FrozenPrefix("states"), FrozenPrefix("states", firsts, "firsts")])
def test_two_processes_encode_each_text_once_and_get_equal_rows(prefix, tmp_path):
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, context, _start_worker, (context.Barrier(2),)) as pool:
        jobs = [pool.submit(_fill, tmp_path / "both", prefix) for _ in range(2)]
        (first, some, spent), (second, others, also_spent) = (job.result(120) for job in jobs)
    assert some + others == len(TEXTS)
    assert min(some, others) > 0
    assert spent == also_spent
    cache = FeatureCache(tmp_path / "alone", progress=False)
    alone, _ = cache.features(load_encoder("tiny"), TEXTS, [None] * len(TEXTS), 32, prefix)
    assert len(first) == len(second) == len(alone)
    assert all(
        a.tobytes() == b.tobytes() == c.tobytes() for a, b, c in zip(first, second, alone, strict=True)
    )
    keys = [
        key.tobytes() for path in tmp_path.glob("both/*-states/shard-*/keys.npy") for key in np.load(path)
    ]
    assert len(keys) == len(set(keys)) == len(TEXTS)


def write(store: Store, keys: list[bytes], held: Held) -> None:
    store.write(keys, np.ones((len(keys), 2)), np.ones(len(keys), np.int64), np.ones((len(keys), 2, 2)), held)


@pytest.mark.parametrize(("least", "parts"), [(1, 16), (16, 16), (50, 5), (64, 4), (256, 1), (1000, 1)])
def test_parts_are_few_and_cover_each_text_once_under_the_locks_of_its_slot(
    least, parts, tmp_path, monkeypatch
):
    monkeypatch.setattr(clbench.models.feature_parts, "PART_TEXTS", least)
    store, made = Store(tmp_path / "a", tmp_path / "a", Warned(tmp_path)), []

    def make(places, held):
        assert {Store.slot(KEYS[at]) for at in places} <= set(held.slots)
        for slot in held.slots:
            with pytest.raises(Timeout):
                FileLock(store.lock(slot, "r8")).acquire(blocking=False)
            FileLock(store.lock(slot, "r52")).acquire(blocking=False).lock.release()
        made.append(places)
        write(store, [KEYS[at] for at in places], held)

    with Progress("x", 256, bar=False, report=None) as progress:
        make_missing(store, KEYS, "r8", make, progress)
    assert len(made) == parts
    assert sorted(at for places in made for at in places) == list(range(256))


def test_what_another_process_holds_comes_last_and_is_not_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(clbench.models.feature_parts, "PART_TEXTS", 16)
    store, other = (Store(tmp_path / "a", tmp_path / "a", Warned(tmp_path)) for _ in range(2))
    held, made, told = FileLock(store.lock(0, "r8")), [], []
    held.acquire()

    def make(places, locks):
        made.append(locks.slots[0])
        write(store, [KEYS[at] for at in places], locks)
        if locks.slots[0] == 15:
            write(other, KEYS[:10], Held("r8", range(1)))
            held.release()

    with Progress("x", 256, bar=False, report=lambda *line: told.append(line)) as progress:
        make_missing(store, KEYS, "r8", make, progress)
    assert made == [*range(1, 16), 0]
    assert told[-1][1] <= 256
    assert not store.missing(KEYS)
    assert len(store) == 256


def test_an_error_in_a_part_frees_its_locks(tmp_path):
    store = Store(tmp_path / "a", tmp_path / "a", Warned(tmp_path))
    with pytest.raises(ZeroDivisionError), Progress("x", 256, bar=False, report=None) as progress:
        make_missing(store, KEYS, "r8", lambda *_: 1 / 0, progress)
    for slot in range(SLOTS):
        FileLock(store.lock(slot, "r8")).acquire(blocking=False).lock.release()


def test_progress_is_reported_a_few_times_per_second_and_at_the_end(tmp_path):
    told = []
    cache = FeatureCache(tmp_path, progress=False, on_progress=lambda *line: told.append(line))
    started = time.monotonic()
    texts = [f"{text} again" for text in TEXTS]
    cache.features(load_encoder("tiny"), texts, [None] * 600, 32, FrozenPrefix("states", firsts, "firsts"))
    seconds = time.monotonic() - started
    assert ("encoding with tiny", 600, 600) in told
    assert told[-1] == ("selecting keys", 600, 600)
    assert len(told) <= 4 + seconds / clbench.models.feature_parts.REPORT_SECONDS
    assert [line[1] for line in told if line[0] == told[0][0]] == sorted(
        line[1] for line in told if line[0] == told[0][0]
    )
    told.clear()
    cache.features(load_encoder("tiny"), texts, [None] * 600, 32, FrozenPrefix("mean"))
    assert not told  # nothing to do


def test_what_was_asked_for_survives_as_text_and_counts_each_text_once():
    asked = Asked()
    asked.add("a", [KEYS[1], KEYS[0], KEYS[1]], np.array([[1.0, 5], [0.1, 2**50 + 1], [2.0, 7]]))
    asked.add("b", [KEYS[1]], np.array([[4.0, 1]]))
    asked.add("a", [], np.zeros((0, 2)))
    assert asked.total() == Cost(6.1, 2**50 + 1 + 8)
    again = Asked.from_text(asked.to_text())
    assert again.total() == asked.total()
    again.update(asked)
    assert again.total() == asked.total()
    again.add("a", [KEYS[0]], np.array([[0.5, 3]]))
    assert again.total() == Cost(6.5, 11)
    assert Asked.from_text(Asked().to_text()).total() == Cost()
