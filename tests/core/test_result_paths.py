"""Result files that are compressed."""

import json
import lzma
import subprocess

import pytest
from support.result_files import result, write

from clbench.core import result_paths
from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.engine.build import Run, prepare
from clbench.engine.earlier import finished
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.reporting.load import load_results
from clbench.studies.sweep import run_all


def pack(path):
    """As the documentation says."""
    subprocess.run(["xz", "-9", str(path)], check=True)
    return path.with_name(f"{path.name}.xz")


def test_a_compressed_file_is_read_like_a_plain_one(tmp_path):
    for seed in (0, 1):
        content = result("alpha", "ewc-frozen", 0)
        content["config"]["seed"] = seed
        write(tmp_path, content)
    before = load_results([tmp_path]).drop(columns="path")
    first = sorted(tmp_path.rglob("*.json"))[0]
    packed = pack(first)
    assert not first.exists()
    after = load_results([tmp_path])
    assert sorted(after["path"]) == sorted(map(str, result_paths.result_paths(tmp_path)))
    assert after.drop(columns="path").equals(before)
    assert RunResult.read(packed).path == packed
    assert len(load_results([packed])) == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{}", "not compressed by xz"),
        (lzma.compress(b"{}")[:-9], "not compressed by xz"),
        (lzma.compress(b"x" * 2000), "larger than"),
        (lzma.compress(b"\xff"), "codec can't decode"),
    ],
)
def test_a_damaged_one_is_named(content, reason, tmp_path, monkeypatch):
    monkeypatch.setattr(result_paths, "LARGEST", 1000)
    path = tmp_path / "order0-seed0.json.xz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path} is not a result file: .*{reason}"):
        RunResult.read(path)


def made(folder, **more) -> Run:
    options = {"scenario": "pydocs-cil", "baseline": "ncm", "encoder": "tiny", "train_per_class": 2}
    return prepare(run_config({**options, "test_per_class": 2, "results": str(folder), **more}))


def test_a_compressed_run_is_done_and_another_one_takes_its_place(tmp_path):
    run = made(tmp_path)
    execute(run)
    packed = pack(run.path)
    assert finished(made(tmp_path)).path == packed
    (outcome,) = run_all([run.config], workers=1, progress=False)
    assert (outcome.skipped, outcome.path) == (True, packed)
    again = made(tmp_path)
    again.again = True
    execute(again)
    assert result_paths.result_paths(tmp_path) == [run.path]
    assert json.loads(run.path.read_text())["status"] == "done"
    pack(run.path)
    with pytest.raises(UserError, match=r"order0-seed0.json.* holds a run with another weight_decay"):
        execute(made(tmp_path, weight_decay=0.5))
