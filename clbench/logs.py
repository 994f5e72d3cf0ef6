"""Runs in Weights & Biases, through Lightning's logger."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from lightning.pytorch.loggers import WandbLogger

WandbMode = Literal["disabled", "offline", "online"]


def quiet_lightning() -> None:
    """Keeps Lightning's notes about devices and unused features out of the summary of a run."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def wandb_logger(mode: WandbMode, config: dict[str, Any], folder: Path) -> WandbLogger | None:
    """The logger of one run, or None where logging is disabled.

    Args:
        mode: ``offline`` needs neither account nor network; ``wandb sync`` sends such a run later.
        config: As in the result file.
        folder: The results folder; the run's own files go to ``wandb`` in it.
    """
    if mode == "disabled":
        return None
    import wandb
    from lightning.pytorch.loggers import WandbLogger

    folder.mkdir(parents=True, exist_ok=True)
    logger = WandbLogger(
        project="clbench",
        name=f"{config['scenario']}/{config['method']}/order{config['order']}-seed{config['seed']}",
        save_dir=folder,
        offline=mode == "offline",
        group=config["scenario"],
        job_type=config["method"],
        tags=[config["scenario"], config["encoder"], config["tuning"]],
        config=config,
        log_model=False,
        settings=wandb.Settings(silent=True),
    )
    # Curves over experiences have an axis of their own: the optimizer's step starts again at each.
    logger.experiment.define_metric("experience")
    logger.experiment.define_metric("eval/*", step_metric="experience")
    return logger


def log_stage(logger: WandbLogger | None, result: dict[str, Any], names: list[str]) -> None:
    """Logs the newest row of a result: accuracy on each experience and on the union of all test texts."""
    if logger is None:
        return
    row = zip(names, result["accuracy"][-1], strict=True)
    logger.experiment.log(
        {
            "experience": len(result["accuracy"]),
            "eval/stream_accuracy": result["stream_accuracy"][-1],
            **{f"eval/accuracy/{name}": value for name, value in row},
        }
    )


def log_end(logger: WandbLogger | None, result: dict[str, Any]) -> None:
    """Puts final metrics and costs into the run's summary and closes the run."""
    if logger is None:
        return
    summary = logger.experiment.summary
    summary.update({"status": result["status"], **result["metrics"]})
    for group in ("seconds", "parameters", "carried_bytes", "peak_bytes"):
        summary.update({f"{group}/{name}": value for name, value in result["costs"][group].items()})
    logger.experiment.finish(exit_code=0 if result["status"] == "done" else 1)
