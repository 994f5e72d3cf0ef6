"""How often a whole run puts a text through the encoder, and what it says that took."""

import json
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread

import pytest
from filelock import FileLock

from clbench.engine.build import prepare
from clbench.engine.loop import execute
from clbench.engine.parser import parse_run
from clbench.models.encoder import TextEncoder
from clbench.models.feature_cache import FeatureCache

CLASSES = ("acq", "crude", "earn", "grain", "interest", "money-fx", "ship", "trade")


@pytest.fixture
def data(tmp_path) -> Path:
    folder = tmp_path / "data" / "r8"
    folder.mkdir(parents=True)
    for split, size in (("train", 4), ("test", 2)):
        lines = [
            json.dumps({"text": f"{label} " * (at + 1) + f"report {at} of the {split}", "label": label})
            for label in CLASSES
            for at in range(size)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    (folder.parent / "eight.yaml").write_text(
        f"kind: class\ndata: r8\nlabels: [{', '.join(CLASSES)}]\n"
        "protocol: {epochs: 5, batch_size: 16, max_tokens: 256, samples_per_epoch: 100}\n"
    )
    (tmp_path / "general").mkdir()
    paragraphs = [f"general text number {at} of these" for at in range(9)]
    (tmp_path / "general" / "text.txt").write_text("\n\n".join(paragraphs))
    return folder.parent


@pytest.fixture
def passes(monkeypatch) -> Counter:
    """How often each text, as its tokens, went through an encoder; copies in one batch count once."""
    count: Counter = Counter()
    original = TextEncoder.frozen_states

    def counting(self, rows, mask):
        count.update({row[real].numpy().tobytes() for row, real in zip(rows, mask, strict=True)})
        return original(self, rows, mask)

    monkeypatch.setattr(TextEncoder, "frozen_states", counting)
    return count


DKVB = ["--baseline", "dkvb", "--baseline.heads", "4", "--baseline.keys", "8", "--baseline.initialization"]
RUNS = {
    "oracle": [*DKVB, "oracle"],
    "incremental": [*DKVB, "incremental"],
    "generic": [*DKVB, "generic"],
    "frozen": ["--baseline", "finetune", "--tuning", "frozen"],
}


def line_of(method: str, data: Path) -> list[str]:
    line = ["--scenario", str(data / "eight.yaml"), "--encoder", "tiny", "--samples-per-epoch", "4"]
    line += RUNS[method]
    line += ["--batch-size", "4", "--max-tokens", "16", "--data-dir", str(data), "--precision", "float32"]
    return [*line, "--generic-corpus", str(data.parent / "general")] if method == "generic" else line


@pytest.mark.parametrize("epochs", ["1", "3"])
@pytest.mark.parametrize("method", RUNS)
def test_a_whole_run_encodes_each_text_once_and_the_next_run_none(
    method, epochs, data, passes, tmp_path, monkeypatch
):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    line = [*line_of(method, data), "--epochs", epochs]
    first, second = (prepare(parse_run([*line, "--results", str(tmp_path / name)])) for name in "ab")
    done = execute(first).to_json()
    texts = {
        text
        for experience in first.stream.experiences
        for split in ("train", "test")
        for text in experience.splits[split]["text"]
    }
    assert len(texts) == 8 * (3 + 2)  # one of four training texts is for validation
    needed = len(texts) + (9 if method == "generic" else 0)
    assert first.data.cache.texts_encoded == needed
    assert len(passes) == needed
    assert set(passes.values()) == {1}
    if epochs == "1":
        return
    again = execute(second).to_json()
    assert second.data.cache.texts_encoded == 0
    assert set(passes.values()) == {1}
    assert again["confusion"] == done["confusion"]
    assert done["costs"]["seconds"]["encode"] > 0
    assert again["costs"]["seconds"]["encode"] == pytest.approx(done["costs"]["seconds"]["encode"], abs=1e-9)


def test_waiting_for_keys_that_another_process_makes_costs_nothing(data, tmp_path, monkeypatch):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path / "cache"))
    line = [*line_of("oracle", data), "--epochs", "1"]
    first, second = (prepare(parse_run([*line, "--results", str(tmp_path / name)])) for name in "ab")
    made = execute(first).to_json()["costs"]
    locks = [FileLock(path) for path in tmp_path.glob("cache/*/made/lock-*")]
    shards = list(tmp_path.glob("cache/*/made/shard-*"))
    held = Event()

    def another() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            hidden = [shard.rename(shard.with_name(f"hidden-{shard.name}")) for shard in shards]
            held.set()
            time.sleep(4)
            for shard, place in zip(hidden, shards, strict=True):  # made
                shard.rename(place)

    thread = Thread(target=another)
    thread.start()
    assert held.wait(60)
    read = execute(second).to_json()["costs"]
    thread.join()
    assert locks
    assert read["wall_seconds"] > 3
    assert read["seconds"]["keys"] == pytest.approx(made["seconds"]["keys"], abs=2)


def test_texts_of_a_dataset_are_one_group_in_all_scenarios_and_general_texts_another(
    data, tmp_path, monkeypatch
):
    groups: dict[str, set[str]] = {}
    original = FeatureCache.features

    def noting(self, encoder, texts, pairs, max_tokens, prefix, group=""):
        for text in texts:
            groups.setdefault(group, set()).add("general" if text.startswith("general") else "dataset")
        return original(self, encoder, texts, pairs, max_tokens, prefix, group)

    monkeypatch.setattr(FeatureCache, "features", noting)
    declared = data / "eight.yaml"
    (data / "other.yaml").write_text(
        declared.read_text().replace("kind: class", "kind: class\norder: random")
    )
    for name in ("eight", "other"):
        line = [part.replace(str(declared), str(data / f"{name}.yaml")) for part in line_of("generic", data)]
        execute(prepare(parse_run([*line, "--results", str(tmp_path / name)])))
    (one,) = groups.keys() - {"general"}
    assert groups == {"general": {"general"}, one: {"dataset"}}
