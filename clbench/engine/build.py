"""From the configuration of a run to all its parts: bad input is found here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from clbench.core.config import RunConfig
from clbench.core.costs import Meter
from clbench.core.device import gpu_name, keep_freed_memory, repeatable_kernels
from clbench.core.io import folder_name
from clbench.core.provenance import provenance
from clbench.core.result import RunResult
from clbench.core.scenario import Protocol, Scenario, Stream
from clbench.core.seeding import derive, seeded
from clbench.core.types import OnProgress
from clbench.data.datamodule import ScenarioDataModule
from clbench.engine.early_stopping import check_patience
from clbench.engine.encoder_drift import check_encoder_drift
from clbench.engine.registry import baseline_class
from clbench.engine.resolved import adapter_size_of, prompt_length_of, resolved_config, tuning_of
from clbench.engine.shared import Shared, fingerprints
from clbench.methods.learner import ContinualLearner
from clbench.models.context import RunContext
from clbench.models.encoder import TextEncoder
from clbench.models.feature_cache import FeatureCache


@dataclass
class Run:
    """A run with all its parts made: see ``prepare`` and ``execute``.

    Attributes:
        config: What was asked for.
        encoder: The pretrained encoder.
        stream: The experiences, and the stages of training that they make.
        data: Gives batches of the stream.
        learner: The method.
        result: What the result file will hold.
        path: The result file.
        again: Whether it starts over beside a result that is there, to replace that when it is done.
        meter: What the run costs.
        changed_per_step: Parameters that one training step can change, as far as training began.
        start: The learner's state before the first stage, from which each fresh learner starts.
        drifted: Experiences that the encoder of ``data`` was fine-tuned on, where it changes in the stream.
    """

    config: RunConfig
    encoder: TextEncoder
    stream: Stream
    data: ScenarioDataModule
    learner: ContinualLearner
    result: RunResult
    path: Path
    meter: Meter
    changed_per_step: int = 0
    start: dict[str, torch.Tensor] = field(default_factory=dict)
    again: bool = False
    drifted: int = 0

    @property
    def working(self) -> Path:
        """The folder of checkpoints and temporary files, beside the result file until the run is done."""
        return self.path.with_suffix(".again" if self.again else "")

    @property
    def unfinished(self) -> Path:
        """Where the result is written as long as the run is not done."""
        return self.working / "result.json" if self.again else self.path


def prepare(
    config: RunConfig,
    *,
    progress: bool = False,
    scenario: Scenario | None = None,
    shared: Shared | None = None,
    on_progress: OnProgress | None = None,
) -> Run:
    """Finds and loads what a run needs. Bad input is found here, before anything is written.

    Args:
        config: The configuration.
        progress: Whether to show progress bars.
        scenario: A scenario that is declared nowhere; None takes the declared one of that name.
        shared: Encoders and streams of other runs in this process.
        on_progress: Is told how far the work before and between the steps of training is.

    Raises:
        UserError: The configuration or the data is wrong; the message is one line.
    """
    if config.threads is not None:
        torch.set_num_threads(config.threads)
    repeatable_kernels()
    keep_freed_memory()
    if on_progress is not None:
        on_progress("loading texts and encoder", 0, 1)
    shared = Shared() if shared is None else shared
    if scenario is None:
        scenario = shared.scenario(config.scenario)
    encoder = shared.encoder(config, scenario.task)
    protocol = config.protocol(scenario.protocol)
    encoder.check_length(protocol.max_tokens)
    stream = shared.stream(config, scenario, protocol)
    check_patience(stream, protocol)
    learner = _learner(config, encoder, stream, protocol)
    check_encoder_drift(scenario, frozen=learner.network.prefix is not None, cached=config.cache_features)
    cache = None
    if config.cache_features:
        budget = shared.budget()
        cache = FeatureCache(budget.folder, budget=budget, progress=progress, on_progress=on_progress)
    meter = Meter()
    data = ScenarioDataModule(
        stream, encoder, protocol, lambda: learner.network.prefix, cache=cache, seed=config.seed, meter=meter
    )
    resolved = resolved_config(config, learner, stream, protocol)
    names = (scenario.name, encoder.name, resolved["method"])
    folder = config.results.joinpath(*map(folder_name, names))
    path = folder / f"order{config.order.replace(':', '-')}-seed{config.seed}.json"
    source = provenance(fingerprints(encoder, stream), torch.get_num_threads(), gpu_name())
    source |= {"datasets": stream.data, "experiment": config.wandb_group}
    source |= {} if config.search is None else {"search": dict(config.search)}
    result = RunResult(resolved, source)
    return Run(config, encoder, stream, data, learner, result, path, meter)


def _learner(config: RunConfig, encoder: TextEncoder, stream: Stream, protocol: Protocol) -> ContinualLearner:
    context = RunContext(
        encoder=encoder,
        columns=len(stream.scenario.columns),
        experiences=len(stream),
        texts=sum(len(stage.experience.splits["train"]) for stage in stream.stages),
        task_aware=stream.scenario.task_aware,
        task=stream.scenario.task,
        max_tokens=protocol.max_tokens,
        batch_size=protocol.batch_size,
        tuning=tuning_of(config),
        lr=config.lr,
        weight_decay=config.weight_decay,
        adapter_size=adapter_size_of(config),
        adapter_placement=config.adapter_placement,
        lora_rank=config.lora_rank,
        prompt_length=prompt_length_of(config),
        pooling=config.pooling,
        head=config.head,
        seed=config.seed,
    )
    # For constructors that draw from the global random state.
    with seeded(derive(config.seed, "constructor")):
        return baseline_class(config.baseline)(context, **config.arguments)
