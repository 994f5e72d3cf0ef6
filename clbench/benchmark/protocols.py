"""Whole runs."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

from clbench.benchmark.measure import Measured
from clbench.benchmark.probe import TEST_TEXTS
from clbench.benchmark.setting import Setting
from clbench.benchmark.training import BATCH
from clbench.core.config import RunConfig
from clbench.data.scenarios import find_scenario
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.models.feature_cache import FeatureCache


def dkvb(setting: Setting, cache: Path) -> Measured:
    """The whole single-head protocol of DKVB with oracle keys."""
    return _run(setting, "dkvb", cache, {"initialization": "oracle"})


def probe(setting: Setting, cache: Path) -> Measured:
    """A naive linear probe over the whole domain-incremental stream; features are in the user's own cache."""
    setting = _domains(setting)
    _run(setting, "finetune", None)
    return _run(setting, "finetune", None)


def _run(
    setting: Setting, baseline: str, cache: Path | None, arguments: Mapping[str, Any] = MappingProxyType({})
) -> Measured:
    """One run, from its preparation on, with features in the folder ``cache``; None is the user's cache."""
    torch.set_num_threads(setting.threads)
    with tempfile.TemporaryDirectory(prefix="clbench-bench-") as results:
        config = RunConfig(
            setting.scenario, baseline, tuning="frozen", encoder=setting.encoder, data_dir=setting.data_dir,
            results=Path(results), threads=setting.threads, arguments=arguments,
        )  # fmt: skip
        started = time.perf_counter()
        run = prepare(config)
        if cache is not None:
            run.data.cache = FeatureCache(cache, progress=False)
        execute(run)
        return Measured(time.perf_counter() - started, max(run.result.costs["peak_bytes"].values()))


def _domains(setting: Setting) -> Setting:
    """Full DSC where its data is, or else the built-in corpus."""
    there = setting.data_dir is not None and (setting.data_dir / "dsc").is_dir()
    return replace(setting, scenario="dsc-dil" if there else "pydocs-dil")


def naive_dkvb(setting: Setting, train: Measured, evaluate: Measured) -> Measured:
    """The protocol of DKVB at the naive form's measured rates, per step and per text.

    Three passes of key initialization over all training texts at the rate of evaluation, the training steps,
    and all test texts after each experience.
    """
    drawn, test, stages, training = _sizes(setting)
    texts = 3 * training + stages * test
    seconds = texts * evaluate.seconds + drawn / BATCH * train.seconds
    return Measured(seconds, max(train.peak_bytes, evaluate.peak_bytes))


def naive_probe(setting: Setting, train: Measured, evaluate: Measured) -> Measured:
    """The run of the probe at the naive form's measured rates, per step and per evaluation."""
    setting = _domains(setting)
    drawn, test, stages, _ = _sizes(setting)
    steps = drawn / find_scenario(setting.scenario).protocol.batch_size
    seconds = steps * train.seconds + (stages + 1) * test / TEST_TEXTS * evaluate.seconds
    return Measured(seconds, max(train.peak_bytes, evaluate.peak_bytes))


def _sizes(setting: Setting) -> tuple[int, int, int, int]:
    """Texts drawn in training, test texts, experiences, and training texts of a stream."""
    stream = setting.stream()
    protocol = stream.scenario.protocol
    sizes = [len(each.splits["train"]) for each in stream.experiences]
    test = sum(len(each.splits["test"]) for each in stream.experiences)
    drawn = protocol.epochs * sum(protocol.samples_per_epoch or size for size in sizes)
    return drawn, test, len(sizes), sum(sizes)


class Protocol(NamedTuple):
    """A whole run that can be measured, against what it would take at the rates of other measurements.

    Attributes:
        name: As on the command line; those of one ``engine`` are measured in turn, with one cache.
        what: What is measured.
        target: The ratio that is wanted.
        rates: The measurements with the rates of the naive form: of a step and of an evaluation.
        naive: Takes the setting and those rates.
        engine: Takes the setting and the folder of the cache.
    """

    name: str
    what: str
    target: float
    rates: tuple[str, str]
    naive: Callable[[Setting, Measured, Measured], Measured]
    engine: Callable[[Setting, Path], Measured]


DKVB_RATES, PROBE_RATES = ("train_step", "evaluate"), ("probe_step", "evaluate_stream")
PROTOCOLS = (
    Protocol(
        "protocol_cold",
        "whole single-head protocol of DKVB from an empty cache, against measured naive rates",
        100,
        DKVB_RATES,
        naive_dkvb,
        dkvb,
    ),
    Protocol("protocol_warm", "the same from a full cache", 100, DKVB_RATES, naive_dkvb, dkvb),
    Protocol(
        "probe_run",
        "whole domain-incremental run of a linear probe from a full cache, against measured naive rates",
        10,
        PROBE_RATES,
        naive_probe,
        probe,
    ),
)
