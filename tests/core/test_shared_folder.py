"""Folders in which several processes work; a lock belongs to what opened it, so one process can be two."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import pytest

from clbench.core.shared_folder import SharedFolder, remove_unused


def test_a_folder_stays_until_the_last_one_leaves(tmp_path):
    path = tmp_path / "results" / "run"
    first, second = SharedFolder(path), SharedFolder(path)
    assert not path.exists()
    first.enter()
    second.enter()
    first.enter()
    (path / "state").write_text("")
    first.leave()
    remove_unused(path)
    assert (path / "state").exists()
    second.leave()
    assert (path / "state").exists()
    remove_unused(path)
    assert [*path.parent.iterdir()] == []
    remove_unused(path)


def test_a_folder_that_was_removed_is_made_again(tmp_path):
    folder = SharedFolder(tmp_path / "run")
    folder.enter()
    shutil.rmtree(folder.path)
    folder.enter()
    remove_unused(folder.path)
    assert folder.path.exists()


def test_what_can_never_be_a_folder_is_an_error(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="cannot be made a folder"):
        SharedFolder(tmp_path / "run").enter()


def test_only_folders_are_removed(tmp_path):
    (tmp_path / "text").write_text("kept")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("text", "link"):
        remove_unused(tmp_path / name)
    assert (tmp_path / "link" / "text").read_text() == "kept"


def work(path: Path, times: int) -> None:
    """Enters, writes and leaves; an error of any step ends the process with a status."""
    for at in range(times):
        folder = SharedFolder(path)
        folder.enter()
        (path / f"{multiprocessing.current_process().pid}-{at}").write_text("")
        folder.leave()
        remove_unused(path)


def test_processes_do_not_remove_what_others_use(tmp_path):
    path, context = tmp_path / "run", multiprocessing.get_context("fork")
    processes = [context.Process(target=work, args=(path, 400)) for _ in range(4)]
    for each in processes:
        each.start()
    for each in processes:
        each.join()
    assert [each.exitcode for each in processes] == [0, 0, 0, 0]
    assert not path.exists()
