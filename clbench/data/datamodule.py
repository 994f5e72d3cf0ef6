"""The data module: batches of the current stage for training, and of every experience for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import lightning
import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, Sampler
from torch.utils.data import Dataset as TorchDataset

from clbench.core.batch import Batch, pad
from clbench.core.costs import Cost, Meter
from clbench.core.device import compute_device
from clbench.core.scenario import Protocol, Stream
from clbench.core.seeding import derive
from clbench.models.encoder import TextEncoder
from clbench.models.feature_cache import FeatureCache
from clbench.models.feature_store import RaggedArray
from clbench.models.frozen_prefix import FrozenPrefix

EVALUATION_BATCH = 64


@dataclass(frozen=True, eq=False)
class EncodedTexts(TorchDataset[int]):
    """Texts with their targets. Items are positions; ``collate`` turns positions into a batch.

    Attributes:
        rows: Of n texts.
        targets: (n,) their columns.
        experience: (n,) their experiences.
        class_mask: (T, C) the columns that a text of each experience may be given.
        flops: (n,) operations of the frozen prefix for each text; None if the rows are not its outputs.
        meter: Is charged with ``flops`` for each text that is read.
    """

    rows: RaggedArray
    targets: np.ndarray
    experience: np.ndarray
    class_mask: np.ndarray
    flops: np.ndarray | None
    meter: Meter

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: Sequence[int]) -> Batch:
        """The texts at ``indices`` as one padded batch."""
        rows, mask = pad([self.rows[index] for index in indices])
        experience = self.experience[indices]
        if self.flops is not None:
            self.meter.charge(Cost(prefix_flops=int(self.flops[indices].sum())))
        return Batch(
            rows=rows,
            mask=mask,
            targets=torch.from_numpy(self.targets[indices]),
            class_mask=torch.from_numpy(self.class_mask[experience]),
            experience=torch.from_numpy(experience),
            encoded=self.flops is not None,
        )

    def by_length(self) -> list[int]:
        """Positions from the shortest text to the longest: batches in this order have little padding."""
        return [int(at) for at in np.argsort(self.rows.lengths, kind="stable")]


class ScenarioDataModule(lightning.LightningDataModule):
    """Streams a scenario: ``enter`` a stage, then train on ``train_dataloader`` and test on all experiences.

    Args:
        stream: The experiences and the stages of training.
        encoder: The tokenizer, and the encoder of a frozen prefix.
        protocol: Epochs, batch size, limits.
        cache: The cache of frozen features. Without one, batches hold token ids, and a learner with a frozen
            prefix applies it batch by batch.
        seed: Decides the order of training texts.
        meter: Encoding is charged to its phase ``encode``, whichever phase needs the texts first.
    """

    def __init__(
        self,
        stream: Stream,
        encoder: TextEncoder,
        protocol: Protocol,
        *,
        cache: FeatureCache | None = None,
        seed: int = 0,
        meter: Meter | None = None,
    ) -> None:
        super().__init__()
        self.meter = Meter() if meter is None else meter
        self.stream = stream
        self.encoder = encoder
        self.protocol = protocol
        self.cache = cache
        self.seed = seed
        self.stage = 0
        self.prefix: FrozenPrefix | None = None
        self._class_masks = np.array([stream.class_mask(index) for index in range(len(stream))])
        self._encoded: dict[tuple[object, ...], EncodedTexts] = {}
        self._charged = Cost()  # of the cache's spent cost, what the meter has been charged with

    def enter(self, stage: int, prefix: FrozenPrefix | None) -> None:
        """Makes ``stage`` the current one, with texts encoded by ``prefix``."""
        self.stage = stage
        self.prefix = prefix

    def train_dataloader(self) -> DataLoader[int]:
        """The training texts of the current stage, in a random order set by the seed and the stage."""
        texts = self.texts(self.stream.stages[self.stage].experience.splits["train"], self.prefix)
        generator = torch.Generator().manual_seed(derive(self.seed, "order", self.stage))
        size = self.protocol.samples_per_epoch
        if size is not None:
            size *= self.stream.stages[self.stage].merged
        sampler = RandomSampler(texts, replacement=size is not None, num_samples=size, generator=generator)
        return self._loader(texts, sampler, self.protocol.batch_size)

    def val_dataloader(self) -> list[DataLoader[int]]:
        """The validation texts of each experience."""
        return self._evaluation("validation")

    def test_dataloader(self) -> list[DataLoader[int]]:
        """The test texts of each experience."""
        return self._evaluation("test")

    def reader(self, stage: int | None = None) -> Reader:
        """The training texts of a stage, or of the whole stream, for the boundaries of a learner."""
        if stage is not None:
            split = self.stream.stages[stage].experience.splits["train"]
            return Reader(self, split, derive(self.seed, "reader", stage))
        whole = concatenate_datasets([each.experience.splits["train"] for each in self.stream.stages])
        return Reader(self, whole, derive(self.seed, "reader", "stream"))

    def generic_reader(self, texts: Sequence[str]) -> Reader:
        """A reader of unlabeled texts for the start of a stream; their targets are meaningless zeros."""
        size = len(texts)
        columns = {"column": [0] * size, "experience": [0] * size}
        split = Dataset.from_dict({"text": texts, "text_pair": [None] * size, **columns})
        return Reader(self, split, derive(self.seed, "reader", "general"))

    def _evaluation(self, name: str) -> list[DataLoader[int]]:
        splits = (experience.splits[name] for experience in self.stream.experiences)
        every = [self.texts(split, self.prefix) for split in splits]
        return [self._loader(texts, texts.by_length(), EVALUATION_BATCH) for texts in every]

    def _loader(
        self, texts: EncodedTexts, sampler: Sampler[int] | list[int], batch_size: int
    ) -> DataLoader[int]:
        return DataLoader(texts, batch_size=batch_size, sampler=sampler, collate_fn=texts.collate)

    def texts(self, split: Dataset, prefix: FrozenPrefix | None) -> EncodedTexts:
        """Texts encoded by ``prefix``, or as token ids without a prefix or a cache; computed once."""
        key = self._key(split, prefix)
        if key not in self._encoded:
            columns = split[:]  # as lists: a column by itself is read row by row
            targets, experience = (np.array(columns[name], np.int64) for name in ("column", "experience"))
            with self.encoding():
                rows, flops = self._rows(columns["text"], columns["text_pair"], prefix)
            self._encoded[key] = EncodedTexts(rows, targets, experience, self._class_masks, flops, self.meter)
        return self._encoded[key]

    @contextmanager
    def encoding(self) -> Iterator[None]:
        """Charges the phase ``encode`` with the recorded cost of the features that the block reads.

        The time of the block itself is charged to no phase. Features always cost what they took when they
        were computed: now, in an earlier run, or in another process that this one waited for.
        """
        with self.meter.apart():
            yield
        if self.cache is not None:
            self.meter.costs["encode"] += self.cache.spent - self._charged
            self._charged = self.cache.spent

    @property
    def asked_for(self) -> str:
        """The features that this run has read so far, as text for ``was_asked_for``."""
        return "{}" if self.cache is None else self.cache.asked_for

    def was_asked_for(self, text: str) -> None:
        """Restores the features that the run had read before it was stopped: it has paid for them."""
        if self.cache is not None:
            self.cache.was_asked_for(text)
            self._charged = self.cache.spent

    def _rows(
        self, texts: list[str], pairs: list[str | None], prefix: FrozenPrefix | None
    ) -> tuple[RaggedArray, np.ndarray | None]:
        """The rows of texts, and the operations of the frozen prefix for each, if they are its outputs."""
        limit = self.protocol.max_tokens
        if prefix is not None and self.cache is not None:
            return self.cache.features(self.encoder, texts, pairs, limit, prefix)
        with self.meter.phase("encode"):
            return self.encoder.tokenize(texts, pairs, limit), None

    def made(self, split: Dataset, prefix: FrozenPrefix | None) -> bool:
        """Whether ``texts`` has computed these already."""
        return self._key(split, prefix) in self._encoded

    def _key(self, split: Dataset, prefix: FrozenPrefix | None) -> tuple[object, ...]:
        return split._fingerprint, prefix.key if prefix is not None and self.cache is not None else None


class Reader:
    """Training texts for a learner's hooks, in a random order fixed by a seed (see ``TextReader``)."""

    def __init__(self, data: ScenarioDataModule, split: Dataset, seed: int) -> None:
        self._data, self._split, self._seed = data, split, seed

    def __len__(self) -> int:
        return len(self._split)

    def batches(
        self, batch_size: int, *, prefix: FrozenPrefix | None = None, limit: int | None = None
    ) -> Iterator[Batch]:
        """Batches of the texts encoded by ``prefix`` (default: the learner's own), each text once."""
        data, split = self._data, self._split
        prefix = data.prefix if prefix is None else prefix
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(self._seed))[:limit]
        if len(order) < len(split) and not data.made(split, prefix):
            split, order = split.select(order.tolist()), torch.arange(len(order))  # encode only these texts
        texts = data.texts(split, prefix)
        for chosen in order.split(batch_size):
            batch = texts.collate(chosen.tolist())
            if prefix is not None and not batch.encoded:
                batch = prefix(data.encoder, batch, data.protocol.max_tokens)
            yield batch

    def remembered(self, address: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """What ``make`` computes from these texts, from disk if any run computed it before."""
        data = self._data
        if data.cache is None:
            return make()
        digest = hashlib.blake2b(repr((self._seed, data.protocol.max_tokens)).encode(), digest_size=16)
        columns = self._split[:]
        for row in zip(columns["text"], columns["text_pair"], strict=True):
            digest.update(repr(row).encode())
        encoder = data.encoder
        where = f"{encoder.name} {encoder.fingerprint} {encoder.dtype} {compute_device().type}"

        def counted() -> tuple[dict[str, Tensor], Cost]:
            with data.meter.apart() as account:
                made = make()
            return made, account.cost

        with data.encoding():
            tensors, cost = data.cache.tensors(f"{where} {digest.hexdigest()} {address}", counted)
        data.meter.charge(cost)  # the same whether they were computed now, read, or waited for
        return tensors
