"""The outputs of frozen prefixes, computed once per text and cached on disk.

The output is a pure function of the text, the weights and the options. Each text is encoded once; every later
run of any process reads the result. It does not depend on the content of the cache or on who filled it (see
``clbench.models.frozen_prefix``).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from clbench.core.costs import Cost, FlopCounter
from clbench.core.device import compute_device
from clbench.models.encoder import TextEncoder
from clbench.models.feature_store import Budget, RaggedArray, ShardWriter, Store
from clbench.models.frozen_prefix import FrozenPrefix, Pooling, Transform, encode, pooled

LAYOUT = 2
"""The version of the cache's file format. Folders of other versions are neither read nor removed."""
ROWS_AT_ONCE = 65536
"""Token states in one call of a prefix's transform."""
_TENSORS = "made.safetensors"
_Place = tuple[str, str]  # the folder of a row, and the key of its text
BESIDE: dict[Pooling, tuple[Pooling, ...]] = {
    "states": ("states", "mean", "cls"),
    "mean": ("mean", "cls"),
    "cls": ("mean", "cls"),
    "padded": ("padded",),
}
"""The poolings that are stored when one is computed: an additional vector per text costs almost nothing."""


class FeatureCache:
    """Frozen features on disk, addressed by content.

    Args:
        folder: The folder of the cache; each encoder, precision, length limit and prefix has a subfolder.
        budget: Limit of the cache's size in bytes; None means no limit. Least recently used features are
            removed first. A request that is larger than the limit is still served completely.
        progress: Whether to show progress bars.

    Attributes:
        texts_encoded: How many texts this object has put through an encoder.
        spent: What the rows that it was asked for took when they were made, each counted once.
    """

    def __init__(self, folder: Path, *, budget: int | None = None, progress: bool = True) -> None:
        self.folder = folder
        self.progress = progress
        self.texts_encoded = 0
        self.spent = Cost()
        self._budget = Budget(folder, budget)
        self._asked: dict[_Place, Cost] = {}  # every row that was asked for, with what it took
        self._recorders: list[dict[_Place, Cost]] = []  # of the tensors that are being made
        self._stores: dict[Path, Store] = {}

    def features(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        max_tokens: int,
        prefix: FrozenPrefix,
    ) -> tuple[RaggedArray, np.ndarray]:
        """The outputs of ``prefix`` for n texts, and the operations that it takes for each, (n,) int64.

        Texts that are not in the cache are encoded now. Two processes that need the same texts wait for each
        other instead of encoding them twice.
        """
        keys = [_key(text, pair) for text, pair in zip(texts, pairs, strict=True)]
        store = self._store(encoder, max_tokens, prefix)
        if store.missing(keys):
            with store.lock:
                if at := store.missing(keys):
                    some = [texts[i] for i in at], [pairs[i] for i in at]
                    if prefix.transform is None:
                        self._encode(encoder, *some, max_tokens, prefix.pooling)
                    else:
                        self._continue(encoder, *some, max_tokens, prefix)
        rows = store.rows(keys)
        self._budget.enforce()
        family = _family(encoder, max_tokens)
        costs = [store.costs[key] for key in keys]
        asked: dict[_Place, Cost] = {}
        for key, (encoded, after) in zip(keys, costs, strict=True):
            asked[family, key.hex()] = encoded
            if prefix.transform is not None:
                asked[store.folder.name, key.hex()] = after
        self._record(asked)
        return rows, np.array([encode.flops + after.flops for encode, after in costs], dtype=np.int64)

    def tensors(
        self, address: str, make: Callable[[], tuple[dict[str, Tensor], Cost]]
    ) -> tuple[dict[str, Tensor], Cost]:
        """The tensors that ``make`` computes, read from disk if they were computed before.

        Args:
            address: Identifies everything that the tensors depend on.
            make: A pure function of what ``address`` identifies; returns tensors and their cost.

        Returns:
            The tensors, and what they cost when they were computed.
        """
        shard = self.folder / "tensors" / f"shard-{hashlib.sha256(address.encode()).hexdigest()[:24]}"
        shard.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(shard.with_name(f"lock-{shard.name}")):
            tensors, metadata = _read_tensors(shard)
            if not metadata:
                used: dict[_Place, Cost] = {}
                self._recorders.append(used)
                try:
                    tensors, cost = make()
                finally:
                    self._recorders.pop()
                metadata = {
                    "address": address,
                    "cost": json.dumps(dataclasses.asdict(cost)),
                    "asked_for": _to_text(used),
                }
                _write_tensors(shard, tensors, metadata)
        self._budget.enforce()
        # The rows that went into them count as asked for, also when there was no need to look at them.
        self._record(_from_text(metadata["asked_for"]))
        return tensors, Cost(**json.loads(metadata["cost"]))

    @property
    def asked_for(self) -> str:
        """Every row that this object was asked for and what it took, as text for ``was_asked_for``."""
        return _to_text(self._asked)

    def was_asked_for(self, text: str) -> None:
        """Takes over what an earlier object was asked for: a resumed run does not pay for it again."""
        self._record(_from_text(text))

    def _record(self, asked: Mapping[_Place, Cost]) -> None:
        for place, cost in asked.items():
            self.spent += cost - self._asked.get(place, Cost())
            self._asked[place] = cost
        for recorder in self._recorders:
            recorder.update(asked)

    def _store(self, encoder: TextEncoder, max_tokens: int, prefix: FrozenPrefix) -> Store:
        family = _family(encoder, max_tokens)
        folder = self.folder / "-".join([family, *(part for part in prefix.key if part)])
        if folder not in self._stores:
            # An encoder writes several poolings at once, under one lock.
            lock = family if prefix.transform is None else folder.name
            self._stores[folder] = Store(folder, self.folder / f"{lock}.lock")
        return self._stores[folder]

    def _bar(self, what: str, texts: int) -> tqdm[Any]:
        return tqdm(total=texts, desc=what, unit="text", leave=False, disable=not self.progress)

    def _encode(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        max_tokens: int,
        pooling: Pooling,
    ) -> None:
        """Encodes texts and writes all poolings that ``BESIDE`` lists."""
        writers = {
            each: ShardWriter(self._store(encoder, max_tokens, FrozenPrefix(each)), self._budget)
            for each in BESIDE[pooling]
        }
        tokens = encoder.tokenize(texts, pairs, max_tokens)
        bar = self._bar(f"encoding with {encoder.name}", len(texts))
        for at, states, cost in encode(encoder, tokens, max_tokens if pooling == "padded" else None):
            key, mask = _key(texts[at], pairs[at]), torch.ones(1, len(states), dtype=torch.bool)
            for each, writer in writers.items():
                kept = pooled(torch.from_numpy(states).unsqueeze(0), mask, each)[0][0].numpy()
                writer.add(key, kept, (cost, Cost()))
            self.texts_encoded += 1
            bar.update()
        bar.close()
        for writer in writers.values():
            writer.flush()

    def _continue(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        max_tokens: int,
        prefix: FrozenPrefix,
    ) -> None:
        """Applies the transform of ``prefix`` to token states and writes its output."""
        assert prefix.transform is not None
        source = FrozenPrefix(prefix.pooling)
        rows, _ = self.features(encoder, texts, pairs, max_tokens, source)
        before = self._store(encoder, max_tokens, source).costs
        writer = ShardWriter(self._store(encoder, max_tokens, prefix), self._budget)
        bar = self._bar("selecting keys", len(texts))
        flops = _flops_by_length(prefix.transform, rows)
        for places in rows.chunks(ROWS_AT_ONCE):
            started = time.perf_counter()
            values, lengths = rows.packed(places)
            with torch.no_grad():
                out, counts = prefix.transform(torch.from_numpy(values), torch.from_numpy(lengths))
            share = (time.perf_counter() - started) / lengths.sum()
            parts = np.split(out.cpu().numpy(), np.cumsum(counts.cpu().numpy())[:-1])
            for at, part, length in zip(places, parts, lengths, strict=True):
                key = _key(texts[at], pairs[at])
                after = Cost(float(share * length), flops(int(length)))
                writer.add(key, part, (before[key][0], after))
            bar.update(len(places))
        bar.close()
        writer.flush()


def _flops_by_length(transform: Transform, rows: RaggedArray) -> Callable[[int], int]:
    """The operations that ``transform`` takes for a text of a given number of rows.

    It is counted on a shortest and a longest text and interpolated: ``transform`` treats all rows alike.
    """
    ends = sorted({int(rows.lengths.argmin()), int(rows.lengths.argmax())}, key=lambda at: rows.lengths[at])
    lengths, counts = [], []
    for at in ends:
        values, length = rows.packed([at])
        with torch.no_grad(), FlopCounter() as counter:
            transform(torch.from_numpy(values), torch.from_numpy(length))
        lengths.append(int(length[0]))
        counts.append(counter.total)
    per_row = (counts[-1] - counts[0]) // max(1, lengths[-1] - lengths[0])
    return lambda length: counts[0] + per_row * (length - lengths[0])


def _to_text(asked: Mapping[_Place, Cost]) -> str:
    return json.dumps([[*place, cost.seconds, cost.flops] for place, cost in asked.items()])


def _from_text(text: str) -> dict[_Place, Cost]:
    return {(where, key): Cost(*cost) for where, key, *cost in json.loads(text)}


def _read_tensors(shard: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a shard; both empty if it is missing or damaged."""
    try:
        os.utime(shard)
        with safe_open(shard / _TENSORS, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118
    except (FileNotFoundError, SafetensorError):
        return {}, {}


def _write_tensors(shard: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Writes a shard, replacing what is left of an earlier one. The caller holds its lock."""
    temporary = shard.with_name(f".partial-{shard.name}")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir()
    try:
        save_file({k: v.contiguous() for k, v in tensors.items()}, temporary / _TENSORS, metadata)
        shutil.rmtree(shard, ignore_errors=True)
        os.rename(temporary, shard)  # noqa: PTH104 - a folder onto a free name
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _family(encoder: TextEncoder, max_tokens: int) -> str:
    dtype = str(encoder.dtype).removeprefix("torch.")
    return f"{encoder.name}-{encoder.fingerprint[:16]}-{dtype}-{compute_device().type}-{max_tokens}"


def _key(text: str, pair: str | None) -> bytes:
    """The key of a text or a pair of texts; the separating byte occurs in no UTF-8 text."""
    content = text.encode() if pair is None else text.encode() + b"\xff" + pair.encode()
    return hashlib.blake2b(content, digest_size=16).digest()
