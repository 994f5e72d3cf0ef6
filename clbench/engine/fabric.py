"""Device, precision and logger of a learner, by Lightning's Fabric."""

from __future__ import annotations

import logging

import torch
from lightning.fabric import Fabric
from lightning.fabric.loggers.logger import Logger
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from clbench.core.device import compute_device
from clbench.methods.learner import ContinualLearner


def make_fabric(logger: Logger | None, dtype: torch.dtype = torch.float32) -> Fabric:
    """One device, without a look at the variables of SLURM or other launchers.

    Args:
        logger: Receives the loss.
        dtype: What ``Fabric.autocast`` computes in: float32 or bfloat16.
    """
    for name in ("lightning.fabric", "lightning.pytorch"):  # notes about devices and precision go to either
        logging.getLogger(name).setLevel(logging.ERROR)
    return Fabric(
        precision="bf16-mixed" if dtype == torch.bfloat16 else "32-true",
        accelerator=compute_device().type,
        devices=1,
        plugins=[LightningEnvironment()],
        loggers=[] if logger is None else [logger],
    )


def attach(learner: ContinualLearner, fabric: Fabric) -> None:
    """Moves a learner to the device of ``fabric`` and gives it the precision and the logger.

    In place of ``Fabric.setup_module``, which keeps each module among the callbacks: a cycle of references,
    in which a whole model would stay in memory long after its run.
    """
    fabric.to_device(learner)
    learner.fabric = fabric
    learner.network.autocast = fabric.autocast
