"""The command line, a YAML file and a mapping lead to the same configuration, checked by the same code."""

import dataclasses
import json
from pathlib import Path

import pytest
import yaml

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.core.scenario import Protocol
from clbench.engine.options import options_of
from clbench.engine.parser import GROUPS, parse_run, run_config
from clbench.engine.registry import baseline_class, baseline_names

OPTIONS = {
    "scenario": "r8-cil",
    "baseline": "ewc",
    "arguments": {"strength": 10, "labels": "true"},
    "order": 1,
    "lr": "1e-3",
    "joint": True,
    "checkpoint": False,
    "epochs": None,
    "data_dir": "some where",
}
WORDS = [
    "--scenario=r8-cil", "--baseline", "ewc", "--baseline.strength", "10", "--baseline.labels", "true",
    "--order", "1", "--lr", "1e-3", "--joint", "--no-checkpoint", "--epochs", "null",
    "--data-dir", "some where",
]  # fmt: skip
EXPECTED = RunConfig(
    scenario="r8-cil",
    baseline="baselines.ewc.EWC",
    arguments={"strength": 10.0, "labels": "true"},
    order="1",
    lr=0.001,
    joint=True,
    checkpoint=False,
    data_dir=Path("some where"),
)


def test_the_entries_agree_and_give_values_of_the_declared_types(tmp_path):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(OPTIONS))
    configs = [run_config(OPTIONS), parse_run(WORDS), parse_run(["--config", str(tmp_path / "run.yaml")])]
    for config in configs:
        assert config == EXPECTED
        assert isinstance(config.arguments["strength"], float)
        assert isinstance(config.lr, float)
        assert config.epochs is None


def test_the_command_line_wins_over_the_file_wherever_it_stands(tmp_path):
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(OPTIONS))
    file = ["--config", str(tmp_path / "run.yaml")]
    for words in ([*file, "--seed", "3", "--lr", "2"], ["--seed", "3", "--lr", "2", *file]):
        assert parse_run(words) == dataclasses.replace(EXPECTED, seed=3, lr=2.0)
    arguments = parse_run([*file, "--baseline.gamma", "0.5"]).arguments
    assert arguments == {"strength": 10.0, "labels": "true", "gamma": 0.5}


def test_the_folder_of_the_data_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("CLBENCH_DATA", "somewhere")
    given = {"scenario": "r8-cil", "baseline": "ewc"}
    assert run_config(given).data_dir == Path("somewhere")
    assert run_config({**given, "data_dir": "else"}).data_dir == Path("else")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epoch": 1}, "unknown option 'epoch'; did you mean 'epochs'"),
        ({"tuned": ("a",)}, "unknown option 'tuned'"),  # an experiment's, never a user's
        ({"epochs": "many"}, "option epochs is 'many': input should be a valid integer"),
        ({"epochs": 1.5}, "option epochs is 1.5: "),
        ({"joint": "perhaps"}, "option joint is 'perhaps': input should be a valid boolean"),
        (
            {"tuning": "some"},
            "option tuning is 'some': input should be 'full', 'frozen', 'adapter', 'lora' or 'prompt'",
        ),
        ({"scenario": None}, "option scenario is None: input should be a valid string"),
        ({"arguments": [1]}, "option arguments is [1]: 'name: value' pairs are expected"),
        (
            {"arguments": {"strenght": 1}},
            "unknown argument of baseline EWC 'strenght'; did you mean 'strength'",
        ),
        (
            {"arguments": {"fisher": "none"}},
            "argument of baseline EWC fisher is 'none': input should be 'averaged'",
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line(changed, message):
    with pytest.raises(UserError) as error:
        run_config({**OPTIONS, **changed})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["scenario", "baseline"])
def test_a_missing_option_tells_where_to_look(name):
    given = {key: value for key, value in OPTIONS.items() if key != name}
    with pytest.raises(
        UserError, match=f"option {name} is missing; 'clbench list {name}s' shows what there is"
    ):
        run_config(given)


@pytest.mark.parametrize("text", ["- one\n", "one\n"])
def test_a_file_that_holds_no_options_is_named(text, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"config file {path}: options as 'key: value' are expected"):
        parse_run(["--config", str(path)])


def test_arguments_of_any_type_can_stand_on_the_command_line(tmp_path, monkeypatch):
    (tmp_path / "of_widths.py").write_text(
        "from clbench import ContinualLearner, RunContext\n"
        "class Mine(ContinualLearner):\n"
        "    def __init__(self, context: RunContext, widths: list[int] = [], name: str | None = 'a',\n"
        "                 deep: bool = False, free=None) -> None:\n"
        "        super().__init__(context)\n"
    )
    monkeypatch.chdir(tmp_path)
    line = ["--scenario", "r8-cil", "--baseline", "of_widths"]
    words = ["--baseline.widths", json.dumps([1, 2]), "--baseline.name", "null", "--baseline.deep"]
    found = parse_run([*line, *words, "--baseline.free", "7"]).arguments
    assert found == {"widths": [1, 2], "name": None, "deep": True, "free": "7"}
    assert parse_run([*line, "--baseline.deep", "false"]).arguments == {"deep": False}


def test_help_groups_every_option():
    names = [name for group in GROUPS.values() for name in group]
    assert sorted(names) == sorted(options_of(RunConfig))


@pytest.mark.parametrize("name", sorted(baseline_names()))
def test_every_argument_of_a_method_is_documented(name):
    for argument, option in options_of(baseline_class(name)).items():
        assert option.text, argument
    assert all(option.text for option in options_of(RunConfig).values())


def test_the_options_of_one_method_are_shown_by_its_name(capsys):
    for words in (
        ["--baseline.help", "dkvb"],
        ["--baseline", "dkvb", "--help"],
        ["--help", "--baseline=dkvb"],
    ):
        with pytest.raises(SystemExit) as ended:
            parse_run(words)
        assert ended.value.code == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert "arguments of dkvb:" in shown
        assert "--baseline.keys INT K, per head. (default: 4096)" in shown
        assert "--baseline.decoder {non-parametric,parametric}" in shown
        assert "--no-checkpoint" in shown


def test_the_share_held_out_for_validation_is_an_option_of_a_run():
    given = parse_run(["--scenario", "pydocs-cil", "--baseline", "ncm", "--validation-share", "0.25"])
    assert given.protocol(Protocol(validation_share=0.1)).validation_share == 0.25
    assert given.protocol(Protocol()).train_per_class is None
    default = parse_run(["--scenario", "pydocs-cil", "--baseline", "ncm"])
    assert default.protocol(Protocol(validation_share=0.3)).validation_share == 0.3
    with pytest.raises(UserError, match="validation_share"):
        parse_run(["--scenario", "pydocs-cil", "--baseline", "ncm", "--validation-share", "1"])
