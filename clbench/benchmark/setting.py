"""The setting of a measurement: scenario, texts, encoder and threads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from clbench.core.scenario import Stream
from clbench.core.types import Precision
from clbench.data.scenarios import find_scenario
from clbench.data.stream import load_stream
from clbench.models.encoder import TextEncoder, load_encoder
from clbench.models.frozen_prefix import encode
from clbench.models.ragged import RaggedArray


@dataclass(frozen=True)
class Setting:
    """The setting of a measurement: a class-incremental scenario and its texts.

    Attributes:
        scenario: Its name.
        data_dir: The folder of its data, if it needs one.
        encoder: The encoder.
        threads: Threads of torch.
    """

    scenario: str
    data_dir: Path | None
    encoder: str
    threads: int

    @property
    def max_tokens(self) -> int:
        """T, of the scenario's protocol."""
        return find_scenario(self.scenario).protocol.max_tokens

    def stream(self) -> Stream:
        """The scenario with its texts."""
        scenario = find_scenario(self.scenario)
        return load_stream(scenario, scenario.protocol, data_dir=self.data_dir)

    def tokens(self, encoder: TextEncoder, count: int) -> RaggedArray:
        """A random sample of the scenario's training and test texts, tokenized."""
        experiences = self.stream().experiences
        parts = [each.splits[name][:] for each in experiences for name in ("train", "test")]
        texts = [text for part in parts for text in part["text"]]
        order = np.random.default_rng(0).permutation(len(texts))[:count]
        return encoder.tokenize([texts[at] for at in order], [None] * len(order), self.max_tokens)


def begin(setting: Setting, precision: Precision = "auto") -> TextEncoder:
    """Sets the threads of this process, and loads the encoder."""
    torch.set_num_threads(setting.threads)
    return load_encoder(setting.encoder, precision)


def states_of(encoder: TextEncoder, setting: Setting, count: int) -> list[torch.Tensor]:
    """The token states (T, D) of each of some texts."""
    batches = [batch.rows["states"] for batch in encode(encoder, setting.tokens(encoder, count))]
    return [part for rows, lengths in batches for part in torch.from_numpy(rows).split(lengths.tolist())]


def default_setting(
    data_dir: Path | None, encoder: str, threads: int, scenario: str | None = None
) -> Setting:
    """The given scenario, or R8 if its data is there, or else the built-in corpus."""
    if scenario is None and not (data_dir is not None and (data_dir / "r8").is_dir()):
        return Setting("pydocs-cil", None, encoder, threads)
    return Setting(scenario or "r8-cil", data_dir, encoder, threads)
