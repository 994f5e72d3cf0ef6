"""How a learner is measured: by confusion counts, or a language model by nats and bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from clbench.core.device import one_thread
from clbench.core.metrics import accuracy_from_counts
from clbench.core.scenario import Stage
from clbench.core.types import Task
from clbench.data.batches import Batches
from clbench.data.stream import generic_texts
from clbench.engine import language_scoring
from clbench.engine.build import Run
from clbench.engine.evaluation import confusion


class Scoring(Protocol):
    """What a run measures of its learner."""

    def untrained(self, run: Run) -> None:
        """Measures the learner before any training: the baseline of forward transfer."""
        ...

    def stage(self, run: Run, stage: Stage) -> None:
        """Measures it after a stage; experiences it is not evaluated on keep what was last measured."""
        ...

    def finish(self, run: Run) -> None:
        """Measures what is measured once, after the last stage."""
        ...

    def quality(self, run: Run, batches: Batches) -> float:
        """One number of validation texts by which epochs are compared: higher is better."""
        ...


class ClassScoring:
    """Confusion counts on the evaluation texts of each experience."""

    def untrained(self, run: Run) -> None:
        """See ``Scoring``."""
        run.result.set_untrained(self._counts(run, range(len(run.stream))))

    def stage(self, run: Run, stage: Stage) -> None:
        """See ``Scoring``."""
        counts, result = self._counts(run, stage.evaluated), run.result
        kept = result.counts(-1 if result.confusion else None)
        kept[list(stage.evaluated)] = counts[list(stage.evaluated)]
        result.add_stage(kept)

    def finish(self, run: Run) -> None:
        """See ``Scoring``."""

    def quality(self, run: Run, batches: Batches) -> float:
        """Accuracy."""
        return accuracy_from_counts(confusion(run.learner, batches).sum(axis=0))

    def _counts(self, run: Run, experiences: Sequence[int]) -> np.ndarray:
        """Confusion counts (T, C, C) on these experiences, and zeros for the others."""
        learner, data = run.learner, run.data
        with run.meter.phase("evaluate"):
            load = data.test_dataloader if run.config.split == "test" else data.val_dataloader
            batches = load(experiences)
            with one_thread(learner.network.prefix is not None):
                return confusion(learner, batches)


SCORINGS: Mapping[Task, Scoring] = {
    "classification": ClassScoring(),
    "language-model": language_scoring.LanguageScoring(),
}


def scoring_of(run: Run) -> Scoring:
    """How this run measures its learner."""
    return SCORINGS[run.stream.scenario.task]


def readable_texts(run: Run) -> Sequence[str]:
    """The text of no experience that a method may read; a language model is evaluated on the rest of it."""
    if run.stream.scenario.task == "language-model":
        return language_scoring.general_texts(run)[1]
    return generic_texts(run.config.data_dir, run.config.generic_corpus)
