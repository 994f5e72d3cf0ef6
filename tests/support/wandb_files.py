"""What W&B tests share: a short stream, surroundings without an account, wandb's own reader of its files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BIN = Path(sys.executable).parent
NAMES = ("acq", "crude", "earn", "grain", "ship", "trade")


def alone(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No account, no server: nothing of whoever runs the tests is used, and nothing is sent."""
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("NETRC", str(folder / "netrc"))
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(folder / name.lower()))
    monkeypatch.setenv("CLBENCH_CACHE", str(folder / "features"))


def alone_in_a_process(line: list[str], key: str | None = None) -> subprocess.CompletedProcess:
    """Runs ``clbench``, with a key for the server that is not there, or without one."""
    # Named there is the service of this process, which would be shared.
    variables = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
    if key:
        variables["WANDB_API_KEY"] = key
    words = [str(BIN / "clbench"), *line]
    return subprocess.run(words, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def stream(folder: Path) -> Path:
    """Writes a scenario of three experiences of two classes each, not all easy, and returns its file."""
    (folder / "three").mkdir(parents=True)
    for split, size in (("train", 6), ("test", 5)):
        lines = [
            json.dumps({"text": f"{NAMES[at % 6]} {label} report {at} of the {split}", "label": label})
            for label in NAMES
            for at in range(size)
        ]
        (folder / "three" / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    scenario = folder / "three.yaml"
    scenario.write_text(
        f"kind: class\nclasses_per_experience: 2\ndata: three\nlabels: [{', '.join(NAMES)}]\n"
        "protocol: {epochs: 2, batch_size: 2, max_tokens: 16}\n"
    )
    return scenario


def options(scenario: Path, results: Path, *more: str) -> list[str]:
    fixed = ["--scenario", str(scenario), "--data-dir", str(scenario.parent), "--encoder", "tiny"]
    return [*fixed, "--baseline", "finetune", "--tuning", "frozen", "--results", str(results), *more]


def run_folders(results: Path) -> list[Path]:
    return sorted((results / "wandb").glob("*run-*-*"))


def records(folder: Path) -> list[dict]:
    """All records of a run's file, as ``wandb leet inspect`` reads them, in order."""
    line = [str(BIN / "wandb"), "leet", "inspect", "--json", str(folder)]
    read = subprocess.run(line, capture_output=True, text=True, check=True)
    return [json.loads(each) for each in read.stdout.splitlines()]


def of(kind: str, read: list[dict]) -> list[dict]:
    return [each[kind] for each in read if each["type"] == kind]


def history(read: list[dict]) -> list[dict]:
    return [each["item"] for each in of("history", read)]


def summary(read: list[dict]) -> dict:
    """The last value of each key."""
    return {key: value for each in of("summary", read) for key, value in each["update"].items()}


def rows(read: list[dict]) -> list[dict]:
    """What was logged after each experience, without wandb's own keys."""
    found = [each for each in history(read) if "experience" in each]
    return [{key: value for key, value in each.items() if not key.startswith("_")} for each in found]


def table(folder: Path) -> dict:
    (path,) = (folder / "files").rglob("*.table.json")
    return json.loads(path.read_text())


def artifact(read: list[dict]) -> dict:
    (found,) = [each for each in of("artifact", read) if each["type"] == "result"]
    return found
