"""Soft prompts (Lester et al. 2021, arXiv 2104.08691): trained vectors before the embeddings of a text.

Plain torch: peft's own models for an encoder without a task head drop segment ids as soon as there is a
prompt, so that pairs of texts become one text, and draw from the global random state.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from clbench.core.errors import UserError
from clbench.models.encoder import token_states
from clbench.models.pretrained import position_limit

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def add_prompt(
    model: PreTrainedModel, length: int, max_tokens: int, generator: torch.Generator
) -> nn.Parameter:
    """Freezes ``model``, and makes the prompt that trains in its place.

    Args:
        model: An encoder or a decoder.
        length: P, the vectors of the prompt.
        max_tokens: The longest text.
        generator: Draws the tokens whose embeddings the prompt starts at.

    Returns:
        (P, E), for ``clbench.models.encoder.token_states``.

    Raises:
        UserError: See ``freeze_for_prompts``.
    """
    freeze_for_prompts(model, length, max_tokens)
    return nn.Parameter(random_embeddings(model, length, generator))


@torch.no_grad()
def freeze_for_prompts(model: PreTrainedModel, length: int, max_tokens: int) -> None:
    """Freezes ``model`` and refuses one that cannot have so long a prompt.

    Args:
        model: An encoder or a decoder.
        length: The vectors before a text, at most.
        max_tokens: The longest text.

    Raises:
        UserError: It has too few positions, or its states do not follow from embeddings alone.
    """
    limit = position_limit(model.config)
    if limit is not None and length + max_tokens > limit:
        raise UserError(
            f"max_tokens {max_tokens}: with {length} vectors of prompts before a text, the encoder has "
            f"positions for at most {max(0, limit - length)} tokens"
        )
    kind = model.config.model_type
    refused = f"prompts: an encoder of type '{kind}' does not take embeddings in place of token ids; "
    refused += "tuning full, frozen or lora may work"
    try:
        size, width = _table(model).shape
    except NotImplementedError as error:  # CANINE embeds hashes of characters
        raise UserError(refused) from error
    if "inputs_embeds" not in inspect.signature(model.forward).parameters:
        raise UserError(refused)
    rows = torch.stack([torch.arange(size - 3, size), torch.zeros(3, dtype=torch.int64)], 1).unsqueeze(0)
    mask = torch.ones(1, 3, dtype=torch.bool)
    given = token_states(model, rows, mask)
    embedded = token_states(model, rows, mask, torch.zeros(0, width))
    if not torch.allclose(given, embedded, atol=1e-4):
        raise UserError(refused)
    model.requires_grad_(False)


def random_embeddings(model: PreTrainedModel, count: int, generator: torch.Generator) -> Tensor:
    """The embeddings (count, E) of tokens drawn uniformly, with replacement."""
    ids = torch.randint(len(_table(model)), (count,), generator=generator)
    with torch.no_grad():
        found: Tensor = model.get_input_embeddings()(ids)  # some models scale what is in the table
    return found.clone()


def _table(model: PreTrainedModel) -> Tensor:
    """The embeddings of all tokens, (V, E); in some encoders E is not the size of a state."""
    return cast(Tensor, model.get_input_embeddings().weight)
