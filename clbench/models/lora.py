"""Low-rank adaptation (LoRA; Hu et al. 2021, arXiv 2106.09685) of a frozen encoder, by peft."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import nn

from clbench.core.errors import UserError
from clbench.models.attention import lora_targets

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def add_lora(model: PreTrainedModel, rank: int = 8, generator: torch.Generator | None = None) -> None:
    """Freezes ``model`` and adds low-rank updates to its query and value projections, in place.

    A projection becomes ``W x + (alpha / rank) B A x`` with alpha = 2 rank; B starts at zero, so that the
    outputs are unchanged, bit for bit, until it is trained. With L layers and separate projections from and
    to the hidden size D, 4 L D rank parameters train. Where one layer makes queries, keys and values, it is
    updated as a whole.

    Args:
        model: An encoder; see ``clbench.models.attention.lora_targets``.
        rank: The rank of the updates.
        generator: Draws A; None for the global random state.

    Raises:
        UserError: The model has no projections of attention, or ``rank`` is not positive.
    """
    if rank < 1:
        raise UserError(f"lora_rank {rank}: the update needs at least rank 1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft imports optional packages that warn
        from peft import LoraConfig, inject_adapter_in_model

        targets = lora_targets(model)
        if not targets:
            raise UserError(f"LoRA: no linear layers of attention in type '{model.config.model_type}'")
        transposed = type(model.get_submodule(targets[0])).__name__ == "Conv1D"
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            target_modules=targets,
            fan_in_fan_out=transposed,
        )
        with torch.random.fork_rng(devices=[]):  # peft draws A from the global random state
            inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:  # the same distribution as peft's, from a generator of our own
            nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
