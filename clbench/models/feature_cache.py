"""The outputs of frozen prefixes, computed once per text and cached on disk.

The output is a pure function of the text, the weights and the options. Each text is encoded once; every later
run of any process reads the result. It does not depend on the content of the cache or on who filled it (see
``clbench.models.frozen_prefix``).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clbench.core.costs import Cost, FlopCounter, clock
from clbench.core.device import compute_device
from clbench.core.types import OnProgress
from clbench.models.cache_files import Warned, locked
from clbench.models.encoder import TextEncoder
from clbench.models.feature_budget import Budget
from clbench.models.feature_costs import KEY_BYTES, Asked
from clbench.models.feature_parts import Progress, make_missing
from clbench.models.feature_store import Held, ShardWriter, Store
from clbench.models.feature_tensors import read_tensors, write_tensors
from clbench.models.frozen_prefix import FrozenPrefix, Pooling, Transform, encode
from clbench.models.ragged import RaggedArray

LAYOUT = 4
"""The version of the cache's files, and of how texts become tokens.

Folders of other versions are neither read nor removed.
"""
ROWS_AT_ONCE = 65536
"""Token states in one call of a prefix's transform."""
BESIDE: dict[Pooling, tuple[Pooling, ...]] = {
    "states": ("states", "mean", "cls", "last"),
    "mean": ("mean", "cls", "last"),
    "cls": ("mean", "cls", "last"),
    "last": ("mean", "cls", "last"),
    "padded": ("padded",),
    "predictions": ("predictions",),
}
"""The poolings that are stored when one is computed: an additional vector per text costs almost nothing."""


class FeatureCache:
    """Frozen features on disk, addressed by content.

    What is read is what was written: checksums tell damaged files, which are removed and made again. A folder
    that cannot be written is read, and what is not in it is kept in memory.

    Args:
        folder: The folder of the cache; each encoder, precision, length limit and prefix has a subfolder.
        budget: Limits the cache's size; None means no limit. Least recently used features are removed first.
            A request that is larger than the limit is still served completely.
        progress: Whether to show progress bars.
        on_progress: Called with a line that says what is done, the number of texts that are done and their
            total, at most a few times per second.

    Attributes:
        texts_encoded: How many texts this object has put through an encoder.
    """

    def __init__(
        self,
        folder: Path,
        *,
        budget: Budget | None = None,
        progress: bool = True,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.folder = folder
        self.progress = progress
        self.on_progress = on_progress
        self.texts_encoded = 0
        self._budget = Budget(folder, None) if budget is None else budget
        self._asked = Asked()
        self._recorders: list[Asked] = []  # of the tensors that are being made
        self._stores: dict[Path, Store] = {}
        self._warned = Warned(folder)

    def features(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        max_tokens: int,
        prefix: FrozenPrefix,
        group: str = "",
    ) -> tuple[RaggedArray, np.ndarray]:
        """The outputs of ``prefix`` for n texts, and the operations that it takes for each, (n,) int64.

        Texts that are not in the cache are encoded now. Two processes that need the same texts share the
        work: no text of a group is encoded twice. Those that need texts of two groups do not wait for each
        other.

        Args:
            encoder: The encoder.
            texts: n texts.
            pairs: Their second parts, or None.
            max_tokens: The length limit.
            prefix: The function.
            group: What the texts belong to, such as a dataset; a part of the names of files.
        """
        keys = [_key(text, pair) for text, pair in zip(texts, pairs, strict=True)]
        store = self._store(encoder, max_tokens, prefix)
        if missing := store.missing(keys):
            some = [texts[at] for at in missing], [pairs[at] for at in missing]
            make = self._encode if prefix.transform is None else self._continue
            make(encoder, *some, [keys[at] for at in missing], max_tokens, prefix, group)
        rows, costs = store.rows(keys)
        self._budget.settle()
        asked = Asked()
        asked.add(_family(encoder, max_tokens), keys, costs[:, 0])
        if prefix.transform is not None:
            asked.add(store.folder.name, keys, costs[:, 1])
        self._record(asked)
        return rows, costs[:, :, 1].sum(1).astype(np.int64)

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
        shard = self.folder / "made" / f"shard-{hashlib.sha256(address.encode()).hexdigest()[:24]}"
        tensors, about = read_tensors(shard)
        if not about:
            with locked(shard.with_name(f"lock-{shard.name}"), self._warned):
                tensors, about = read_tensors(shard)  # another process may have made them
                if not about:
                    tensors, about = self._make_tensors(shard, address, make)
                    self._budget.wrote(sum(tensor.nbytes for tensor in tensors.values()))
        self._budget.settle()
        # The rows that went into them count as asked for, also when there was no need to look at them.
        self._record(Asked.from_text(about["asked_for"]))
        return tensors, Cost(**about["cost"])

    def _make_tensors(
        self, shard: Path, address: str, make: Callable[[], tuple[dict[str, Tensor], Cost]]
    ) -> tuple[dict[str, Tensor], dict[str, Any]]:
        used = Asked()
        self._recorders.append(used)
        try:
            tensors, cost = make()
        finally:
            self._recorders.pop()
        about = {"address": address, "cost": dataclasses.asdict(cost), "asked_for": used.to_text()}
        try:
            write_tensors(shard, tensors, about)
        except OSError as error:
            self._warned(error)
        return tensors, about

    @property
    def spent(self) -> Cost:
        """What the rows that this object was asked for took when they were made, each counted once."""
        return self._asked.total()

    @property
    def asked_for(self) -> str:
        """Every row that this object was asked for and what it took, as text for ``was_asked_for``."""
        return self._asked.to_text()

    def was_asked_for(self, text: str) -> None:
        """Takes over what an earlier object was asked for: a resumed run does not pay for it again."""
        self._record(Asked.from_text(text))

    def _record(self, asked: Asked) -> None:
        for record in (self._asked, *self._recorders):
            record.update(asked)

    def _store(self, encoder: TextEncoder, max_tokens: int, prefix: FrozenPrefix) -> Store:
        family = _family(encoder, max_tokens)
        folder = self.folder / "-".join([family, *(part for part in prefix.key if part)])
        if folder not in self._stores:
            # An encoder writes several poolings at once, under the same locks.
            self._stores[folder] = Store(
                folder, self.folder / (family if prefix.transform is None else folder.name), self._warned
            )
        return self._stores[folder]

    def _progress(self, what: str, texts: int) -> Progress:
        return Progress(what, texts, bar=self.progress, report=self.on_progress)

    def _encode(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        keys: Sequence[bytes],
        max_tokens: int,
        prefix: FrozenPrefix,
        group: str,
    ) -> None:
        """Encodes texts and writes all poolings that ``BESIDE`` lists."""
        poolings = BESIDE[prefix.pooling]
        stores = {each: self._store(encoder, max_tokens, FrozenPrefix(each)) for each in poolings}
        pad_to = max_tokens if prefix.pooling == "padded" else None

        def make(places: list[int], held: Held) -> None:
            for store in stores.values():
                store.refresh()  # another process may have written some of the poolings
            writers = {each: ShardWriter(store, self._budget, held) for each, store in stores.items()}
            tokens = encoder.tokenize([texts[at] for at in places], [pairs[at] for at in places], max_tokens)
            for batch in encode(encoder, tokens, poolings, pad_to):
                own = [keys[places[at]] for at in batch.places.tolist()]
                costs = np.zeros((len(own), 2, 2))
                costs[:, 0] = batch.cost.seconds, batch.cost.flops
                for each, writer in writers.items():
                    writer.add(own, *batch.rows[each], costs)
                self.texts_encoded += len(own)
                progress.update(len(own))
            for writer in writers.values():
                writer.flush()

        with self._progress(f"encoding with {encoder.name}", len(keys)) as progress:
            make_missing(stores[prefix.pooling], keys, group, make, progress)

    def _continue(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        pairs: Sequence[str | None],
        keys: Sequence[bytes],
        max_tokens: int,
        prefix: FrozenPrefix,
        group: str,
    ) -> None:
        """Applies the transform of ``prefix`` to token states and writes its output."""
        assert prefix.transform is not None
        transform, source = prefix.transform, FrozenPrefix(prefix.pooling)
        rows, _ = self.features(encoder, texts, pairs, max_tokens, source, group)
        _, encoding = self._store(encoder, max_tokens, source).rows(keys)
        store = self._store(encoder, max_tokens, prefix)
        flops = _flops_by_length(transform, rows)

        def make(places: list[int], held: Held) -> None:
            writer = ShardWriter(store, self._budget, held)
            for chunk in rows.select(places).chunks(ROWS_AT_ONCE):
                chosen = np.array(places)[chunk]
                started = clock()
                values, lengths = rows.packed(chosen)
                with torch.no_grad():
                    out, counts = transform(torch.from_numpy(values), torch.from_numpy(lengths))
                costs = encoding[chosen]
                costs[:, 1, 0] = (clock() - started) / lengths.sum() * lengths
                costs[:, 1, 1] = flops(lengths)
                writer.add(
                    [keys[at] for at in chosen.tolist()], out.cpu().numpy(), counts.cpu().numpy(), costs
                )
                progress.update(len(chosen))
            writer.flush()

        with self._progress("selecting keys", len(keys)) as progress:
            make_missing(store, keys, group, make, progress)


def _flops_by_length(transform: Transform, rows: RaggedArray) -> Callable[[np.ndarray], np.ndarray]:
    """The operations that ``transform`` takes for texts of given numbers of rows.

    It is counted on a shortest and a longest text and interpolated: ``transform`` treats all rows alike.
    """
    ends = sorted({int(rows.lengths.argmin()), int(rows.lengths.argmax())}, key=lambda at: rows.lengths[at])
    sizes, counts = [], []
    for at in ends:
        values, length = rows.packed([at])
        with torch.no_grad(), FlopCounter() as counter:
            transform(torch.from_numpy(values), torch.from_numpy(length))
        sizes.append(int(length[0]))
        counts.append(counter.total)
    per_row = (counts[-1] - counts[0]) // max(1, sizes[-1] - sizes[0])
    return lambda lengths: counts[0] + per_row * (lengths - sizes[0])


def _family(encoder: TextEncoder, max_tokens: int) -> str:
    dtype = str(encoder.dtype).removeprefix("torch.")
    return f"{encoder.name}-{encoder.fingerprint[:16]}-{dtype}-{compute_device().type}-{max_tokens}"


def _key(text: str, pair: str | None) -> bytes:
    """The key of a text or a pair of texts; the separating byte occurs in no UTF-8 text."""
    content = text.encode() if pair is None else text.encode() + b"\xff" + pair.encode()
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
