"""Bad inputs that are written by hand: keys of files, result files and the options of other commands."""

import json
from collections.abc import Iterator
from typing import Any

from support.bad_inputs.case import Case
from support.bad_inputs.files import EXPERIMENT, R8S, experiment, profile, results

REPRODUCE = ("reproduce", "e.yaml", "--workers", "1", "--results", "runs")
WRONG: tuple[Any, ...] = (None, 5, "text", [], {}, [None], True, [[1]], {"a": None}, -1)


def of_experiments() -> Iterator[Case]:
    """Each key of an experiment with values of wrong types."""
    right = {
        "title": ("text",), "methods": (), "profiles": (), "table": (None,), "scenarios": (), "seeds": (),
        "orders": (), "options": ({},), "scenario_options": ({},), "trained": ({},),
    }  # fmt: skip
    for key, allowed in right.items():
        for value in WRONG:
            if value in allowed and type(value) in map(type, allowed):
                continue
            files = experiment(**{key: value}) if key in (*EXPERIMENT, "table") else profile(**{key: value})
            yield Case("experiment", f"{key}: {value!r}", REPRODUCE, files)
    for name, method in METHODS.items():
        yield Case("experiment", name, REPRODUCE, experiment(methods=method))
    for name, files in OTHER_EXPERIMENTS.items():
        yield Case("experiment", name, REPRODUCE, files)


FINETUNE = {"baseline": "finetune", "tuning": "frozen"}
METHODS: dict[str, Any] = {
    "method without baseline": [{"tuning": "frozen"}],
    "unknown baseline": [{"baseline": "fintune"}],
    "unknown option": [{**FINETUNE, "epoch": 1}],
    "option out of range": [{**FINETUNE, "epochs": 0}],
    "arguments as a list": [{**FINETUNE, "arguments": [1]}],
    "unknown argument": [{"baseline": "ewc", "tuning": "frozen", "arguments": {"x": 1}}],
    "argument out of range": [{"baseline": "ewc", "tuning": "frozen", "arguments": {"strength": -1}}],
    "a tuning that the method has not": [{"baseline": "ncm", "tuning": "lora"}],
    "runs that share a place": [{**FINETUNE, "epochs": 1}, {**FINETUNE, "epochs": 2}],
    "no learning rate": [{**FINETUNE, "lr": []}],
    "a negative learning rate": [{**FINETUNE, "lr": [0.1, -0.1]}],
    "scenario of no profile": [{**FINETUNE, "scenarios": ["nowhere"]}],
    "results elsewhere": [{**FINETUNE, "arguments": {"../../x": 1}}],
    "a folder of its own": [{**FINETUNE, "results": "elsewhere"}],
    "a seed of its own": [{**FINETUNE, "seed": 1}],
    "a flag that is a text": [{**FINETUNE, "joint": "no"}],
    "a head that it cannot train": [{"baseline": "ncm"}, {"baseline": "ncm", "head": "cnn"}],
}
TOLD = """
from clbench.methods.info import MethodInfo
from clbench.methods.learner import ContinualLearner


class Told(ContinualLearner):
    info = MethodInfo(needs_task_id=True)
"""
OTHER_EXPERIMENTS: dict[str, Any] = {
    "a task-aware method on a stream without task ids": {
        **experiment(methods=[{"baseline": "told.Told"}]),
        "told.py": TOLD,
    },
    "unknown key": experiment(titel="x"),
    "unknown measure": experiment(table=["nope"]),
    "profile with a path": experiment(profiles={"../../evil": EXPERIMENT["profiles"]["quick"]}),
    "profile of dots": experiment(profiles={"..": EXPERIMENT["profiles"]["quick"]}),
    "unknown scenario": profile(scenarios=["nowhere"]),
    "scenario file that is not there": profile(scenarios=["nowhere.yaml"]),
    "data that is not there": profile(scenarios=["r8-cil"]),
    "unknown encoder": profile(options={"encoder": "nothing"}),
    "encoder folder that is not there": profile(options={"encoder": "./nothing"}),
    "too many experiences": profile(options={"encoder": "tiny", "experiences": 99}),
    "the same seed twice": profile(seeds=[0, 0]),
    "an order that the scenario has not": profile(orders=[5]),
    "a seed among the options": profile(options={"encoder": "tiny", "seed": 1}),
    "an option of no run out of range": profile(trained={"options": {"epochs": 0}}),
    "runs of itself": {"e.yaml": "title: x\nruns_of: e\n"},
    "runs of a loop": {"e.yaml": "title: x\nruns_of: f\n", "f.yaml": "title: y\nruns_of: e\n"},
    "runs of nothing": {"e.yaml": "title: x\nruns_of:\n"},
    "runs of a path": {"e.yaml": "title: x\nruns_of: ../e\n"},
    "not UTF-8": {"e.yaml": b"title: \xff\n"},
    "not YAML": {"e.yaml": "a: [\n"},
    "a list": {"e.yaml": "- a\n"},
    "empty": {"e.yaml": ""},
    "absent": {},
}


def of_results() -> Iterator[Case]:
    """Each field of a result file with values that it cannot have, for both commands that read them."""
    for field, values in FIELDS.items():
        for value in values:
            files = results(**{field: value})
            yield Case("result file", f"{field}={value!r:.40}", ("report", "r", "--out", "out"), files)
    for name, text in TEXTS.items():
        for words in (("report", "r", "--out", "out"), ("wandb", "push", "r", "--dry-run")):
            yield Case("result file", f"{words[0]}: {name}", words, results(text))


_SHARES = (7, -1, 50, "x", [1], 1.0000001)
FIELDS: dict[str, tuple[Any, ...]] = {
    "schema": ("x", None, 999, True, 1.5), "status": ("x", None, 1, []), "config": ([], "x", None),
    "config__scenario": (1, None, []), "config__encoder": (1, None), "config__method": ({}, None, "a\ud800"),
    "config__title": ("\ud800", 5), "config__seed": ("x", -1, 2**40, True, 1.5, None, []),
    "config__order": ([], None, 1.5), "config__stream": ("x", 1, None), "config__notes": ("x", [1], {}),
    "config__columns": ("x", [1], {}, ["x"] * 10_001), "config__tuned": (5, [1], "x"),
    "config__epochs": (0, -1, "x", [], 1e308), "config__batch_size": (0, "x"), "config__lr": (0, -1, "x"),
    "config__max_tokens": (0, 1, -5), "config__weight_decay": (-1, "x"), "config__lora_rank": (0,),
    "config__prompt_length": (0,),
    "accuracy": ("x", [[7, 0.1], [0, 0]], [[-0.5, 0], [0, 0]], [[0.5], [0.1, 0.9]], [[], []], [1], [["x"]],
                 [[0.5, 0.5], [0.1, 0.1]], []),
    "macro_f1": ([[7, 1], [1, 1]], [[0.5]], "x"), "stream_accuracy": ([2, 0.5], ["x", 1], [0.5]),
    "untrained_accuracy": ([2, 0], [0.5], "x"), "metrics": ([], "x", {}),
    "metrics__average_accuracy": (*_SHARES, 0.6), "metrics__learning_accuracy": _SHARES,
    "metrics__forgetting": (2, -2, "x"), "metrics__bwt": (2, "x"),
    "costs": ([], "x"), "costs__seconds": ([], {"train": -1}, {"train": "x"}, {"other": -1}),
    "costs__carried_bytes": ({"total": -1},), "experiences": ("x", [1], {}),
    "confusion": ("x", [[[[0, 9, 1]], [[1, 1, 1]]]] * 2, [[[[0, 0, 0.5]], [[1, 1, 1]]]] * 2,
                  [[[[0, 0]], [[1, 1]]]] * 2, [[[[0, 0, -1]], [[1, 1, 1]]]] * 2, []),
    "diagnostics": ("x", {"experiences": [1]}, {"experiences": [{"dead_keys": -1}]}),
}  # fmt: skip
TEXTS = {
    "not JSON": "{", "empty": "", "a list": "[]", "a number": "1", "nested lists": "[" * 100_000,
    "nested objects": '{"a":' * 100_000, "1e999": json.dumps({}).replace("{}", '{"schema": 3, "x": 1e999}'),
    "a number of 10,000 digits": '{"schema": ' + "9" * 10_000 + "}", "NaN": '{"schema": NaN}',
    "large": " " * (65 * 2**20),
}  # fmt: skip
R = results()
BENCH = ("bench", "assign", "--encoder", "tiny", "--threads", "1", "--scenario", "$W/data/r8s.yaml")
TUNE = ("tune", "--scenario", "$W/data/r8s.yaml", "--encoder", "tiny", "--threads", "1", "--baseline", "ewc")
COMMANDS: dict[str, list[tuple[tuple[str, ...], dict[str, Any]]]] = {
    "clbench": [(("nope",), {}), (("--nope",), {}), (("x" * 500,), {}), (("a\nb",), {})],
    "list": [(("list", word), {}) for word in ("nope", "", "x" * 500)] + [(("list", "--nope"), {})],
    "run": [
        (("run", *words), R8S)
        for words in (
            ("--baseline", "ncm"), ("--scenario", "r8-cil"), ("--scenario", "r8-cil", "--baseline", "ncm"),
            ("--scenario", "nope", "--baseline", "ncm"), ("--scenario", "x.yaml", "--baseline", "ncm"),
            ("--scenario", "pydocs-cil", "--baseline", ".a"),
            ("--scenario", "pydocs-cil", "--baseline", "a..b"),
            ("--scenario", "pydocs-cil", "--baseline", "nowhere.Method"), ("--lrr", "1"), ("--lrr=1",),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--joint", "--single"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--experiences", "99"),
            ("--config", "nope.yaml"), ("--config", "."),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", "tinyy"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", "./nothing"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--encoder", "data"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--results", "/proc/x"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--results", "data/r8s.yaml/x"),
            ("--scenario", "r8-cil", "--baseline", "ncm", "--data-dir", "data"),
            ("--scenario", "r8-cil", "--baseline", "ncm", "--data-dir", "/nonexistent"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "--generic-corpus", "/nonexistent"),
            ("--scenario", "pydocs-cil", "--baseline", "ncm", "unexpected"), ("--epochs",),
        )
    ],
    "data": [
        (("data", *words), {"d/x": ""})
        for words in (
            (), ("nope",), ("verify",), ("verify", "--data-dir", "/nonexistent"),
            ("verify", "--data-dir", "d"),
            ("verify", "nope", "--data-dir", "d"), ("verify", "r8", "--data-dir", "d"), ("fetch", "nope"),
            ("fetch", "r8", "--data-dir", "d/x"), ("fetch", "r8", "--data-dir", "d", "--server", "http://[::1"),
            ("fetch", "r8", "--data-dir", "d", "--server", "file:///etc"),
            ("list", "--nope"), ("verify", "--data-dir", "a\0b"),
        )
    ],
    "tune": [
        ((*TUNE, *words), R8S)
        for words in (
            *(("--trials", word) for word in ("0", "-1", "abc", "1.5", "nan", "", "1e9", str(10**12))),
            ("--seed", str(2**70)), ("--experiences", "99"), ("--nope", "1"), ("--tuning", "nope"),
            ("--baseline.strength", "-1"), ("--lr", "0"), ("--results", "/proc/x"),
        )
    ],
    "bench": [
        (("bench", *words), R8S) for words in (("nope",), ("assign", "--encoder", "nope"))
    ] + [
        ((*BENCH, *words), R8S)
        for words in (
            *(("--threads", word) for word in ("0", "-1", "x", "1.5")),
            ("--json", "."), ("--json", "/proc/x"),
            ("--scenario", "pydocs-dil"), ("--scenario", "nope"), ("--data-dir", "/nonexistent"), ("--nope",),
        )
    ],
    "new-baseline": [
        (("new-baseline", word), {})
        for word in (
            "class", "def", "None", "match", "type", "os", "test", "yaml", "torch", "clbench", "baselines",
            "tests", "experiments", "json", "a\nb", "x" * 61, "x" * 300, "A", "1a", "a-b", "a.b", "a/b",
            "../a",             "ewc", "", "\0", "ä", "_a",
        )
    ] + [(("new-baseline",), {}), (("new-baseline", "mine", "--into", "f"), {"f": ""}),
         (("new-baseline", "mine", "--into", "/proc/x"), {}), (("new-baseline", "a", "b"), {})],
    "report": [
        (("report", *words), {**R, "f": "", "n.md": b"\xff", "x.md": "<!-- table t.md: a -->\n",
                              "e/x": "", "y.md": "<!-- table nope.md: a -->\n<!-- end -->\n"})
        for words in (
            ("nope",), ("e",), ("f",), ("r", "--out", "f"), ("r", "--out", "f/g"), ("r", "--out", "/proc/x"),
            ("r", "--columns", "nope"), ("r", "--columns", ""), ("--readme", "nope.md"), ("--readme", "."),
            ("--readme", "n.md"), ("--readme", "x.md"), ("--readme", "y.md"), ("r", "--index", "."),
            ("r", "--index", "f/g"), ("r", "--nope"), ("r", "--page", "perhaps"), ("",), ("r", "r/nope.json"),
        )
    ],
    "wandb": [
        (("wandb", *words), R)
        for words in (
            ("nope",), ("push", "nope"), ("push", "r", "--nope"), ("push", "r", "--mode", "nope"),
            ("push", "r", "--project", "a/b"),
            ("push", "r", "--project", "x" * 200), ("push", "r", "--project", ""),
            ("push", "r", "--group", "x" * 200), ("push", "r", "--entity", "a:b"),
            ("dashboard", "nope"), ("dashboard", "r", "--json", "."), ("dashboard", "r", "--json", "/proc/x"),
        )
    ],
    "reproduce": [
        (("reproduce", *words), {**R8S, "f": ""})
        for words in (
            ("nope",), ("nope.yaml",), ("main", "--profile", "nope"), ("--profile", "nope"),
            *(("main", "--profile", "quick", "--workers", word) for word in ("0", "-1", "x", "1.5", "1e9")),
            ("main", "--profile", "../x"), ("main", "--profile", "quick", "--results", "f"),
            ("main", "--profile", "quick", "--results", "/proc/x"), ("main", "--wandb", "nope"),
            ("main", "--nope"), ("main", "--profile", "quick", "--engine", "ray", "--address", "nowhere"),
            ("main", "--profile", "small", "--data-dir", "/nonexistent", "--dry-run"),
        )
    ],
}  # fmt: skip


def of_commands() -> Iterator[Case]:
    """Wrong options of each command."""
    for group, entries in COMMANDS.items():
        for words, files in entries:
            yield Case(group, " ".join(words)[-60:], words, files)
    for value in ("-1", "x", "nan", "inf", "1e999"):
        words = ("run", "--scenario", "$W/data/r8s.yaml", "--baseline", "ncm", "--encoder", "tiny")
        name = "CLBENCH_CACHE_GB"
        yield Case("run", f"{name}={value}", words, R8S, {name: value}, culprit=name)
