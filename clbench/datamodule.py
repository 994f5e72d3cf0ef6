"""The stream as Lightning sees it: the current stage's training loader, every experience's test loader."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import lightning
import numpy as np
import torch
from datasets import Dataset, concatenate_datasets
from torch import Tensor
from torch.utils.data import DataLoader, RandomSampler, Sampler
from torch.utils.data import Dataset as TorchDataset

from clbench.batch import Batch, pad
from clbench.encoder import TextEncoder
from clbench.features import FeatureCache, Rows
from clbench.network import Stem
from clbench.scenario import Protocol, Stream
from clbench.seeding import derive

EVALUATION_BATCH = 64
ROWS_AT_ONCE = 65536


class EncodedTexts(TorchDataset[int]):
    """The rows of some texts with their targets; items are positions and ``collate`` makes the batch."""

    def __init__(
        self, rows: Rows, targets: np.ndarray, experience: np.ndarray, allowed: np.ndarray, encoded: bool
    ) -> None:
        self.rows = rows
        self.targets = targets
        self.experience = experience
        self.allowed = allowed  # (T, C)
        self.encoded = encoded

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> int:
        return index

    def collate(self, indices: Sequence[int]) -> Batch:
        """The texts at ``indices`` as one padded batch."""
        rows, mask = pad([self.rows[index] for index in indices])
        experience = self.experience[indices]
        return Batch(
            rows=rows,
            mask=mask,
            targets=torch.from_numpy(self.targets[indices]),
            allowed=torch.from_numpy(self.allowed[experience]),
            experience=torch.from_numpy(experience),
            encoded=self.encoded,
        )

    def by_length(self) -> list[int]:
        """Positions from the shortest text to the longest: batches of these hold little padding."""
        return [int(at) for at in np.argsort(self.rows.stop - self.rows.start, kind="stable")]


class ScenarioDataModule(lightning.LightningDataModule):
    """Streams a scenario: ``enter`` a stage, then fit on ``train_dataloader`` and test on all experiences.

    Args:
        stream: The experiences and the stages of training.
        encoder: Tokenizes; encodes where a learner has a frozen stem.
        protocol: Epochs, batch size, limits.
        cache: Where frozen features are kept; None leaves every text as token ids, and a learner with
            a stem then applies it batch by batch.
        seed: The order of training texts follows from it.
    """

    def __init__(
        self,
        stream: Stream,
        encoder: TextEncoder,
        protocol: Protocol,
        *,
        cache: FeatureCache | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.stream = stream
        self.encoder = encoder
        self.protocol = protocol
        self.cache = cache
        self.seed = seed
        self.stage = 0
        self.stem: Stem | None = None
        self.seconds_waited = 0.0  # spent here on making rows, whoever asked first
        self.stem_seconds = 0.0  # of tokenizing and of stems beyond the encoder
        self._allowed = np.array([stream.allowed(index) for index in range(len(stream))])
        self._encoded: dict[tuple[object, ...], EncodedTexts] = {}

    def enter(self, stage: int, stem: Stem | None) -> None:
        """Makes ``stage`` the current one, with texts taken through ``stem``."""
        self.stage = stage
        self.stem = stem

    def train_dataloader(self) -> DataLoader[int]:
        """The current stage's training texts in a random order that the seed and the stage fix."""
        texts = self.texts(self.stream.stages[self.stage].splits["train"], self.stem)
        generator = torch.Generator().manual_seed(derive(self.seed, "order", self.stage))
        draws = self.protocol.draws
        if draws is not None and len(self.stream.stages) < len(self.stream):  # joint: as many as the stream
            draws *= len(self.stream)
        sampler = (
            RandomSampler(texts, generator=generator)
            if draws is None
            else RandomSampler(texts, replacement=True, num_samples=draws, generator=generator)
        )
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
            return Reader(self, self.stream.stages[stage].splits["train"], derive(self.seed, "reader", stage))
        whole = concatenate_datasets([part.splits["train"] for part in self.stream.stages])
        return Reader(self, whole, derive(self.seed, "reader", "stream"))

    def general_reader(self, texts: Sequence[str]) -> Reader:
        """Unlabelled texts for the start of a stream; their targets mean nothing."""
        size = len(texts)
        columns = {"column": [0] * size, "experience": [0] * size}
        split = Dataset.from_dict({"text": texts, "text_pair": [None] * size, **columns})
        return Reader(self, split, derive(self.seed, "reader", "general"))

    @property
    def encode_seconds(self) -> float:
        """What the frozen prefix costs for this run's texts, as if none had been encoded before."""
        return self.stem_seconds + (self.cache.seconds if self.cache is not None else 0.0)

    def _evaluation(self, split: str) -> list[DataLoader[int]]:
        loaders = []
        for experience in self.stream.experiences:
            texts = self.texts(experience.splits[split], self.stem)
            loaders.append(self._loader(texts, texts.by_length(), EVALUATION_BATCH))
        return loaders

    def _loader(
        self, texts: EncodedTexts, sampler: Sampler[int] | list[int], batch_size: int
    ) -> DataLoader[int]:
        return DataLoader(texts, batch_size=batch_size, sampler=sampler, collate_fn=texts.collate)

    def texts(self, split: Dataset, stem: Stem | None) -> EncodedTexts:
        """Texts past ``stem``, or as token ids where there is no stem or no cache; made once each."""
        key = (split._fingerprint, stem.key if stem is not None and self.cache is not None else None)
        if key not in self._encoded:
            started = time.perf_counter()
            self._encoded[key] = EncodedTexts(
                self._rows(split, stem),
                np.array(split["column"], dtype=np.int64),
                np.array(split["experience"], dtype=np.int64),
                self._allowed,
                encoded=self.cache is not None or stem is None,
            )
            self.seconds_waited += time.perf_counter() - started
        return self._encoded[key]

    def _rows(self, split: Dataset, stem: Stem | None) -> Rows:
        texts, pairs, limit = list(split["text"]), list(split["text_pair"]), self.protocol.max_tokens
        started = time.perf_counter()
        if stem is None or self.cache is None:
            rows = Rows.from_list(self.encoder.tokenize(texts, pairs, limit))
        else:
            rows = self.cache.features(self.encoder, texts, pairs, limit, stem.pooling)
            started = time.perf_counter()  # the cache knows what encoding costs, also when it was done before
            if stem.then is not None:
                rows = Rows.from_list(list(_mapped(rows, stem.then)))
        self.stem_seconds += time.perf_counter() - started
        return rows


class Reader:
    """Training texts at a boundary, in a random order fixed by a seed (see ``TextReader``)."""

    def __init__(self, data: ScenarioDataModule, split: Dataset, seed: int) -> None:
        self._data = data
        self._split = split
        self._seed = seed

    def __len__(self) -> int:
        return len(self._split)

    def batches(
        self, batch_size: int, *, stem: Stem | None = None, limit: int | None = None
    ) -> Iterator[Batch]:
        """Batches of the texts past ``stem`` (default: the learner's own), each text once."""
        texts = self._data.texts(self._split, self._data.stem if stem is None else stem)
        order = torch.randperm(len(texts), generator=torch.Generator().manual_seed(self._seed))[:limit]
        for chosen in order.split(batch_size):
            yield texts.collate(chosen.tolist())


def _mapped(rows: Rows, then: Callable[[Tensor], Tensor]) -> Iterator[np.ndarray]:
    """Applies ``then`` to the rows of many texts at a time."""
    lengths = rows.stop - rows.start
    begin = 0
    while begin < len(rows):
        end = begin + max(1, int(np.searchsorted(np.cumsum(lengths[begin:]), ROWS_AT_ONCE)))
        mapped = then(torch.from_numpy(np.concatenate([rows[at] for at in range(begin, end)]))).numpy()
        yield from np.split(mapped, np.cumsum(lengths[begin:end])[:-1])
        begin = end
