"""A dataset on the hub, from a server on this machine that answers as the hub does."""

import io
import json
import os
import subprocess
import sys

import pytest
from datasets import ClassLabel, Dataset, Features, Value
from support.fake_hub import COMMIT, FakeHub

README = b"""---
configs:
- config_name: plus
  data_files:
  - {split: train, path: plus/train-*}
  - {split: test, path: plus/test-*}
- config_name: small
  data_files:
  - {split: train, path: plus/test-*}
---
"""
YAML = """
kind: class
data: {hub: clinc/tiny, revision: REVISION, config: CONFIG}
keys: {text: body, label: intent}
"""
TASKS = """
kind: task
data:
  files: here
  served: {hub: clinc/tiny, revision: REVISION, config: plus, keys: {text: body, label: intent}}
"""
CODE = """
import json, sys
from clbench.core.errors import UserError
from clbench.data.scenarios import find_scenario
from clbench.data.stream import load_stream
for name in sys.argv[1:]:
    try:
        scenario = find_scenario(name)
        stream = load_stream(scenario, scenario.protocol)
        texts = stream.experiences[1].splits["test"]["text"][:]
        print(json.dumps([scenario.columns, texts, list(stream.data)]))
    except UserError as error:
        print(json.dumps(str(error)))
"""


@pytest.fixture(scope="module")
def hub():
    features = Features({"body": Value("string"), "intent": ClassLabel(names=["zeta", "alpha"])})
    files = {"README.md": README}
    for split, size in (("train", 8), ("test", 4)):
        content = io.BytesIO()
        rows = {"body": [f"{split} {at}" for at in range(size)], "intent": [at % 2 for at in range(size)]}
        Dataset.from_dict(rows, features=features).to_parquet(content)
        files[f"plus/{split}-00000-of-00001.parquet"] = content.getvalue()
    made = FakeHub("clinc/tiny", files)
    yield made
    made.close()


def read(home, hub, *chosen: tuple[str, str], offline: bool = False) -> list:
    """What scenarios of these configurations and revisions are, or the message, in a process of its own.

    The library reads the address of the hub when it is imported.
    """
    return loaded(
        home,
        hub,
        *(YAML.replace("REVISION", each).replace("CONFIG", config) for config, each in chosen),
        offline=offline,
    )


def loaded(home, hub, *texts: str, offline: bool = False) -> list:
    """What scenarios of these files are: see ``read``."""
    paths = [home / f"{at}.yaml" for at in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text)
    own = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_OFFLINE": str(int(offline))}
    command = [sys.executable, "-c", CODE, *paths]
    done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_is_read_at_its_revision_and_kept(hub, tmp_path):
    expected = [["alpha", "zeta"], ["test 0", "test 2"], ["tiny"]]
    found, unknown, untested = read(tmp_path, hub, ("plus", COMMIT), ("nope", COMMIT), ("small", COMMIT))
    assert found == expected
    assert f"GET /datasets/clinc/tiny/resolve/{COMMIT}/plus/train-00000-of-00001.parquet" in hub.asked
    assert not any(line.endswith(".py") and line.startswith("GET") for line in hub.asked)
    assert "BuilderConfig 'nope' not found. Available: ['plus', 'small']" in unknown
    assert "has no test split" in untested
    # Without the hub, what is kept serves its own revision and no other.
    again, other = read(tmp_path, hub, ("plus", COMMIT), ("plus", "f" * 40), offline=True)
    assert again == expected
    assert other.startswith(
        f"dataset clinc/tiny@{'f' * 40} on the hub cannot be reached; what is kept here is"
    )


def test_a_dataset_on_the_hub_can_be_a_task_beside_files(hub, tmp_path):
    (tmp_path / "here").mkdir()
    for split in ("train", "test"):
        (tmp_path / "here" / f"{split}.csv").write_text("text,label\none,x\ntwo,y\n")
    (found,) = loaded(tmp_path, hub, TASKS.replace("REVISION", COMMIT))
    columns = ["files:x", "files:y", "served:alpha", "served:zeta"]
    assert found == [columns, [f"test {at}" for at in range(4)], ["files", "served"]]
