"""Inputs that failed on an earlier version: their command lines are recorded, their files are made here."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from support.bad_inputs.case import Case
from support.bad_inputs.files import (
    EXPERIMENT,
    OWN,
    R8S,
    experiment,
    lines,
    profile,
    result,
    results,
    scenario,
)

RECORDED = Path(__file__).parents[4] / "shared" / "faults" / "bad_inputs.json"
NINE = ", ".join(["*a{0}"] * 9)
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
DEEP = "[" * 5000 + "]" * 5000
DEEP_MAPS = '"arguments": ' + '{"a":' * 5000 + "1" + "}" * 5000
RUN = "scenario: data/r8s.yaml\nbaseline: finetune\nencoder: tiny\n"


def recorded() -> Iterator[Case]:
    """The recorded inputs; none where the file is not there."""
    for entry in json.loads(RECORDED.read_text()) if RECORDED.exists() else ():
        group, name = entry["group"], entry["case"]
        files = {**R8S, **_files(group, name)}
        environment = {"CLBENCH_CACHE_GB": "-1"} if name.startswith("CLBENCH_CACHE_GB") else {}
        refused = entry["wanted"] == "2"
        yield Case(f"recorded: {group}", name, tuple(entry["argv"]), files, environment, refused=refused)


def _files(group: str, name: str) -> dict[str, Any]:
    kind = group.partition(" ")[0]
    if group in ("report", "wandb push"):
        return {**results(), "f": "", **REPORTS.get(name, {}), **RESULTS.get(name, {})}
    if kind == "encoder":
        return {"e": _encoder(name)}
    if kind == "data" and group == "data":
        return {"d/x": ""}
    return {**OWN, "s.yaml": "data: d\nkind: class\n", **OTHER.get(f"{kind}: {name}", {})}


def _settings(**changed: Any) -> dict[str, Any]:
    entry = {
        "encoder": "tiny", "scenario": "data/r8s.yaml", "baseline": "baselines.finetune.Finetune",
        "tuning": "frozen", "joint": False, "given": {}, "values": {"lr": 0.1}, **changed,
    }  # fmt: skip
    return {**profile(settings="settings.yaml"), "settings.yaml": yaml.safe_dump([entry])}


OTHER: dict[str, dict[str, Any]] = {
    "run: billion laughs": {"c.yaml": LAUGHS + RUN},
    "run: laughs in arguments": {
        "c.yaml": RUN + "arguments:\n" + "".join(f"  {x}\n" for x in LAUGHS.splitlines())
    },
    "run: merge key": {"c.yaml": f"base: &b {{seed: 1}}\n<<: *b\n{RUN}"},
    "run: unknown key": {"c.yaml": f"{RUN}sed: 1\n"},
    "run: baseline class_path int": {"c.yaml": "scenario: data/r8s.yaml\nbaseline: {class_path: 5}\n"},
    "run: arguments list": {"c.yaml": f"{RUN}arguments: [1]\n"},
    "run: config in config": {"c.yaml": f"{RUN}config: c.yaml\n"},
    "run: deep nesting": {"c.yaml": f"{RUN}arguments: {DEEP}\n"},
    "scenario: labels text": scenario(labels="ab"),
    "scenario: labels map": scenario(labels={"a": 1, "b": 2}),
    "scenario: labels int": scenario(labels=5),
    "scenario: classes_per_experience true": scenario(classes_per_experience=True),
    "scenario: protocol batch_size 2.5": scenario(protocol={"batch_size": 2.5}),
    "scenario: protocol max_tokens 0": scenario(protocol={"max_tokens": 0}),
    "scenario: protocol max_tokens 2": scenario(protocol={"max_tokens": 2}),
    "scenario: protocol max_tokens 9999": scenario(protocol={"max_tokens": 9999}),
    "scenario: protocol validation_share 1": scenario(protocol={"validation_share": 1}),
    "scenario: protocol train_per_class 0": scenario(protocol={"train_per_class": 0}),
    "scenario: protocol train_per_class 1.5": scenario(protocol={"train_per_class": 1.5}),
    "scenario: protocol draws 2.5": scenario(protocol={"draws": 2.5}),
    "scenario: protocol test_per_class 0": scenario(protocol={"test_per_class": 0}),
    "scenario: task_aware text": scenario(task_aware="perhaps"),
    "scenario: deep nesting": {"s.yaml": f"data: d\nkind: class\nlabels: {DEEP}\n"},
    "data: lone surrogate": {"d/train.jsonl": lines("ab", 3) + '{"text": "x\\ud800", "label": "a"}\n'},
    "data: huge line 20 MB": {
        "d/train.jsonl": lines("ab", 3) + json.dumps({"text": "word " * 4_000_000, "label": "a"})
    },
    "data: one line": {"d/train.jsonl": lines("a", 1)},
    "data: pretty printed": {
        "d/train.jsonl": "".join(
            json.dumps(json.loads(x), indent=2) + "\n" for x in lines("ab", 3).splitlines()
        )
    },
    "data: one array": {"d/train.jsonl": json.dumps([json.loads(x) for x in lines("ab", 3).splitlines()])},
    "experiment: method without baseline": experiment(methods=[{"tuning": "frozen"}]),
    "experiment: method arguments list": experiment(methods=[{"baseline": "ncm", "arguments": [1]}]),
    "experiment: profiles list": experiment(profiles=[EXPERIMENT["profiles"]["quick"]]),
    "experiment: profile null": experiment(profiles={"quick": None}),
    "experiment: profile list": experiment(profiles={"quick": [1]}),
    "experiment: scenarios text": profile(scenarios="data/r8s.yaml"),
    "experiment: scenarios null": profile(scenarios=None),
    "experiment: seeds null": profile(seeds=None),
    "experiment: seeds empty": profile(seeds=[]),
    "experiment: orders text": profile(orders="abc"),
    "experiment: orders int": profile(orders=3),
    "experiment: options list": profile(options=[1]),
    "experiment: options unknown": profile(options={"epoch": 1}),
    "experiment: scenario_options list": profile(scenario_options=[1]),
    "experiment: trained list": profile(trained=[1]),
    "experiment: table unknown": experiment(table=["nope"]),
    "experiment: table text": experiment(table="average_accuracy"),
    "experiment: table null": experiment(table=None),
    "experiment: table of int": experiment(table=5),
    "experiment: title null": experiment(title=None),
    "experiment: title list": experiment(title=["a"]),
    "experiment: runs_of itself": {"e.yaml": "title: x\nruns_of: e\n"},
    "experiment: runs_of null": {"e.yaml": "title: x\nruns_of:\n"},
    **{f"experiment: workers {word}": experiment() for word in ("0", "-1", "x")},
    "settings: values list": _settings(values=[1]),
    "settings: values null": _settings(values=None),
    "settings: lr nan": _settings(values={"lr": float("nan")}),
    "settings: arguments list": _settings(values={"arguments": [1]}),
}
REPORTS: dict[str, dict[str, Any]] = {
    "readme no end": {"x.md": "<!-- table t.md: a -->\n"},
    "readme not UTF-8": {"x.md": b"\xff"},
}
_CELLS = [[[0, 0, 1]], [[1, 1, 1]]]
RESULTS: dict[str, dict[str, Any]] = {
    "huge int": dict(results(costs__flops={"spent": 10**400})),
    "1e999": dict(results(json.dumps(result()).replace('"train": 1.0', '"train": 1e999'))),
    "scenario empty": dict(results(config__scenario="")),
    "columns huge": dict(results(config__columns=["x"] * 100_000)),
    "tuned int": dict(results(config__tuned=5)),
    "accuracy ragged": dict(results(accuracy=[[0.5], [0.25, 0.75]])),
    "accuracy 7": dict(results(accuracy=[[7, 0.25], [0.25, 0.75]])),
    "accuracy -1": dict(results(accuracy=[[-1, 0.25], [0.25, 0.75]])),
    "average accuracy 50": dict(results(metrics__average_accuracy=50)),
    "average not of the matrix": dict(results(metrics__average_accuracy=0.9)),
    "done without stages": dict(results(accuracy=[], macro_f1=[], stream_accuracy=[], confusion=[])),
    "accuracy empty rows": dict(
        results(accuracy=[[], []], macro_f1=[[], []], untrained_accuracy=[], confusion=None)
    ),
    "costs seconds negative": dict(results(costs__seconds={"train": -1})),
    "experiences too few": dict(results(experiences=[])),
    "confusion out of range": dict(results(confusion=[[[[0, 99, 1]], [[1, 1, 1]]], _CELLS])),
    "confusion float": dict(results(confusion=[[[[0, 0.5, 1]], [[1, 1, 1]]], _CELLS])),
    "confusion pairs": dict(results(confusion=[[[[0, 1]], [[1, 1]]], _CELLS])),
    "method lone surrogate": dict(results(config__method="a\ud800")),
    "title lone surrogate": dict(results(config__title="a\ud800")),
    "arguments deep maps": dict(results(json.dumps(result()).replace('"arguments": {}', DEEP_MAPS))),
}


def _encoder(name: str) -> Callable[[Path], None]:
    """Writes the files of the tiny encoder, with one of them spoiled."""

    def write(folder: Path) -> None:
        from clbench.models import tiny

        tiny.model().save_pretrained(folder)
        tiny.tokenizer().save_pretrained(folder)
        file, change = ENCODERS[name]
        path = folder / file
        whole = isinstance(change, str)
        path.write_text(change if whole else json.dumps({**json.loads(path.read_text()), **change}))

    return write


ENCODERS: dict[str, tuple[str, Any]] = {
    "hidden_size -1": ("config.json", {"hidden_size": -1}),
    "layers 10**6": ("config.json", {"num_hidden_layers": 10**6}),
    "tokenizer not JSON": ("tokenizer.json", "{x"),
    "tokenizer {}": ("tokenizer.json", "{}"),
    "tokenizer_config not JSON": ("tokenizer_config.json", "{x"),
    "model_max_length 4": ("tokenizer_config.json", {"model_max_length": 4}),
    "model_max_length text": ("tokenizer_config.json", {"model_max_length": "many"}),
}
