"""The comparisons of ``clbench bench``; each function runs in a process of its own."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from clbench.benchmark import naive
from clbench.benchmark.measure import Measured, repeated
from clbench.core.batch import Batch, pad
from clbench.core.config import RunConfig
from clbench.core.costs import peak_bytes, reset_peak
from clbench.core.device import compute_device
from clbench.core.scenario import Stream
from clbench.core.types import Dtype
from clbench.data.scenarios import find_scenario
from clbench.data.stream import load_stream
from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.codebook import nearest_keys
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.optimizers import RowSGD
from clbench.models.context import RunContext
from clbench.models.encoder import TextEncoder, load_encoder
from clbench.models.feature_cache import FeatureCache
from clbench.models.frozen_prefix import encode

HEADS, KEYS = 32, 4096
BATCH, EVALUATION_BATCH = 16, 64


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

    def tokens(self, encoder: TextEncoder, count: int) -> list[np.ndarray]:
        """A random sample of the scenario's training and test texts, tokenized."""
        experiences = self.stream().experiences
        parts = [each.splits[name][:] for each in experiences for name in ("train", "test")]
        texts = [text for part in parts for text in part["text"]]
        order = np.random.default_rng(0).permutation(len(texts))[:count]
        return encoder.tokenize([texts[at] for at in order], [None] * len(order), self.max_tokens)


def _begin(setting: Setting, dtype: Dtype = "auto") -> TextEncoder:
    torch.set_num_threads(setting.threads)
    return load_encoder(setting.encoder, dtype)


def encode_naive(setting: Setting) -> Measured:
    """Per text: batches of 32, padded to the length limit, float32."""
    encoder = _begin(setting, "float32")
    tokens = setting.tokens(encoder, 32)
    return repeated(lambda: naive.encode(encoder, tokens, setting.max_tokens), units=len(tokens))


def encode_engine(setting: Setting) -> Measured:
    """Per text: batches of texts of like length."""
    encoder = _begin(setting)
    tokens = setting.tokens(encoder, 2048)
    list(encode(encoder, tokens[:64]))
    reset_peak()
    started = time.perf_counter()
    for _ in encode(encoder, tokens):
        pass
    return Measured((time.perf_counter() - started) / len(tokens), max(peak_bytes().values()))


def _states(encoder: TextEncoder, setting: Setting, count: int) -> list[torch.Tensor]:
    return [torch.from_numpy(rows) for _, rows, _ in encode(encoder, setting.tokens(encoder, count))]


def _queries(setting: Setting) -> tuple[torch.Tensor, torch.Tensor]:
    """Queries (N, H, d) of real tokens, and keys (H, K, d) that are queries of others."""
    encoder = _begin(setting)
    states = torch.cat(_states(encoder, setting, 320))
    order = torch.randperm(len(states), generator=torch.Generator().manual_seed(0))
    cut = states[order].view(len(states), HEADS, -1)
    keys = cut[:KEYS].transpose(0, 1).contiguous()
    return cut[KEYS : KEYS + 8192].contiguous(), keys


def assign_naive(setting: Setting) -> Measured:
    """Per token: ``torch.cdist`` and argmin, some queries at a time."""
    queries, keys = (each.to(compute_device()) for each in _queries(setting))
    return repeated(lambda: naive.assign(queries, keys), units=len(queries))


def assign_engine(setting: Setting) -> Measured:
    """Per token: the exact search."""
    queries, keys = _queries(setting)

    def work() -> None:
        for head in range(HEADS):
            nearest_keys(queries[:, head], keys[head])

    return repeated(work, units=len(queries))


def _naive_model(setting: Setting, count: int) -> tuple[naive.NaiveDKVB, list[np.ndarray]]:
    encoder = _begin(setting, "float32")
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
    encoder = _begin(setting)
    columns = len(find_scenario(setting.scenario).columns)
    context = RunContext(
        encoder, columns=columns, experiences=1, max_tokens=setting.max_tokens, tuning="frozen"
    )
    layout = Layout("hidden", "mean", "after", "non-parametric", HEADS, KEYS, 1, 0, "masked",
                    encoder.hidden_size, setting.max_tokens)  # fmt: skip
    network = BottleneckNetwork(context, layout)
    states = _states(encoder, setting, count)
    whole = torch.cat(states)
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))[:KEYS]
    network.keys.copy_(whole[order].view(KEYS, HEADS, -1).transpose(0, 1))
    pairs, sizes = network.select(whole, torch.tensor([len(rows) for rows in states]))
    return network.to(compute_device()), [each.numpy() for each in pairs.split(sizes.tolist())]


def _batches(network: BottleneckNetwork, rows: list[np.ndarray], size: int) -> list[list[np.ndarray]]:
    whole = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [each for each in whole if len(each) == size]


def _batch(rows: list[np.ndarray]) -> Batch:
    padded, mask = pad(rows)
    nothing = torch.zeros(len(rows), dtype=torch.int64)
    return Batch(padded, mask, nothing, torch.empty(0), nothing).to(compute_device())


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


def protocol(setting: Setting, cache: Path) -> Measured:
    """The whole single-head protocol of DKVB with oracle keys, with the features in ``cache``."""
    torch.set_num_threads(setting.threads)
    with tempfile.TemporaryDirectory(prefix="clbench-bench-") as results:
        config = RunConfig(
            setting.scenario, "dkvb", encoder=setting.encoder, data_dir=setting.data_dir,
            results=Path(results), threads=setting.threads,
        )  # fmt: skip
        started = time.perf_counter()
        run = prepare(config)
        if run.data.cache is not None:
            run.data.cache = FeatureCache(cache, progress=False)
        execute(run)
        return Measured(time.perf_counter() - started, max(run.result.costs["peak_bytes"].values()))


def naive_protocol(setting: Setting, train: Measured, evaluate: Measured) -> Measured:
    """The same protocol at the naive form's measured rates.

    Three passes of key initialization over all training texts at the rate of evaluation, the training steps,
    and all test texts after each experience.
    """
    stream = setting.stream()
    protocol = stream.scenario.protocol
    sizes = [len(each.splits["train"]) for each in stream.experiences]
    test = sum(len(each.splits["test"]) for each in stream.experiences)
    drawn = protocol.epochs * sum(protocol.samples_per_epoch or size for size in sizes)
    texts = 3 * sum(sizes) + len(sizes) * test
    seconds = texts * evaluate.seconds + drawn / BATCH * train.seconds
    return Measured(seconds, max(train.peak_bytes, evaluate.peak_bytes))


def default_setting(
    data_dir: Path | None, encoder: str, threads: int, scenario: str | None = None
) -> Setting:
    """The given scenario, or R8 if its data is there, or else the built-in corpus."""
    if scenario is None and not (data_dir is not None and (data_dir / "r8").is_dir()):
        return Setting("pydocs-cil", None, encoder, threads)
    return Setting(scenario or "r8-cil", data_dir, encoder, threads)
