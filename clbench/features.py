"""Features of a frozen encoder, computed once per text and kept on disk.

What a frozen encoder makes of a text is a pure function of the text, the weights and the length limit.
Each text is therefore encoded once and its rows are read from then on, by any run of any process.

Texts are encoded in batches of a *fixed* shape for each length, so a text's features do not depend, bit
for bit, on the texts that share its batch, on what was cached before, or on who filled the cache: floating
point kernels choose their order of summation by the shape of their inputs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from filelock import FileLock
from tqdm import tqdm

from clbench.batch import masked_mean, pad
from clbench.encoder import TextEncoder, token_states

Pooling = Literal["states", "mean"]

LENGTH_STEP = 16
"""Texts are padded to a multiple of this many tokens."""
TOKENS_PER_BATCH = 1024
"""Tokens in one encoder batch, padding included."""
SHARD_BYTES = 256 << 20
"""Features are written to disk whenever this much has been computed."""


@dataclass(frozen=True)
class Rows(Sequence[np.ndarray]):
    """Ragged rows of n texts: text i is ``values[array[i]][start[i]:stop[i]]``.

    Attributes:
        values: Arrays (N, ...), memory-mapped where they come from disk.
        array: (n,) which of ``values`` a text is in.
        start: (n,) its first row.
        stop: (n,) one past its last row.
    """

    values: tuple[np.ndarray, ...]
    array: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    @classmethod
    def from_list(cls, rows: Sequence[np.ndarray]) -> Rows:
        """The given arrays, in memory."""
        stop = np.cumsum([len(row) for row in rows])
        start = np.concatenate([[0], stop[:-1]]).astype(np.int64)
        return cls((np.concatenate(rows),), np.zeros(len(rows), np.int64), start, stop)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return np.asarray(self.values[self.array[index]][self.start[index] : self.stop[index]])


class FeatureCache:
    """Frozen features on disk, addressed by content.

    Args:
        folder: Where to keep them. Each encoder, length limit and pooling has a folder of its own, with
            shards that appear under their final name only when they are complete.
        progress: Whether to show progress bars.
    """

    def __init__(self, folder: Path, *, progress: bool = True) -> None:
        self.folder = folder
        self.progress = progress
        self.texts_encoded = 0
        self._used: dict[tuple[Path, bytes], float] = {}
        self._stores: dict[Path, _Store] = {}

    def features(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        max_tokens: int,
        pooling: Pooling,
    ) -> Rows:
        """The features of ``texts``: token states (T, D) or their mean (1, D) per text, float32.

        Texts that were never encoded are encoded now; two processes that need the same ones wait for
        each other instead of doing the work twice.
        """
        keys = [_key(text, pair) for text, pair in zip(texts, pairs, strict=True)]
        store = self._store(encoder, max_tokens, pooling)
        if not store.holds(keys):
            with FileLock(str(store.folder) + ".lock"):
                store.refresh()
                missing = {key: at for at, key in enumerate(keys) if key not in store.places}
                if missing:
                    at = list(missing.values())
                    self._fill(encoder, [texts[i] for i in at], [pairs[i] for i in at], max_tokens, pooling)
                    store.refresh()
        self._used.update({(store.folder, key): store.places[key][3] for key in keys})
        return store.rows(keys)

    @property
    def seconds(self) -> float:
        """What encoding took, when it was done, for every text that this cache was asked for, once each."""
        return sum(self._used.values())

    def _store(self, encoder: TextEncoder, max_tokens: int, pooling: Pooling) -> _Store:
        folder = self.folder / f"{encoder.name}-{encoder.fingerprint[:16]}-{max_tokens}-{pooling}"
        if folder not in self._stores:
            self._stores[folder] = _Store(folder)
        return self._stores[folder]

    def _fill(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        max_tokens: int,
        pooling: Pooling,
    ) -> None:
        """Encodes texts and writes them shard by shard, token states with their means beside them."""
        poolings: tuple[Pooling, ...] = ("states", "mean") if pooling == "states" else ("mean",)
        stores = [self._store(encoder, max_tokens, each) for each in poolings]
        pending: list[tuple[bytes, np.ndarray, float]] = []
        size = 0

        def flush() -> None:
            for store in stores:
                store.write(
                    [key for key, _, _ in pending],
                    [states if "states" in store.folder.name else _mean(states) for _, states, _ in pending],
                    [seconds for _, _, seconds in pending],
                )
            pending.clear()

        tokens = encoder.tokenize(texts, pairs, max_tokens)
        bar = tqdm(total=len(texts), desc=f"encoding with {encoder.name}", unit="text", leave=False,
                   disable=not self.progress)  # fmt: skip
        for at, states, seconds in encode(encoder, tokens):
            pending.append((_key(texts[at], pairs[at]), states, seconds))
            size += states.nbytes
            self.texts_encoded += 1
            bar.update()
            if size >= SHARD_BYTES:
                flush()
                size = 0
        bar.close()
        if pending:
            flush()


def encode(encoder: TextEncoder, tokens: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray, float]]:
    """Encodes tokenized texts, shortest first, in batches of a fixed shape per length.

    Args:
        encoder: The frozen encoder.
        tokens: n arrays (T, 2) of token and segment ids.

    Yields:
        The position of a text, its token states (T, D) in float32, and its share of the seconds.
    """
    padded = [-(-len(rows) // LENGTH_STEP) * LENGTH_STEP for rows in tokens]
    for length in sorted(set(padded)):
        places = [at for at, size in enumerate(padded) if size == length]
        batch = max(1, TOKENS_PER_BATCH // length)
        for begin in range(0, len(places), batch):
            chosen = places[begin : begin + batch]
            started = time.perf_counter()
            # The last batch is filled up with copies: the shape decides the rounding.
            filled = chosen + [chosen[0]] * (batch - len(chosen))
            rows, mask = pad([tokens[at] for at in filled])
            rows = torch.nn.functional.pad(rows, (0, 0, 0, length - rows.shape[1]))
            mask = torch.nn.functional.pad(mask, (0, length - mask.shape[1]))
            with torch.inference_mode():
                states = token_states(encoder.frozen(), rows, mask).numpy()
            seconds = (time.perf_counter() - started) / len(chosen)
            for at, state in zip(chosen, states, strict=False):
                yield at, state[: len(tokens[at])].copy(), seconds


class _Store:
    """The shards of one encoder, length limit and pooling: ``values``, ``stop``, ``keys``, ``seconds``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.places: dict[bytes, tuple[int, int, int, float]] = {}  # key: array, start, stop, seconds
        self._values: list[np.ndarray] = []
        self._read: set[str] = set()
        self.refresh()

    def holds(self, keys: Sequence[bytes]) -> bool:
        return all(key in self.places for key in keys)

    def refresh(self) -> None:
        """Reads the shards that have appeared since the last time."""
        for shard in sorted(self.folder.glob("shard-*")):
            if shard.name in self._read:
                continue
            stop = np.load(shard / "stop.npy")
            keys = np.load(shard / "keys.npy")
            seconds = np.load(shard / "seconds.npy")
            start = np.concatenate([[0], stop[:-1]])
            for key, first, last, cost in zip(keys, start, stop, seconds, strict=True):
                self.places[key.tobytes()] = (len(self._values), int(first), int(last), float(cost))
            self._values.append(np.load(shard / "values.npy", mmap_mode="r"))
            self._read.add(shard.name)

    def rows(self, keys: Sequence[bytes]) -> Rows:
        places = [self.places[key] for key in keys]
        array, start, stop = (np.array([place[part] for place in places], np.int64) for part in range(3))
        return Rows(tuple(self._values), array, start, stop)

    def write(self, keys: Sequence[bytes], rows: Sequence[np.ndarray], seconds: Sequence[float]) -> None:
        name = "shard-" + hashlib.blake2b(b"".join(sorted(keys)), digest_size=12).hexdigest()
        temporary = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.folder))
        try:
            np.save(temporary / "values.npy", np.concatenate(rows))
            np.save(temporary / "stop.npy", np.cumsum([len(row) for row in rows]))
            np.save(temporary / "keys.npy", np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), -1))
            np.save(temporary / "seconds.npy", np.array(seconds))
            if not (self.folder / name).exists():
                os.rename(temporary, self.folder / name)  # noqa: PTH104 - a folder onto a free name
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _key(text: str, pair: str | None) -> bytes:
    """The address of a text or pair of texts; the separator cannot occur in either."""
    content = text.encode() if pair is None else text.encode() + b"\xff" + pair.encode()
    return hashlib.blake2b(content, digest_size=16).digest()


def _mean(states: np.ndarray) -> np.ndarray:
    """Mean over the tokens of one text: (T, D) to (1, D)."""
    tensor = torch.from_numpy(states).unsqueeze(0)
    return masked_mean(tensor, torch.ones(tensor.shape[:2], dtype=torch.bool)).numpy()
