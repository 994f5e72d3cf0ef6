"""The head cnn: the text CNN against plain loops and torch's convolutions, and what the option means."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from support.formula_parts import context, experience

from baselines.hat import HAT
from baselines.owm import OWM
from clbench.core.batch import Batch
from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.engine.build import Run, prepare
from clbench.engine.loop import execute
from clbench.engine.preflight import check_run
from clbench.models.text_cnn import TextCNN
from clbench.testing.streams import SCENARIOS, write_texts

SIZE = 32


def states(*lengths: int, at: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(3)
    return Batch(
        rows=torch.randn(sum(lengths), SIZE, generator=generator),
        lengths=torch.tensor(lengths),
        targets=torch.arange(len(lengths)) % 3,
        class_mask=torch.ones(len(lengths), 3, dtype=torch.bool),
        experience=torch.full((len(lengths),), at),
    )


def naive(cnn: TextCNN, text: torch.Tensor, gates=(1.0, 1.0, 1.0)) -> torch.Tensor:
    """Features of one text (n, D), without dropout: each channel of each window by itself."""
    channels = []
    for layer, width in zip(cnn.convolutions, (3, 4, 5), strict=True):
        text_ = torch.cat([text, torch.zeros(max(0, width - len(text)), SIZE)])
        for weight, bias in zip(layer.weight, layer.bias, strict=True):
            best = 0.0
            for start in range(len(text_) - width + 1):
                window = text_[start : start + width].flatten()
                best = max(best, float((weight @ window + bias).detach()))
            channels.append(best)
    hidden = F.relu(cnn.first(torch.tensor(channels) * gates[0])) * gates[1]
    return F.relu(cnn.second(hidden)) * gates[2]


def test_features_are_those_of_plain_loops_and_ignore_the_rest_of_the_batch():
    cnn = TextCNN(SIZE, torch.Generator().manual_seed(0)).eval()
    batch = states(9, 2, 5, 12)
    gates = [torch.rand(4, size, generator=torch.Generator().manual_seed(1)) for size in cnn.sizes]
    found, gated = cnn(batch.rows, batch.lengths), cnn(batch.rows, batch.lengths, gates)
    for at, text in enumerate(batch.rows.split(batch.lengths.tolist())):
        torch.testing.assert_close(found[at], naive(cnn, text), atol=1e-5, rtol=1e-5)
        wanted = naive(cnn, text, [gate[at] for gate in gates])
        torch.testing.assert_close(gated[at], wanted, atol=1e-5, rtol=1e-5)


def test_the_windows_are_those_of_a_convolution():
    cnn = TextCNN(SIZE, torch.Generator().manual_seed(0)).eval()
    batch = states(8, 8)
    texts = batch.rows.view(2, 8, SIZE).transpose(1, 2)
    channels = []
    for layer, width in zip(cnn.convolutions, (3, 4, 5), strict=True):
        weight = layer.weight.view(100, width, SIZE).transpose(1, 2)
        channels.append(F.relu(F.conv1d(texts, weight, layer.bias)).amax(2))
    wanted = F.relu(cnn.second(F.relu(cnn.first(torch.cat(channels, 1)))))
    torch.testing.assert_close(cnn(batch.rows, batch.lengths), wanted, atol=1e-5, rtol=1e-5)


def test_half_of_the_fully_connected_units_are_dropped_in_training():
    cnn = TextCNN(SIZE, torch.Generator().manual_seed(0)).train()
    batch = states(8, 8)
    texts = batch.rows.view(2, 8, SIZE)
    channels = torch.cat(
        [
            F.relu(layer(texts.unfold(1, width, 1).transpose(2, 3).flatten(2))).amax(1)
            for layer, width in zip(cnn.convolutions, (3, 4, 5), strict=True)
        ],
        1,
    )
    torch.manual_seed(0)
    hidden = F.dropout(F.relu(cnn.first(channels)), 0.5)
    wanted = F.dropout(F.relu(cnn.second(hidden)), 0.5)
    torch.manual_seed(0)
    torch.testing.assert_close(cnn(batch.rows, batch.lengths), wanted, atol=1e-5, rtol=1e-5)


def test_hat_gates_channels_and_layers_and_protects_their_weights():
    learner = HAT(context(head="cnn", task_aware=True))
    network = learner.network
    assert network.gates.sizes == [300, 768, 768]
    used = network.gates.used
    used.copy_(torch.rand(len(used), generator=torch.Generator().manual_seed(1)))
    shares = {id(weight): share.expand_as(weight) for weight, share in network.factors(torch.zeros(1).long())}
    cnn = network.body
    for group, layer in enumerate(cnn.convolutions):
        own = used[100 * group : 100 * (group + 1)]
        torch.testing.assert_close(shares[id(layer.weight)], (1 - own).unsqueeze(1).expand_as(layer.weight))
        torch.testing.assert_close(shares[id(layer.bias)], 1 - own)
    for i, j in ((0, 0), (5, 299), (767, 150)):
        first, second = shares[id(cnn.first.weight)], shares[id(cnn.second.weight)]
        assert float(first[i, j]) == pytest.approx(1 - min(float(used[300 + i]), float(used[j])))
        assert float(second[i, j]) == pytest.approx(1 - min(float(used[1068 + i]), float(used[300 + j])))
    opened = [each[0] for each in network.eval().gates(torch.zeros(1).long())]
    batch = states(7)
    wanted = network.head(naive(cnn, batch.rows, opened))
    torch.testing.assert_close(network(batch)[0], wanted, atol=1e-5, rtol=1e-5)


def test_owm_projects_the_windows_of_real_tokens():
    learner = OWM(context(head="cnn"))
    assert {"body.convolutions.0", "body.first", "body.second", "head"} <= set(learner.layers)
    batch = states(6, 4)

    class Reader:
        def batches(self, batch_size, *, prefix=None, limit=None):
            yield batch

    learner.end_experience(experience(0, 0), Reader())
    inverse = torch.linalg.inv(learner.projectors["body.convolutions.1"])
    moments = (inverse - torch.eye(len(inverse))) * learner.alpha  # P = (I + X^T X / alpha)^-1
    wanted = torch.zeros_like(moments)
    for text in batch.rows.double().split([6, 4]):
        for start in range(len(text) - 3):
            window = torch.cat([text[start : start + 4].flatten(), torch.ones(1)])
            wanted += torch.outer(window, window)
    torch.testing.assert_close(moments, wanted, atol=1e-6, rtol=1e-6)


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    return tmp_path / "data"


def config(data: Path, baseline: str, **options) -> RunConfig:
    return RunConfig(
        "class-aware", baseline, encoder="tiny", threads=1, data_dir=data, results=data / "results", **options
    )


def prepared(data: Path, baseline: str, **options) -> Run:
    return prepare(config(data, baseline, head="cnn", **options), scenario=SCENARIOS["class-aware"])


@pytest.mark.parametrize(
    ("baseline", "name"),
    [("finetune", "finetune-frozen-cnn"), ("hat", "hat-frozen-cnn"), ("replay", "replay-frozen-cnn")],
)
def test_a_run_learns_from_the_cache_of_token_states(baseline, name, data):
    run = prepared(data, baseline, tuning="frozen", epochs=12)
    result = execute(run)
    assert result.config["method"] == name
    assert result.config["head"] == "cnn"
    assert run.learner.network.prefix.pooling == "states"
    assert result.accuracy[0][0] >= 0.9


@pytest.mark.parametrize(
    ("baseline", "options", "message"),
    [
        ("finetune", {"tuning": "adapter"}, "option head is 'cnn': it works with tuning frozen, not adapter"),
        ("ncm", {}, "option head is 'cnn': NCM trains no network"),
    ],
)
def test_it_is_refused_where_there_is_nothing_to_train_on_token_states(baseline, options, message, data):
    path = {"finetune": "baselines.finetune.Finetune", "ncm": "baselines.ncm.NCM"}[baseline]
    with pytest.raises(UserError, match=message):
        check_run(config(data, path, head="cnn", **options), SCENARIOS["class-aware"])


def test_a_network_of_another_kind_and_another_pooling_refuse_it(data):
    with pytest.raises(UserError, match="DKVB has a network of its own; option head cnn does not apply"):
        prepared(data, "dkvb")
    with pytest.raises(UserError, match=r"option head is 'cnn': .* pools in its own way"):
        prepared(data, "finetune", tuning="frozen", pooling="cls")
