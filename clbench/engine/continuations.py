"""Greedy continuations of test texts, by the learner and by the untrained model."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from clbench.core.costs import Cost
from clbench.engine.build import Run
from clbench.models.language_network import FrozenLanguageModel, LanguageNetwork

AT_ONCE = 16
"""Texts that are continued together; all have prompts of one length."""


class Continuations:
    """Continues the beginnings of test texts, the first of each experience that are long enough.

    Args:
        run: A run of a language model, after its last stage.
    """

    PROMPT = 32
    """Tokens that are given, or half of the longest text where that is less."""
    LENGTH = 32
    """Tokens that are generated, or as many as a text can have after its prompt."""
    SHOWN = 3
    """Texts of each experience that the result file holds."""

    def __init__(self, run: Run) -> None:
        self._run = run
        limit = run.data.protocol.max_tokens
        self.prompt = min(self.PROMPT, limit // 2)
        self.length = min(self.LENGTH, limit - self.prompt)

    def made(self) -> dict[str, list[dict[str, str]]]:
        """By experience, of each text its beginning, how it goes on, and how both models continue it."""
        run, network = self._run, cast(LanguageNetwork, self._run.learner.network)
        source = network.source
        found: dict[str, list[dict[str, str]]] = {}
        network.eval()
        for each in run.stream.experiences:
            texts = each.splits["test" if run.config.split == "test" else "validation"][:]["text"]
            tokens = source.tokenize(texts, [None] * len(texts), self.prompt + self.length)
            rows = [ids[:, 0] for ids in tokens if len(ids) > self.prompt][: run.config.continuations]
            if not rows:
                found[each.name] = []
                continue
            prompts = torch.stack([torch.from_numpy(ids[: self.prompt].copy()).long() for ids in rows])
            ours, before = self._ids(network, prompts), self._untrained(prompts)
            found[each.name] = [
                {
                    "prompt": source.decoded(ids[: self.prompt].tolist()),
                    "true": source.decoded(ids[self.prompt :].tolist()),
                    "continued": source.decoded(mine.tolist()),
                    "untrained": source.decoded(other.tolist()),
                }
                for ids, mine, other in zip(rows, ours, before, strict=True)
            ]
        return found

    def _untrained(self, prompts: Tensor) -> Tensor:
        """Those of the frozen model; they are the same for every method."""
        run, network = self._run, FrozenLanguageModel(self._run.learner.context)
        if run.data.cache is None:
            return self._ids(network, prompts)
        source = network.source
        address = f"{source.name} {source.fingerprint} {source.dtype} {run.learner.device.type} greedy "
        address += f"{self.length} {prompts.tolist()}"

        def make() -> tuple[dict[str, Tensor], Cost]:
            with run.meter.apart() as account:
                made = self._ids(network, prompts)
            return {"ids": made}, account.cost

        tensors, _ = run.data.cache.tensors(address, make)
        return tensors["ids"]

    def _ids(self, network: LanguageNetwork, prompts: Tensor) -> Tensor:
        device = self._run.learner.device
        parts = [greedy(network, some.to(device), self.length).cpu() for some in prompts.split(AT_ONCE)]
        return torch.cat(parts)


@torch.no_grad()
def greedy(network: LanguageNetwork, prompts: Tensor, length: int) -> Tensor:
    """The most likely next token, ``length`` times.

    Args:
        network: A language model in eval mode.
        prompts: (B, T) token ids.
        length: Tokens to generate.

    Returns:
        (B, length) token ids.
    """
    body = network.body
    body.to(device=prompts.device)  # type: ignore[call-arg]  # transformers wraps it untyped
    body.eval()
    inputs, cache = network.beginning(prompts), None
    found = []
    for _ in range(length):
        output = body(**inputs, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        ids = network.distribution(output.last_hidden_state[:, -1].float()).argmax(1, keepdim=True)
        inputs = {"input_ids": ids}
        found.append(ids)
    return torch.cat(found, 1)
