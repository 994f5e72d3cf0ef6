"""The naive form that speed is measured against computes the same thing; the command measures it."""

import json

import numpy as np
import pytest
import torch

from clbench.benchmark import naive, value_rows
from clbench.benchmark.cases import CASES
from clbench.benchmark.comparisons import SCALING
from clbench.benchmark.measure import Comparison, Measured, repeated
from clbench.benchmark.names import NAMES
from clbench.benchmark.protocols import PROTOCOLS
from clbench.cli import main
from clbench.core.batch import Batch, pack
from clbench.methods.dkvb.bottleneck import BottleneckNetwork
from clbench.methods.dkvb.codebook import move_keys
from clbench.methods.dkvb.layout import Layout
from clbench.methods.dkvb.optimizers import RowMean
from clbench.models.classifier import TextClassifier
from clbench.models.context import RunContext
from clbench.models.encoder import load_encoder

TEXTS = ["oil prices rose", "a much longer text on the price of grain and of ships in the gulf", "earn"]


def test_the_naive_form_computes_what_the_engine_computes_and_trains_the_same():
    encoder = load_encoder("tiny")
    tokens = encoder.tokenize(TEXTS, [None] * 3, 16)
    context = RunContext(encoder, columns=3, experiences=1, max_tokens=16, tuning="frozen")
    # The naive form counts padding, as the public code does.
    layout = Layout("hidden", "mean", "after", "non-parametric", 4, 8, 1, 0, "reference", 32, 16)
    engine = BottleneckNetwork(context, layout, sparse=False)
    model = naive.NaiveDKVB(encoder, engine.keys, 3, 16)
    with torch.no_grad():
        model.values.copy_(engine.values.weight.view(4, 8, 3))
    rows, lengths = pack(tokens)
    zeros = torch.zeros(3, dtype=torch.int64)
    batch = Batch(rows, lengths, zeros, torch.ones(3, 3, dtype=torch.bool), zeros, encoded=False)
    batch = engine.prefix(encoder, batch, 16)
    torch.testing.assert_close(model(tokens), engine(batch), atol=1e-5, rtol=0)
    naive.training_step(model, torch.optim.AdamW(model.parameters(), lr=0.1), tokens)
    optimizer = torch.optim.AdamW(engine.parameters(), lr=0.1)
    torch.nn.functional.cross_entropy(engine(batch), zeros).backward()
    optimizer.step()
    torch.testing.assert_close(model.values.flatten(0, 1), engine.values.weight, atol=1e-4, rtol=0)


def test_the_naive_form_moves_keys_as_the_engine_does():
    generator = torch.Generator().manual_seed(0)
    keys, queries = (torch.randn(*shape, generator=generator) for shape in ((3, 20, 4), (30, 3, 4)))
    moved = keys.clone()
    naive.move_keys(moved, queries, 0.2)
    move_keys(keys, queries.unbind(1), 0.2)
    torch.testing.assert_close(moved, keys, atol=1e-6, rtol=0)


def test_naive_fine_tuning_computes_what_the_engine_computes_and_trains_the_same():
    encoder = load_encoder("tiny")
    tokens = encoder.tokenize(TEXTS, [None] * 3, 16)
    engine = TextClassifier(RunContext(encoder, columns=3, experiences=1, max_tokens=24))
    model = naive.FineTuning(encoder, 3, 24)
    model.head.load_state_dict(engine.head.state_dict())
    zeros = torch.zeros(3, dtype=torch.int64)
    batch = Batch(*pack(tokens), zeros, torch.ones(3, 3, dtype=torch.bool), zeros, encoded=False)
    torch.testing.assert_close(model(tokens), engine(batch), atol=1e-5, rtol=0)
    naive.training_step(model, torch.optim.SGD(model.parameters(), lr=1.0), tokens)
    optimizer = torch.optim.SGD(engine.parameters(), lr=1.0)
    torch.nn.functional.cross_entropy(engine(batch), zeros).backward()
    optimizer.step()
    for naively, ours in zip(model.parameters(), engine.parameters(), strict=True):
        torch.testing.assert_close(naively, ours, atol=1e-4, rtol=0)


def test_the_naive_step_on_rows_computes_what_the_optimizer_does():
    weight, mass, gradient = value_rows._table()
    naively, seen = weight.detach().clone(), mass.clone()
    value_rows.naive_step(naively, seen, gradient, 0.3)
    weight.grad = gradient
    RowMean([{"params": [weight], "lr": 0.3}], mass).step()
    torch.testing.assert_close(naively, weight.detach())
    torch.testing.assert_close(seen, mass)


def test_the_ratio_is_of_seconds_for_one_unit():
    calls = []
    measured = repeated(lambda: calls.append(1), units=10, least_seconds=0.01)
    assert 0 < measured.seconds < 0.01 / (len(calls) - 1)
    compared = Comparison("x", "what", Measured(3.0, 20), Measured(0.5, 10), target=5)
    assert compared.to_json() == {
        "name": "x", "what": "what", "naive_seconds": 3.0, "seconds": 0.5, "ratio": 6.0,
        "target_ratio": 5, "naive_peak_bytes": 20, "peak_bytes": 10,
    }  # fmt: skip


@pytest.mark.slow
def test_bench_measures_prints_and_writes(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data" / "r8"
    folder.mkdir(parents=True)
    labels = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        lines = [
            json.dumps({"text": " ".join(random.choice(labels, random.integers(3, 300))), "label": label})
            for label in labels
            for _ in range(8)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (folder.parent / "eight.yaml").write_text("kind: class\ndata: r8\nprotocol: {max_tokens: 256}\n")
    line = ["bench", "encode", "encode_limit", "train_encoder_step", "--encoder", "tiny", "--threads", "1"]
    line += ["--scenario", str(folder.parent / "eight.yaml")]
    assert main([*line, "--json", str(tmp_path / "bench.json")]) == 0
    entry, limit, step = json.loads((tmp_path / "bench.json").read_text())
    assert [entry["name"], step["name"]] == ["encode", "train_encoder_step"]
    assert 0 < limit["ratio"] < 1  # nothing is faster than its own products
    assert entry["ratio"] == pytest.approx(entry["naive_seconds"] / entry["seconds"])
    assert entry["provenance"]["scenario"] == "eight"
    assert "| encode " in (tmp_path / "bench.md").read_text()
    assert "encode" in capsys.readouterr().out
    assert main(["bench", "encod"]) == 2
    assert "did you mean 'encode'" in capsys.readouterr().err


def test_the_command_knows_every_measurement_by_name():
    assert sorted(NAMES) == sorted([*CASES, *(each.name for each in PROTOCOLS), SCALING])
