"""The data module: batches of the current stage for training, and of every experience for evaluation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import lightning
import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from torch import Tensor

from clbench.core.batch import Batch
from clbench.core.costs import Cost, Meter
from clbench.core.device import compute_device
from clbench.core.scenario import Protocol, Stream
from clbench.core.seeding import derive
from clbench.data.batches import Batches, EncodedTexts, bucketed
from clbench.models.encoder import TextEncoder
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix
from clbench.models.ragged import RaggedArray

GENERAL = "general"
"""The split of texts that belong to no dataset."""
EVALUATION_BATCH = 64
"""Texts in one batch of an evaluation before the frozen prefix; past it, a batch is a whole block."""


class ScenarioDataModule(lightning.LightningDataModule):
    """Streams a scenario: the training texts of each stage, and the test texts of all experiences.

    Args:
        stream: The experiences and the stages of training.
        encoder: The tokenizer, and the encoder of a frozen prefix; another one may take its place.
        protocol: Epochs, batch size, limits.
        prefix: Gives the frozen prefix of the learner's network as it is now: keys of DKVB move.
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
        prefix: Callable[[], FrozenPrefix | None],
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
        self.prefix = prefix
        self._group = hashlib.blake2b(repr(sorted(stream.data)).encode(), digest_size=4).hexdigest()
        self._class_masks = torch.tensor([stream.class_mask(index) for index in range(len(stream))])
        self._encoded: dict[tuple[object, ...], EncodedTexts] = {}
        self._joined: dict[tuple[str, tuple[int, ...]], Dataset] = {}
        self._charged = Cost()  # of the cache's spent cost, what the meter has been charged with

    def stage_train_dataloader(self, stage: int) -> Batches:
        """The training texts of a stage, in a random order set by the seed and the stage."""
        prefix = self.prefix()
        texts = self.texts(self.stream.stages[stage].experience.splits["train"], prefix)
        generator = torch.Generator().manual_seed(derive(self.seed, "order", stage))
        drawn = self.protocol.samples_per_epoch
        if drawn is not None:
            drawn *= self.stream.stages[stage].merged
        size, lengths = self.protocol.batch_size, torch.from_numpy(texts.rows.lengths)

        def draw() -> Tensor:
            if drawn is None:
                order = torch.randperm(len(texts), generator=generator)
            else:
                order = torch.randint(len(texts), (drawn,), generator=generator)
            return bucketed(order, lengths, size, generator) if prefix is None else order

        return Batches(texts, size, draw, drawn or len(texts), generator)

    def val_dataloader(self, experiences: Sequence[int] | None = None) -> Batches:
        """The validation texts of these experiences, of all by default."""
        return self._evaluation("validation", experiences)

    def stage_val_dataloader(self, stage: int) -> Batches:
        """The validation texts of a stage: those of all experiences in joint training."""
        return self._whole(self.stream.stages[stage].experience.splits["validation"])

    def test_dataloader(self, experiences: Sequence[int] | None = None) -> Batches:
        """The test texts of these experiences, of all by default."""
        return self._evaluation("test", experiences)

    def reader(self, stage: int | None = None) -> Reader:
        """The training texts of a stage, or of the whole stream, for the boundaries of a learner."""
        if stage is not None:
            split = self.stream.stages[stage].experience.splits["train"]
            return Reader(self, split, derive(self.seed, "reader", stage))
        whole = concatenate_datasets([each.experience.splits["train"] for each in self.stream.stages])
        return Reader(self, whole, derive(self.seed, "reader", "stream"))

    def generic_reader(self, texts: Sequence[str]) -> Reader:
        """A reader of unlabeled texts for the start of a stream; their targets are meaningless zeros."""
        return Reader(self, _unlabeled(texts), derive(self.seed, "reader", "general"))

    def evaluated_texts(self, texts: Sequence[str]) -> Batches:
        """Unlabeled texts, each once, in batches for evaluation; they count as those of experience 0."""
        return self._whole(_unlabeled(texts))

    def _evaluation(self, name: str, experiences: Sequence[int] | None) -> Batches:
        chosen = tuple(range(len(self.stream)) if experiences is None else experiences)
        if (name, chosen) not in self._joined:
            splits = [self.stream.experiences[index].splits[name] for index in chosen]
            self._joined[name, chosen] = concatenate_datasets(splits)
        return self._whole(self._joined[name, chosen])

    def _whole(self, split: Dataset) -> Batches:
        """Each text once, in a fixed order, in batches for evaluation."""
        texts = self.texts(split, self.prefix())
        if texts.flops is not None:
            return Batches(texts, texts.block(), lambda: torch.arange(len(texts)), len(texts))
        by_length = torch.from_numpy(np.argsort(texts.rows.lengths, kind="stable"))
        return Batches(texts, EVALUATION_BATCH, lambda: by_length, len(texts))

    def texts(self, split: Dataset, prefix: FrozenPrefix | None) -> EncodedTexts:
        """Texts encoded by ``prefix``, or as token ids without a prefix or a cache; computed once."""
        key = self._key(split, prefix)
        if key not in self._encoded:
            columns = split[:]  # as lists: a column by itself is read row by row
            targets, experience = (torch.tensor(columns[name]) for name in ("column", "experience"))
            with self.encoding():
                group = GENERAL if split.split == GENERAL else self._group
                rows, flops = self._rows(columns["text"], columns["text_pair"], prefix, group)
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
        self, texts: list[str], pairs: list[str | None], prefix: FrozenPrefix | None, group: str
    ) -> tuple[RaggedArray, np.ndarray | None]:
        """The rows of texts, and the operations of the frozen prefix for each, if they are its outputs."""
        limit = self.protocol.max_tokens
        if prefix is not None and self.cache is not None:
            return self.cache.features(self.encoder, texts, pairs, limit, prefix, group)
        with self.meter.phase("encode"):
            return self.encoder.tokenize(texts, pairs, limit), None

    def made(self, split: Dataset, prefix: FrozenPrefix | None) -> bool:
        """Whether ``texts`` has computed these already."""
        return self._key(split, prefix) in self._encoded

    def _key(self, split: Dataset, prefix: FrozenPrefix | None) -> tuple[object, ...]:
        if prefix is None or self.cache is None:
            return split._fingerprint, None
        return split._fingerprint, prefix.key, self.encoder.fingerprint


def _unlabeled(texts: Sequence[str]) -> Dataset:
    """A split of texts whose targets are meaningless zeros."""
    size = len(texts)
    columns = {"column": [0] * size, "experience": [0] * size}
    return Dataset.from_dict({"text": list(texts), "text_pair": [None] * size, **columns}, split=GENERAL)


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
        prefix = data.prefix() if prefix is None else prefix
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(self._seed))[:limit]
        if len(order) < len(split) and not data.made(split, prefix):
            split, order = split.select(order.tolist()), torch.arange(len(order))  # encode only these texts
        texts = data.texts(split, prefix)
        for batch in texts.batches(order, batch_size):
            if prefix is not None and not batch.encoded:
                yield prefix(data.encoder, batch, data.protocol.max_tokens)
            else:
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
