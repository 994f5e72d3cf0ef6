"""``import clbench``: what is public, that it loads fast, and that ``clbench.run`` is ``clbench run``."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

import clbench
from clbench.cli import main
from clbench.testing.streams import write_texts


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    path = tmp_path / "six.yaml"
    path.write_text("kind: class\ndata: data/six\nclasses_per_experience: 2\n")
    return {"scenario": str(path), "baseline": "ewc", "encoder": "tiny", "tuning": "frozen", "epochs": 1}


def test_every_public_name_resolves_and_is_seen_by_type_checkers():
    for name in clbench.__all__:
        assert getattr(clbench, name) is not None
        assert name in dir(clbench)
    checked = ast.parse(Path(clbench.__file__).read_text())
    block = next(node for node in checked.body if isinstance(node, ast.If))
    assert {alias.name for node in block.body for alias in node.names} == set(clbench.__all__)
    with pytest.raises(AttributeError, match="no attribute 'ruin'"):
        _ = clbench.ruin


def test_importing_is_light():
    program = (
        "import sys, time; begun = time.process_time(); import clbench; spent = time.process_time() - begun\n"
        "heavy = [name for name in ('torch', 'pandas', 'numpy', 'lightning') if name in sys.modules]\n"
        "print(heavy, spent)\n"
        "assert not heavy\nassert spent < 0.3\n"
        "clbench.UserError, clbench.RunResult\nassert 'torch' not in sys.modules\n"
        "clbench.reporting.load_results\nassert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_call_gives_the_result_of_the_command_and_is_not_run_again(options, tmp_path, monkeypatch):
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    assert main(["run", *words, "--baseline.strength", "10", "--results", str(tmp_path / "cli")]) == 0
    own = {"results": tmp_path / "api", "arguments": {"strength": 10}}
    result = clbench.run(**options, **own)
    assert isinstance(result, clbench.RunResult)
    (path,) = (tmp_path / "cli").rglob("order0-seed0.json")
    assert result.to_json()["accuracy"] == json.loads(path.read_text())["accuracy"]
    (written,) = (tmp_path / "api").rglob("order0-seed0.json")
    assert written.relative_to(tmp_path / "api") == path.relative_to(tmp_path / "cli")
    monkeypatch.setattr("clbench.engine.api.execute", None)  # a second run would fail
    again = clbench.run(**options, **own)
    assert again.to_json() == json.loads(json.dumps(result.to_json()))  # a tuple is a list in the file


def test_a_wrong_option_is_a_user_error(options):
    with pytest.raises(clbench.UserError, match="unknown option 'epoch'; did you mean 'epochs'"):
        clbench.run(**options, epoch=1)
    with pytest.raises(clbench.UserError, match="unknown argument of baseline EWC 'strenght'"):
        clbench.run(**options, arguments={"strenght": 1})


def test_results_load_from_one_path_or_several(results):
    several = clbench.load_results([results])
    for path in (results, str(results)):
        pd.testing.assert_frame_equal(clbench.load_results(path), several)


def test_the_bottleneck_is_a_module_of_its_own():
    assert issubclass(clbench.KeyValueBottleneck, torch.nn.Module)
