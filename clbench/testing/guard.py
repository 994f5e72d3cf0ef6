"""A data module that raises when a learner reads texts that it may not read."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset

from clbench.data.batches import Batches, EncodedTexts
from clbench.data.datamodule import Reader, ScenarioDataModule
from clbench.models.frozen_prefix import FrozenPrefix


class ContractError(AssertionError):
    """A baseline does something that it may not do."""


class GuardedDataModule(ScenarioDataModule):
    """Raises when anything reads texts that a learner may not see at that time.

    While a stage is learned, these are its own training texts and no others; test texts are read by the
    evaluation alone. What a method needs of the past must be in its memory.
    """

    _current: frozenset[tuple[str, str | None]] = frozenset()
    _evaluating = False

    def stage_train_dataloader(self, stage: int) -> Batches:
        """The texts of the stage, which becomes the current one, as where a run goes on within it."""
        self._current = _rows(self.stream.stages[stage].experience.splits["train"])
        return super().stage_train_dataloader(stage)

    def reader(self, stage: int | None = None) -> Reader:
        """The texts of a stage, which becomes the current one, or of the whole stream."""
        stages = self.stream.stages if stage is None else self.stream.stages[stage : stage + 1]
        self._current = frozenset().union(*(_rows(each.experience.splits["train"]) for each in stages))
        return super().reader(stage)

    def generic_reader(self, texts: Sequence[str]) -> Reader:
        """Text of no experience."""
        self._current = frozenset((text, None) for text in texts)
        return super().generic_reader(texts)

    def test_dataloader(self, experiences: Sequence[int] | None = None) -> Batches:
        """The test texts, for the evaluation."""
        self._evaluating = True
        try:
            return super().test_dataloader(experiences)
        finally:
            self._evaluating = False

    def texts(self, split: Dataset, prefix: FrozenPrefix | None) -> EncodedTexts:
        """Texts that may be read now."""
        if not self._evaluating and not _rows(split) <= self._current:
            raise ContractError("texts were read that are not the training texts of the current experience")
        return super().texts(split, prefix)


def _rows(split: Dataset) -> frozenset[tuple[str, str | None]]:
    columns = split[:]
    return frozenset(zip(columns["text"], columns["text_pair"], strict=True))
