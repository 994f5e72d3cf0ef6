"""Whole runs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from clbench.benchmark.measure import Measured
from clbench.benchmark.setting import Setting
from clbench.benchmark.training import BATCH
from clbench.core.config import RunConfig
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.models.feature_cache import FeatureCache


def protocol(setting: Setting, cache: Path) -> Measured:
    """The whole single-head protocol of DKVB with oracle keys, with the features in ``cache``."""
    torch.set_num_threads(setting.threads)
    with tempfile.TemporaryDirectory(prefix="clbench-bench-") as results:
        config = RunConfig(
            setting.scenario, "dkvb", encoder=setting.encoder, data_dir=setting.data_dir,
            results=Path(results), threads=setting.threads,
        )  # fmt: skip
        started = time.perf_counter()
        run = prepare(config)
        if run.data.cache is not None:
            run.data.cache = FeatureCache(cache, progress=False)
        execute(run)
        return Measured(time.perf_counter() - started, max(run.result.costs["peak_bytes"].values()))


def naive_protocol(setting: Setting, train: Measured, evaluate: Measured) -> Measured:
    """The same protocol at the naive form's measured rates.

    Three passes of key initialization over all training texts at the rate of evaluation, the training steps,
    and all test texts after each experience.
    """
    stream = setting.stream()
    protocol = stream.scenario.protocol
    sizes = [len(each.splits["train"]) for each in stream.experiences]
    test = sum(len(each.splits["test"]) for each in stream.experiences)
    drawn = protocol.epochs * sum(protocol.samples_per_epoch or size for size in sizes)
    texts = 3 * sum(sizes) + len(sizes) * test
    seconds = texts * evaluate.seconds + drawn / BATCH * train.seconds
    return Measured(seconds, max(train.peak_bytes, evaluate.peak_bytes))
