"""A cache that is damaged, read-only, full or gone: what it gives is right, and a run goes on."""

import os
import resource
import shutil
import stat
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from support.feature_texts import EVERY, TEXTS, ask, twice

from clbench.cli import main
from clbench.core.costs import Cost
from clbench.models.feature_budget import Budget
from clbench.models.feature_cache import LAYOUT, FeatureCache
from clbench.models.frozen_prefix import FrozenPrefix

STATES, TWICE = FrozenPrefix("states"), FrozenPrefix("states", twice, "twice")
FILES = ("values.npy", "stop.npy", "keys.npy", "costs.npy", "checksums.json")


@pytest.fixture(scope="module")
def wanted(encoder, tmp_path_factory):
    return answers(FeatureCache(tmp_path_factory.mktemp("wanted"), progress=False), encoder)


def answers(cache, encoder) -> list[bytes]:
    """Everything that a run may ask for, as bytes."""
    found = [own.tobytes() for prefix in (STATES, TWICE) for own in ask(cache, encoder, prefix)]
    tensors, _ = cache.tensors("x", lambda: ({"x": torch.arange(50.0)}, Cost(1.0)))
    return [*found, tensors["x"].numpy().tobytes()]


def limited(folder: Path) -> FeatureCache:
    """A cache with a budget, as runs have one."""
    return FeatureCache(folder, budget=Budget(folder, 10**9), progress=False)


def link(path: Path) -> None:
    """Moves a file or folder away and puts a link to it in its place."""
    elsewhere = path.parent.parent.parent / f"{path.name}-elsewhere"
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def flip(path: Path, share: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(share * (len(content) - 1))] ^= 4
    path.write_bytes(content)


DAMAGE = {
    "a flipped byte at the start": lambda path: flip(path, 0),
    "a flipped byte inside": lambda path: flip(path, 0.6),
    "a flipped byte at the end": lambda path: flip(path, 1),
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "a link": link,
    "cut short": lambda path: os.truncate(path, path.stat().st_size // 2),
}


def test_a_shard_that_is_a_link_is_dropped_and_what_it_leads_to_stays(encoder, wanted, tmp_path):
    answers(FeatureCache(tmp_path, progress=False), encoder)
    (shard,) = tmp_path.glob("*-states/shard-*")
    link(shard)
    with pytest.warns(UserWarning, match="is a link; what it held is computed again"):
        assert answers(FeatureCache(tmp_path, progress=False), encoder) == wanted
    assert not shard.is_symlink()
    (elsewhere,) = tmp_path.parent.glob(f"{shard.name}-elsewhere")
    assert {each.name for each in elsewhere.iterdir()} == set(FILES)
    shutil.rmtree(elsewhere)


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", FILES)
def test_a_damaged_shard_is_dropped_with_one_warning_and_made_again(file, damage, encoder, wanted, tmp_path):
    answers(FeatureCache(tmp_path, progress=False), encoder)
    (shard,) = tmp_path.glob("*-states/shard-*")
    DAMAGE[damage](shard / file)
    cache = FeatureCache(tmp_path, progress=False)
    with pytest.warns(UserWarning, match="computed again") as told:
        found = ask(cache, encoder, STATES)
    assert [own.tobytes() for own in found] == wanted[: len(TEXTS)]
    assert len(told) == 1
    assert cache.texts_encoded == len(TEXTS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = FeatureCache(tmp_path, progress=False)
        assert answers(again, encoder) == wanted
        assert again.texts_encoded == 0


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("file", ["made.safetensors", "about.json", "checksums.json"])
def test_damaged_tensors_are_made_again(file, damage, encoder, wanted, tmp_path):
    cache = FeatureCache(tmp_path, progress=False)
    answers(cache, encoder)
    (shard,) = tmp_path.glob("made/shard-*")
    DAMAGE[damage](shard / file)
    with pytest.warns(UserWarning, match="computed again"):
        assert answers(cache, encoder) == wanted
    _, cost = cache.tensors("x", lambda: pytest.fail("made a third time"))
    assert cost == Cost(1.0)


def test_other_features_of_a_text_survive_damage_to_one_kind(encoder, tmp_path):
    ask(FeatureCache(tmp_path, progress=False), encoder, FrozenPrefix("mean"))
    (shard,) = tmp_path.glob("*-cls/shard-*")
    flip(shard / "values.npy", 0.9)
    cache = FeatureCache(tmp_path, progress=False)
    ask(cache, encoder, FrozenPrefix("mean"))
    assert cache.texts_encoded == 0


# -- folders that cannot be written ----------------------------------------------------------------------


@pytest.fixture
def folder():
    """A folder that another user can reach; that of pytest is private."""
    path = Path(tempfile.mkdtemp(dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@contextmanager
def read_only(folder: Path):
    """Nothing under ``folder`` can be written: for root, as another user."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH) | stat.S_IROTH)
        if path.is_dir():
            path.chmod(path.stat().st_mode | stat.S_IXOTH)
    user = os.geteuid()
    if not user:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        for path in (folder, *folder.rglob("*")):
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_a_read_only_cache_that_holds_everything_is_read_without_a_word(encoder, wanted, folder):
    answers(FeatureCache(folder, progress=False), encoder)
    before = sorted(folder.rglob("*"))
    with read_only(folder), warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PermissionError):
            (folder / "x").touch()
        cache = limited(folder)
        assert answers(cache, encoder) == wanted
        assert cache.texts_encoded == 0
    assert sorted(folder.rglob("*")) == before


def test_a_read_only_cache_that_lacks_something_is_gone_without_after_one_warning(encoder, wanted, folder):
    ask(FeatureCache(folder, progress=False), encoder, STATES, EVERY[:10])
    cache = limited(folder)
    with read_only(folder), pytest.warns(UserWarning, match="cannot be written") as told:
        found = [answers(cache, encoder) for _ in range(2)]
    assert found == [wanted, wanted]
    assert len(told) == 1
    assert cache.texts_encoded == len(TEXTS) - 10


def test_a_full_disk_costs_the_cache_and_not_the_run(encoder, wanted, tmp_path):
    cache = limited(tmp_path / "full")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150, limits[1]))  # a write beyond it is an error of the system
    try:
        with pytest.warns(UserWarning, match="cannot be written") as told:
            found = answers(cache, encoder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert found == wanted
    assert len(told) == 1
    assert cache.texts_encoded == len(TEXTS)
    assert not [path for path in tmp_path.rglob("*") if "shard" in path.name and path.is_dir()]
    assert not list(tmp_path.rglob(".partial*"))
    assert answers(cache, encoder) == wanted  # from memory
    assert cache.texts_encoded == len(TEXTS)


def test_a_cache_that_vanishes_is_made_again(encoder, wanted, tmp_path):
    cache = limited(tmp_path / "cache")
    ask(cache, encoder, STATES, EVERY[:9])
    shutil.rmtree(tmp_path / "cache")
    assert answers(cache, encoder) == wanted
    assert cache.texts_encoded == len(TEXTS)


def test_a_file_in_the_place_of_the_cache_is_one_warning(encoder, wanted, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    with pytest.warns(UserWarning, match="cannot be written") as told:
        assert answers(limited(tmp_path / "cache"), encoder) == wanted
    assert len(told) == 1


# -- clbench data verify --cache -------------------------------------------------------------------------


def test_the_whole_cache_can_be_verified(encoder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path))
    assert main(["data", "verify", "--cache"]) == 0
    assert "0 shards" in capsys.readouterr().out
    cache = FeatureCache(tmp_path / f"features-{LAYOUT}", progress=False)
    answers(cache, encoder)
    shards = list(tmp_path.glob("features-*/*/shard-*"))
    assert main(["data", "verify", "--cache"]) == 0
    assert f"{len(shards)} shards" in capsys.readouterr().out
    flip(shards[0] / "checksums.json", 0.5)
    (shards[1] / max(path.name for path in shards[1].iterdir())).unlink()
    assert main(["data", "verify", "--cache"]) == 1
    out = capsys.readouterr().out
    assert "2 damaged" in out
    assert all(str(shard) in out for shard in shards[:2])
    assert not any(shard.exists() for shard in shards[:2])  # a run would make them again
    assert main(["data", "verify", "--cache"]) == 0
    np.testing.assert_array_equal(
        np.concatenate(list(ask(FeatureCache(cache.folder, progress=False), encoder, STATES))),
        np.concatenate(list(ask(cache, encoder, STATES))),
    )
