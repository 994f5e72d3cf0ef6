"""Whole runs of DKVB on small folders of text and the tiny encoder, through the command line."""

import copy
import json
from pathlib import Path

import pytest
import torch
from support.dkvb_runs import PAIRED, SCENARIOS, by_layout, options, prepared, result, uses_of, write_texts

from clbench.cli import main
from clbench.engine.build import Run
from clbench.engine.loop import execute
from clbench.models.frozen_prefix import FrozenPrefix


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    for module in ("shared", "preflight"):
        monkeypatch.setattr(f"clbench.engine.{module}.find_scenario", SCENARIOS.__getitem__)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_texts(folder)
    return folder


@pytest.mark.parametrize("optimizer", ["sgd", "reference"])
@by_layout
def test_only_selected_values_change_and_diagnostics_say_so(layout, optimizer, data, tmp_path):
    run = prepared(data, tmp_path, ".optimizer", optimizer, ".values", "reference", *layout)
    before = [run.learner.network.values.weight.detach().clone()]
    seen: list[set[int]] = []

    def look(stage, so_far):
        after = run.learner.network.values.weight.detach().clone()
        selected = set(uses_of(run, stage))
        changed = set((after != before[-1]).any(1).nonzero()[:, 0].tolist())
        if optimizer == "sgd":
            assert changed
            assert changed <= selected
        else:
            assert changed == set(range(4 * 64))  # weight decay alone moves every row
        said = json.loads(run.path.read_text())["diagnostics"]["experiences"][stage]
        assert said["name"] == PAIRED[stage].name
        assert said["unselected_changed"] == (0.0 if optimizer == "sgd" else 1.0)
        assert said["values_changed"] == len(changed)
        assert said["keys_in_use"] == len(selected)
        assert said["dead_keys"] == 4 * 64 - len(selected.union(*seen))
        overlap = [len(selected & each) / len(selected | each) for each in seen]
        assert said["overlap"] == pytest.approx(overlap, abs=5e-5)
        assert said["key_bytes"] == run.learner.network.keys.nbytes
        assert said["value_bytes"] == after.nbytes
        before.append(after)
        seen.append(selected)

    execute(run, on_stage=look)
    assert len(seen) == 3


# -- the optimizer's lifetime --------------------------------------------------------------------------


def by_hand(run: Run, start: dict, make_optimizer, fresh: bool) -> dict:
    """Training as one loop, from ``start`` and with the keys and the order of texts of ``run``."""
    learner = run.learner
    network = copy.deepcopy(learner.network)
    network.load_state_dict(start)
    optimizer = make_optimizer(network)
    run.data.prefix = lambda: network.prefix
    for stage in range(len(run.stream.stages)):
        if fresh:
            optimizer = make_optimizer(network)
        for batch in run.data.stage_train_dataloader(stage):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(batch), batch.targets).backward()
            optimizer.step()
    return network.state_dict()


def adamw(network):
    groups = [{"params": [network.values.weight], "lr": 0.05}]
    if network.decoder is not None:
        groups.append({"params": network.decoder.parameters(), "lr": 0.003})
    return torch.optim.AdamW(groups, weight_decay=0.01)


def difference(first: dict, second: dict) -> float:
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.mark.parametrize("decoder", ["non-parametric", "parametric"])
@pytest.mark.parametrize("lifetime", ["experience", "reference"])
def test_adamw_lives_for_an_experience_or_for_the_stream(lifetime, decoder, data, tmp_path):
    more = (".optimizer", "reference", ".lifetime", lifetime, ".decoder", decoder, ".decoder_lr", "0.003")
    run = prepared(data, tmp_path, "--lr", "0.05", *more)
    run.learner.network.dropout.p = 0.0
    start = copy.deepcopy(run.learner.network.state_dict())
    execute(run)
    end = run.learner.network.state_dict()
    start["codebooks.keys"] = end["codebooks.keys"]  # made before any training
    same = by_hand(run, start, adamw, fresh=lifetime == "experience")
    other = by_hand(run, start, adamw, fresh=lifetime != "experience")
    assert difference(end, same) < 1e-5
    assert difference(end, other) > 1e-2
    carried = result(tmp_path)["costs"]["carried_bytes"]
    sizes = [each.nbytes for each in run.learner.network.parameters()]  # two averages and a count for each
    assert carried["statistics"] == (2 * sum(sizes) + 4 * len(sizes) if lifetime == "reference" else 0)


def test_sgd_has_no_state_so_that_its_lifetime_makes_no_difference(data, tmp_path):
    ends = []
    for lifetime in ("experience", "reference"):
        run = prepared(data, tmp_path / lifetime, ".optimizer", "sgd", ".lifetime", lifetime)
        execute(run)
        ends.append(run.learner.network.state_dict())
    assert difference(*ends) == 0


RESUMED = {
    "one optimizer": (".optimizer", "reference", ".lifetime", "reference"),
    "moving keys": (".initialization", "incremental"),
    "linear layer": (".decoder", "parametric"),
    "few rows": (".trained_rows", "20"),
}


@pytest.mark.parametrize("more", RESUMED.values(), ids=RESUMED)
def test_a_run_that_was_stopped_goes_on_to_the_same_values(more, data, tmp_path):
    whole, stopped = (prepared(data, tmp_path / name, *more) for name in ("whole", "stopped"))
    execute(whole)

    def stop(stage, _):
        if stage == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(stopped, on_stage=stop)
    resumed = prepared(data, tmp_path / "stopped", *more)
    stages: list[int] = []
    execute(resumed, on_stage=lambda stage, _: stages.append(stage))
    assert stages == [2]
    assert difference(resumed.learner.network.state_dict(), whole.learner.network.state_dict()) == 0
    first, second = (result(tmp_path / name) for name in ("whole", "stopped"))
    assert first["confusion"] == second["confusion"]
    assert first["diagnostics"] == second["diagnostics"]


# -- cache, scenarios, initializations -----------------------------------------------------------------


def scores_of(run: Run) -> torch.Tensor:
    """Logits of all test texts, in the order of the files."""
    learner, found = run.learner.eval(), []
    for experience in run.stream.experiences:
        texts = run.data.texts(experience.splits["test"], run.data.prefix())
        batch = texts.batch(torch.arange(len(texts)))
        assert batch.encoded == run.config.cache_features
        with torch.no_grad():
            found.append(learner.scores(learner.on_after_batch_transfer(batch, 0)))
    return torch.cat(found)


@by_layout
def test_runs_with_and_without_a_cache_are_equal(layout, data, tmp_path):
    cached = prepared(data, tmp_path / "cached", *layout)
    plain = prepared(data, tmp_path / "plain", "--cache_features", "false", *layout)
    execute(cached)
    execute(plain)
    assert result(tmp_path / "cached")["confusion"] == result(tmp_path / "plain")["confusion"]
    torch.testing.assert_close(scores_of(plain), scores_of(cached), atol=1e-5, rtol=0)


def test_runs_of_different_shapes_share_a_cache(data, tmp_path):
    for heads in ("4", "8"):
        run = prepared(data, tmp_path / heads, ".heads", heads)
        execute(run)
        assert run.learner.network.keys.shape == (int(heads), 64, 32 // int(heads))


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("decoder", ["non-parametric", "parametric"])
def test_it_runs_in_every_kind_of_scenario_and_keeps_to_the_columns_of_a_task(
    scenario, decoder, data, tmp_path
):
    line = options(data, tmp_path, "--scenario", scenario, ".decoder", decoder)
    assert main(["run", *line]) == 0
    content = result(tmp_path, scenario)
    declared = SCENARIOS[scenario]
    assert content["status"] == "done"
    assert len(content["confusion"]) == len(declared.parts)
    for row in content["confusion"]:
        for part, cells in zip(declared.parts, row, strict=True):
            own = {declared.columns.index(declared.column(part, label)) for label in part.labels}
            assert {true for true, _, _ in cells} <= own
            if declared.task_aware:
                assert {predicted for _, predicted, _ in cells} <= own


@pytest.mark.parametrize("initialization", ["oracle", "incremental"])
def test_it_trains_on_everything_at_once(initialization, data, tmp_path):
    run = prepared(data, tmp_path, "--joint", "true", ".initialization", initialization, "--epochs", "20")
    execute(run)
    content = result(tmp_path)
    assert [len(row) for row in content["accuracy"]] == [3]
    (said,) = content["diagnostics"]["experiences"]
    assert said["name"] == "joint"
    assert said["keys_in_use"] == len(uses_of(run, 0))


def test_what_the_initializations_read_and_when(data, tmp_path):
    keys: dict[tuple[str, str], list[torch.Tensor]] = {}
    for initialization in ("oracle", "incremental", "generic", "random"):
        for order in ("0", "random:2"):
            found = keys[initialization, order] = []
            results = tmp_path / f"{initialization}-{order}"
            run = prepared(data, results, "--order", order, ".initialization", initialization)
            execute(run, on_stage=lambda *_: found.append(run.learner.network.keys.clone()))  # noqa: B023
            content = result(results)
            assert content["config"]["method"].startswith(f"dkvb-np-{initialization}-")
            kinds = {each["kind"] for each in content["config"]["notes"]} - {"deviation"}
            assert kinds == ({"sees-future"} if initialization == "oracle" else set())
    for (initialization, _), (first, second, third) in keys.items():
        moves = initialization == "incremental"
        assert torch.equal(first, second) != moves
        assert torch.equal(second, third) != moves
    for initialization in ("generic", "random"):  # the stream makes no difference to them
        assert torch.equal(keys[initialization, "0"][0], keys[initialization, "random:2"][0])
    assert not torch.equal(keys["incremental", "0"][0], keys["incremental", "random:2"][0])
    reader = run.data.generic_reader((data / "general" / "all.txt").read_text().split("\n\n"))
    states = torch.cat([batch.rows for batch in reader.batches(8, prefix=FrozenPrefix("states"))])
    for head in range(4):
        distance = torch.cdist(keys["random", "0"][0][head], states[:, head * 8 : head * 8 + 8])
        assert distance.min(1).values.max() < 1e-2  # each key is the state of a token
    assert not torch.equal(keys["random", "0"][0], keys["generic", "0"][0])


@pytest.mark.parametrize("initialization", ["oracle", "incremental", "generic", "random"])
def test_each_initialization_runs_from_the_command_line_without_the_cache_too(initialization, data, tmp_path):
    confusion = []
    for cache in ("true", "false"):
        more = ("--cache_features", cache, ".initialization", initialization, "--train_per_class", "4")
        assert main(["run", *options(data, tmp_path / cache, *more)]) == 0
        confusion.append(result(tmp_path / cache)["confusion"])
    assert confusion[0] == confusion[1]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ((".heads", "5"), "heads 5"),
        ((".heads", "0"), "heads is '0'"),
        ((".keys", "0"), "keys"),
        ((".top_k", "0"), "top_k is '0'"),
        ((".top_k", "65"), "top_k 65"),
        ((".segmentation", "token", ".place", "before"), "segmentation token"),
        ((".segmentation", "token", ".projection", "5"), "segmentation token"),
        ((".segmentation", "token", ".heads", "5"), "heads 5: not a divisor of max_tokens 16"),
        ((".projection", "-1"), "projection"),
        ((".decay", "2"), "decay"),
        ((".init_batch_size", "0"), "init_batch_size"),
        ((".init_epochs", "-1"), "init_epochs"),
        ((".initialization", "orakel"), "initialization"),
        ((".trained_rows", "0"), "trained_rows"),
        ((".trained_rows", "9", ".optimizer", "reference"), "trained_rows: not with optimizer reference"),
        (("--tuning", "full"), "frozen"),
    ],
)
def test_impossible_options_get_one_line_and_status_2(more, expected, data, tmp_path, capsys):
    assert main(["run", *options(data, tmp_path / "runs", *more)]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()
