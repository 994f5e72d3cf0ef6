"""What can be known to be wrong with a run before torch is imported, texts are read or files are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import get_args

from clbench.core.config import RunConfig
from clbench.core.console import SafeStream
from clbench.core.errors import UserError
from clbench.core.io import cache_budget, check_folder
from clbench.core.ranges import Capacity
from clbench.core.scenario import Scenario
from clbench.data import formats
from clbench.data.orders import arrange
from clbench.data.scenarios import find_scenario
from clbench.engine.method import Method, find_method
from clbench.methods.info import MethodInfo, refused_task
from clbench.models.declared import ENCODERS
from clbench.models.folder_facts import check_files
from clbench.models.pretrained import encoder_folder


def check_runs(configs: Iterable[RunConfig]) -> None:
    """Refuses runs of which one cannot work; each scenario is looked up once.

    Raises:
        UserError: See ``check_run``.
    """
    scenarios: dict[str, Scenario] = {}
    seen, orders = set(), set()
    for config in configs:
        if config.scenario not in scenarios:
            scenarios[config.scenario] = find_scenario(config.scenario)
        scenario = scenarios[config.scenario]
        given = (
            config.scenario, config.baseline, config.tuning, config.encoder, config.experiences, config.head,
            config.max_tokens, repr(config.arguments),
        )  # fmt: skip
        places = (config.data_dir, config.generic_corpus, config.results, config.joint, config.single)
        if (given, places) not in seen:
            seen.add((given, places))
            check_run(config, scenario)
        if (config.scenario, config.order) not in orders:
            orders.add((config.scenario, config.order))
            arrange(scenario, config.order)


def check_run(config: RunConfig, scenario: Scenario | None = None) -> None:
    """Refuses a run that cannot work.

    Args:
        config: The run.
        scenario: Its scenario, if that was looked up already.

    Raises:
        UserError: The scenario, its order or data, the encoder, the tuning or a folder is wrong.
    """
    _ = config.stream_kind  # joint and single exclude each other
    method = find_method(config.baseline)
    info = method.info
    name = config.baseline.rpartition(".")[2]
    if config.tuning is not None and config.tuning not in info.tunings:
        possible = " or ".join(info.tunings)
        raise UserError(f"option tuning is '{config.tuning}': {name} works with tuning {possible}")
    check_head(config, info)
    scenario = find_scenario(config.scenario) if scenario is None else scenario
    tokens = config.protocol(scenario.protocol).max_tokens
    check_encoder(config.encoder, tokens if scenario.task == "classification" else None)
    if refused := refusal(name, info, scenario):
        raise UserError(refused)
    most = len(scenario.parts)
    if config.experiences is not None and config.experiences > most:
        raise UserError(f"experiences {config.experiences}: scenario '{scenario.name}' has 1 to {most}")
    arrange(scenario, config.order)
    check_data(scenario, config.data_dir)
    if config.generic_corpus is not None and not config.generic_corpus.is_dir():
        raise UserError(f"generic corpus {config.generic_corpus}: no such folder")
    check_folder(config.results, "option results")
    cache_budget()
    for caution in cautions(config, scenario, method):
        SafeStream().write(f"clbench: warning: {caution}\n")


def refusal(name: str, info: MethodInfo, scenario: Scenario) -> str | None:
    """Why a method cannot learn a scenario, whatever its options are; None where it can."""
    if scenario.task not in info.tasks:
        return f"scenario '{scenario.name}': baseline {refused_task(name, scenario.task)}"
    if info.needs_task_id and not scenario.task_aware:
        return (
            f"baseline {name} needs a scenario in which the experience is known at test time (task-aware); "
            f"'{scenario.name}' is none"
        )
    return None


def cautions(config: RunConfig, scenario: Scenario, method: Method) -> Iterator[str]:
    """What makes the result of a run look worse or better than its method is, as far as it can be told."""
    name = config.baseline.rpartition(".")[2]
    classes = len(scenario.columns)
    for argument, option in method.options.items():
        size = config.arguments.get(argument, option.default)
        holds_texts = option.type == Capacity or Capacity in get_args(option.type)
        if holds_texts and size is not None and size < classes and scenario.task == "classification":
            yield (
                f"{argument} {size} of {name} is fewer texts than the {classes} classes of scenario "
                f"'{scenario.name}'; --baseline.{argument} sets it"
            )
    alone = [part.name for part in scenario.parts if len(part.labels) == 1]
    if scenario.task_aware and alone:
        yield (
            f"scenario '{scenario.name}' is task-aware and experience '{alone[0]}' has one class: every "
            "answer on it is right"
        )


def check_head(config: RunConfig, info: MethodInfo) -> None:
    """Refuses a text CNN where none can be trained.

    Raises:
        UserError: The encoder trains itself, or the method trains nothing.
    """
    tuning = config.tuning or info.tunings[0]
    if config.head == "linear":
        return
    if tuning != "frozen":
        raise UserError(f"option head is '{config.head}': it works with tuning frozen, not {tuning}")
    if info.gradient_free:
        name = config.baseline.rpartition(".")[2]
        raise UserError(f"option head is '{config.head}': {name} trains no network")


def check_encoder(name: str, max_tokens: int | None = None) -> None:
    """Refuses an encoder that is neither declared nor a folder of files that can be right.

    Args:
        name: Of the encoder, or its folder.
        max_tokens: What it should read; None is not checked here.

    Raises:
        UserError: It is neither, or reads fewer tokens.
    """
    most = ENCODERS[name].max_tokens if name in ENCODERS else check_files(encoder_folder(name))
    if most is not None and max_tokens is not None and max_tokens > most:
        raise UserError(f"max_tokens {max_tokens}: the encoder '{name}' reads at most {most} tokens")


def check_data(scenario: Scenario, data_dir: Path | None) -> None:
    """Refuses a scenario whose data is not in its folder; what is in its files is not read.

    Raises:
        UserError: No folder is given, or it lacks a dataset.
    """
    for dataset in _in_data_dir(scenario):
        formats.in_folder(data_dir, dataset)


def missing_datasets(scenario: Scenario, data_dir: Path) -> list[str]:
    """The datasets of a scenario that a folder of datasets lacks."""
    return [dataset for dataset in _in_data_dir(scenario) if not (data_dir / dataset).is_dir()]


def _in_data_dir(scenario: Scenario) -> list[str]:
    """The datasets of a scenario that are in the folder of all datasets."""
    names = dict.fromkeys(part.dataset for part in scenario.parts) if scenario.source == "folder" else {}
    return [name for name in names if name not in scenario.sources]
