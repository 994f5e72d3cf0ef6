"""The measures of a language model: bits per byte on each experience and on other text, and continuations."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch

from clbench.core import language_result
from clbench.core.batch import Batch
from clbench.core.language_metrics import rouge_l
from clbench.core.scenario import Stage
from clbench.data.batches import Batches
from clbench.data.stream import generic_texts
from clbench.engine.build import Run
from clbench.engine.continuations import Continuations
from clbench.methods.learner import ContinualLearner
from clbench.models.language_network import LanguageNetwork

GENERAL_TEXTS = 200
"""Most texts of no experience that retention is measured on."""


@torch.no_grad()
def likelihoods(learner: ContinualLearner, batches: Batches) -> np.ndarray:
    """Nats and bytes of the next tokens of each experience's texts, (T, 2).

    Raises:
        FloatingPointError: A log-probability is not a finite number.
    """
    network = cast(LanguageNetwork, learner.network)
    token_bytes = network.source.token_bytes
    learner.eval()
    found = torch.zeros(learner.context.experiences, 2, dtype=torch.float64)
    for each in batches:
        batch: Batch = learner.on_after_batch_transfer(each.to(learner.device), 0)
        nats = -network.log_likelihoods(batch).double().cpu()
        if not nats.isfinite().all():
            raise FloatingPointError("log-probabilities are not finite; try a lower learning rate")
        count = token_bytes[network.targets(batch).cpu()].double()
        place = batch.experience.repeat_interleave(network.sizes(batch)).cpu()
        found.index_add_(0, place, torch.stack([nats, count], 1))
    return found.numpy()


class LanguageScoring:
    """Bits per byte; at the end, greedy continuations of test texts beside those of the untrained model."""

    def untrained(self, run: Run) -> None:
        """See ``Scoring``."""
        counts = self._counts(run, range(len(run.stream)))
        language_result.set_untrained(run.result.language, counts, self._general(run))

    def stage(self, run: Run, stage: Stage) -> None:
        """See ``Scoring``."""
        counts, language = self._counts(run, stage.evaluated), run.result.language
        kept = np.array(language["counts"][-1] if "counts" in language else language["untrained_counts"])
        kept[list(stage.evaluated)] = counts[list(stage.evaluated)]
        joint = run.stream.kind == "joint"
        run.result.metrics = language_result.add_stage(language, kept, self._general(run), joint=joint)

    def finish(self, run: Run) -> None:
        """Continues test texts of each experience, if any are to be."""
        if not run.config.continuations or run.stream.kind == "single":
            return
        with run.meter.phase("evaluate"):
            found = Continuations(run).made()
        entries, scores = [], []
        for name, texts in found.items():
            pairs = [
                (rouge_l(each["continued"], each["true"]), rouge_l(each["untrained"], each["true"]))
                for each in texts
            ]
            if not pairs:
                continue
            mean, before = np.mean(pairs, axis=0).tolist()
            shown = texts[: Continuations.SHOWN]
            entries.append(
                {
                    "name": name,
                    "texts": len(texts),
                    "rouge_l": mean,
                    "untrained_rouge_l": before,
                    "shown": shown,
                }
            )
            scores.append((mean, before))
        run.result.language["continuations"] = entries
        if scores:
            mean, before = np.mean(scores, axis=0).tolist()
            run.result.metrics |= {"rouge_l": mean, "untrained_rouge_l": before}

    def quality(self, run: Run, batches: Batches) -> float:
        """Minus the nats per byte of all texts."""
        nats, count = likelihoods(run.learner, batches).sum(axis=0)
        return float(-nats / count)

    def _counts(self, run: Run, experiences: Sequence[int]) -> np.ndarray:
        """Nats and bytes (T, 2) on these experiences, and zeros for the others."""
        with run.meter.phase("evaluate"):
            load = run.data.test_dataloader if run.config.split == "test" else run.data.val_dataloader
            return likelihoods(run.learner, load(experiences))

    def _general(self, run: Run) -> np.ndarray:
        """Nats and bytes (2,) of the text that no method reads and no experience has."""
        with run.meter.phase("evaluate"):
            found = likelihoods(run.learner, run.data.evaluated_texts(general_texts(run)[0]))
        total: np.ndarray = found.sum(axis=0)
        return total


def general_texts(run: Run) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Text of no experience: that which retention is measured on, and that which methods may read.

    The former are the first texts by a hash, at most half of all, ``GENERAL_TEXTS``, and the limit on test
    texts of an experience.
    """
    most = min(GENERAL_TEXTS, run.data.protocol.test_per_class or GENERAL_TEXTS)
    return _divided(run.config.data_dir, run.config.generic_corpus, most)


@functools.lru_cache(maxsize=4)
def _divided(
    data_dir: Path | None, corpus: Path | None, most: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Read once per process: a run needs them after each of its stages."""
    texts = sorted(
        set(generic_texts(data_dir, corpus)),
        key=lambda text: hashlib.blake2b(text.encode(), digest_size=8).digest(),
    )
    size = min(most, max(1, len(texts) // 2))
    return tuple(texts[:size]), tuple(texts[size:])
