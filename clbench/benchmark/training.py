"""Steps of training and evaluation."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from clbench.benchmark import naive
from clbench.benchmark.keys import HEADS, KEYS
from clbench.benchmark.measure import Case, Measured, repeated
from clbench.benchmark.setting import Setting, begin, states_of
from clbench.core.batch import Batch, pack
from clbench.core.device import compute_device
from clbench.data.scenarios import find_scenario
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.optimizers import RowSGD
from clbench.models.context import RunContext
from clbench.models.ragged import RaggedArray

BATCH, EVALUATION_BATCH = 16, 64


def _naive_model(setting: Setting, count: int) -> tuple[naive.NaiveDKVB, RaggedArray]:
    encoder = begin(setting, "float32")
    tokens = setting.tokens(encoder, count)
    keys = torch.randn(HEADS, KEYS, encoder.hidden_size // HEADS, generator=torch.Generator().manual_seed(0))
    columns = len(find_scenario(setting.scenario).columns)
    return naive.NaiveDKVB(encoder, keys, columns, setting.max_tokens).to(compute_device()), tokens


def train_naive(setting: Setting) -> Measured:
    """Per step of 16 texts."""
    model, tokens = _naive_model(setting, BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    return repeated(lambda: naive.training_step(model, optimizer, tokens), units=1)


def evaluate_naive(setting: Setting) -> Measured:
    """Per text."""
    model, tokens = _naive_model(setting, BATCH)

    def work() -> None:
        with torch.no_grad():
            model(tokens).argmax(1)

    return repeated(work, units=len(tokens))


def _engine_model(setting: Setting, count: int) -> tuple[BottleneckNetwork, list[np.ndarray]]:
    """A bottleneck with keys at token states, and the selections of some texts."""
    encoder = begin(setting)
    columns = len(find_scenario(setting.scenario).columns)
    context = RunContext(
        encoder, columns=columns, experiences=1, max_tokens=setting.max_tokens, tuning="frozen"
    )
    layout = Layout("hidden", "mean", "after", "non-parametric", HEADS, KEYS, 1, 0, "masked",
                    encoder.hidden_size, setting.max_tokens)  # fmt: skip
    network = BottleneckNetwork(context, layout)
    states = states_of(encoder, setting, count)
    whole = torch.cat(states)
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))[:KEYS]
    network.keys.copy_(whole[order].view(KEYS, HEADS, -1).transpose(0, 1))
    pairs, sizes = network.select(whole, torch.tensor([len(rows) for rows in states]))
    return network.to(compute_device()), [each.numpy() for each in pairs.split(sizes.tolist())]


def _batches(network: BottleneckNetwork, rows: list[np.ndarray], size: int) -> list[list[np.ndarray]]:
    whole = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [each for each in whole if len(each) == size]


def _batch(rows: list[np.ndarray]) -> Batch:
    nothing = torch.zeros(len(rows), dtype=torch.int64)
    return Batch(*pack(rows), nothing, torch.empty(0), nothing).to(compute_device())


def train_engine(setting: Setting) -> Measured:
    """Per step of 16 texts, making the batch included."""
    network, rows = _engine_model(setting, 320)
    torch.set_num_threads(1)  # as in a run: see ``one_thread``
    optimizer = RowSGD(network.parameters(), lr=float(network.layout.selections))
    order = np.random.default_rng(0).permutation(len(rows))
    batches = _batches(network, [rows[at] for at in order], BATCH)

    def work() -> None:
        for each in batches:
            batch = _batch(each)
            optimizer.zero_grad()
            F.cross_entropy(network(batch), batch.targets).backward()
            optimizer.step()

    return repeated(work, units=len(batches))


def evaluate_engine(setting: Setting) -> Measured:
    """Per text, making the batch included; texts come by length, as in a run."""
    network, rows = _engine_model(setting, 320)
    torch.set_num_threads(1)
    batches = _batches(network, sorted(rows, key=len), EVALUATION_BATCH)

    def work() -> None:
        with torch.no_grad():
            for each in batches:
                network(_batch(each)).argmax(1)

    return repeated(work, units=len(batches) * EVALUATION_BATCH)


CASES = (
    Case(
        "train_step",
        f"DKVB training step on {BATCH} texts, against encoding, cdist, expand and gather, dense AdamW",
        500,
        train_naive,
        train_engine,
    ),
    Case("evaluate", "DKVB evaluation of a text, likewise", 1000, evaluate_naive, evaluate_engine),
)
