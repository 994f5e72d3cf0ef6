"""When a result file holds the same run, and when another one."""

import json

import pytest

from clbench.core.errors import UserError
from clbench.engine.build import prepare
from clbench.engine.earlier import finished, make_way
from clbench.engine.loop import execute
from clbench.engine.parser import run_config
from clbench.testing.streams import SCENARIOS, write_texts


def prepared(folder):
    options = {"scenario": "class", "baseline": "ncm", "encoder": "tiny", "data_dir": str(folder / "data")}
    return prepare(run_config({**options, "results": str(folder / "runs")}), scenario=SCENARIOS["class"])


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("notes", [{"kind": "deviation", "text": "other words"}], True),
        ("title", "Another", True),
        ("name", "Another name", True),
        ("batch_size", 99, False),
    ],
)
def test_wording_makes_no_other_run_and_options_do(key, value, same, tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    write_texts(tmp_path / "data")
    run = prepared(tmp_path)
    execute(run)
    run.working.mkdir()  # left by a process that was killed at the very end
    assert finished(prepared(tmp_path))
    assert not run.working.exists()
    content = json.loads(run.path.read_text())
    assert content["config"][key] != value
    content["config"][key] = value
    run.path.write_text(json.dumps(content))
    again = prepared(tmp_path)
    assert (finished(again) is not None) == same
    if same:
        make_way(again, replace=False)
    else:
        with pytest.raises(UserError, match=key):
            make_way(again, replace=False)
