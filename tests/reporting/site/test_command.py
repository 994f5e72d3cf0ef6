"""The command on the page of a run repeats it."""

import dataclasses
import json
import shlex

import pytest

from clbench.core.config import RunConfig
from clbench.core.errors import UserError
from clbench.engine.build import prepare
from clbench.engine.parser import parse_run
from clbench.reporting.site.command import NO_PART, OPTIONS, SPECIAL, command


def test_each_option_of_a_run_is_in_the_command_or_has_no_part_in_the_result():
    assert {each.name for each in dataclasses.fields(RunConfig)} == NO_PART | SPECIAL | OPTIONS.keys()
    assert {name: OPTIONS[name] for name in ("encoder", "lora_rank", "lr", "seed")} == {
        "encoder": "minilm",
        "lora_rank": 8,
        "lr": None,
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("stream", "words"), [("sequential", []), ("joint", ["--joint"]), ("single", ["--single"])]
)
def test_the_kind_of_stream_is_a_flag(stream, words):
    config = {"scenario": "news", "baseline": "a.A", "stream": stream}
    assert command(config)[3:] == words


LINES = (
    "--baseline ewc --tuning full --lr 0.003 --seed 4 --order random:7 --epochs 2 --train-per-class 4",
    "--baseline finetune --tuning frozen --pooling last --precision float32",
    "--baseline finetune --joint true --weight-decay 0.5 --test-per-class 5 --batch-size 3 "
    "--samples-per-epoch 9",
    "--baseline finetune --single true --tuning adapter --adapter-size 5 --adapter-placement pfeiffer",
    "--baseline replay --tuning lora --lora-rank 3 --experiences 2 --split validation --precision float32",
    "--baseline l2p --prompt-length 3 --baseline.top 2",
    "--baseline dkvb --baseline.heads 4 --baseline.keys 16 --baseline.initialization generic "
    "--generic-corpus {}",
)


def parsed(words):
    """Booleans are flags, or else want a value."""
    try:
        return parse_run(words)
    except UserError:
        flags = ("--joint", "--single")
        return parse_run([part for word in words for part in ([word, "true"] if word in flags else [word])])


@pytest.mark.parametrize("line", LINES)
def test_the_command_leads_to_the_same_configuration(line, tmp_path):
    (tmp_path / "it's text").mkdir()
    (tmp_path / "it's text" / "all.txt").write_text("Some text.\n\nAnd more of it.")
    words = [word.replace("{}", str(tmp_path / "it's text")) for word in line.split()]
    given = ["--scenario", "pydocs-cil", "--encoder", "tiny", "--max-tokens", "16", *words]
    recorded = json.loads(json.dumps(prepare(parse_run(given)).result.config))
    again = shlex.split(" ".join(command(recorded)))
    assert again[:2] == ["clbench", "run"]
    assert json.loads(json.dumps(prepare(parsed(again[2:])).result.config)) == recorded


def test_a_configuration_without_a_class_has_no_command():
    assert command({"scenario": "news", "method": "unknown"}) == []


@pytest.mark.parametrize(
    ("method", "asked"),
    [("a", False), ("a-float32", True), ("a-float32-joint", True), ("a-kind=float32", False)],
)
def test_a_precision_is_part_of_the_command_where_it_was_asked_for(method, asked):
    config = {"scenario": "news", "baseline": "a.A", "method": method, "precision": "float32"}
    config["stream"] = "joint" if method.endswith("-joint") else "sequential"
    assert ("--precision float32" in command(config)) == asked
