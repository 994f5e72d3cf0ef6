"""Files that are written as a whole, and what is left of those that were not."""

import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from clbench.core.io import remove_leftovers, replacing, temporary_folder, write_json, write_text


def test_json_reads_back_whatever_is_in_it_with_lists_of_values_on_one_line(tmp_path):
    value = {
        "matrix": [[0.5, 1], [None, True]],
        "hostile": ["[\n 1,\n 2\n]", "a,\n  b", "{", "]", '"[ '],
        "empty": [[], {}],
        "objects": [{"name": "x", "seconds": {"train": 1.5}, "row": [1, 2, 3]}],
    }
    path = tmp_path / "value.json"
    write_json(path, value)
    text = path.read_text()
    assert json.loads(text) == value
    assert "[0.5,1]" in text
    assert '"row": [1,2,3]' in text
    assert "\n  [0.5,1],\n" in text


def test_a_list_of_matrices_has_a_line_for_each(tmp_path):
    value = {"counts": [[[[0, 1, 2], [3, 4, 5]], []], [[], [[6, 7, 8]]]]}
    write_json(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text()
    assert json.loads(text) == value
    assert "   [[0,1,2],[3,4,5]],\n" in text


def test_numbers_that_json_does_not_have_are_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "value.json", [float("nan")])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_have_the_rights_that_the_umask_leaves(mask, tmp_path):
    before = os.umask(mask)
    try:
        write_text(tmp_path / "file", "text")
        with temporary_folder(tmp_path) as folder:
            rights = stat.S_IMODE(folder.stat().st_mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask
    assert rights == 0o777 & ~mask


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_written_through(tmp_path):
    (tmp_path / "other").write_text("mine")
    (tmp_path / "file").symlink_to("other")
    write_text(tmp_path / "file", "text")
    assert (tmp_path / "other").read_text() == "mine"
    assert not (tmp_path / "file").is_symlink()


KILLED = """
import os, signal, sys
from pathlib import Path
from clbench.core.io import replacing, temporary_folder
with replacing(Path(sys.argv[1], "deep/file.json")) as path, temporary_folder(Path(sys.argv[1])) as folder:
    path.write_text("half")
    (folder / "page").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_is_removed_and_what_is_being_written_is_not(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)])
    assert len(list(tmp_path.rglob(".*"))) == 2
    (tmp_path / ".mine").write_text("")
    (tmp_path / "kept").mkdir()
    (tmp_path / ".link.being-written").symlink_to("kept")
    with replacing(tmp_path / "deep" / "now") as path, temporary_folder(tmp_path) as folder:
        path.write_text("now")
        remove_leftovers(tmp_path)
        assert folder.is_dir()
    assert (tmp_path / "deep" / "now").read_text() == "now"
    assert (tmp_path / "kept").is_dir()
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {".mine", "now"}


def test_a_temporary_folder_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path, monkeypatch
):
    opened = os.open

    def late(path, flags):
        monkeypatch.setattr(os, "open", opened)
        remove_leftovers(tmp_path)  # by another process, after the folder was made
        return opened(path, flags)

    monkeypatch.setattr(os, "open", late)
    with temporary_folder(tmp_path) as folder:
        assert folder.is_dir()
        remove_leftovers(tmp_path)
        assert folder.is_dir()


def test_a_temporary_folder_is_not_made_in_a_folder_that_is_gone(tmp_path):
    with pytest.raises(FileNotFoundError), temporary_folder(tmp_path / "gone"):
        pass


def test_folders_may_vanish_while_leftovers_are_searched(tmp_path):
    ended = threading.Event()

    def work():
        while not ended.is_set():
            with temporary_folder(tmp_path) as folder:
                (folder / "deeper").mkdir()

    other = threading.Thread(target=work)
    other.start()
    try:
        for _ in range(2000):
            remove_leftovers(tmp_path)
    finally:
        ended.set()
        other.join()
    assert not list(tmp_path.iterdir())


def test_a_name_of_255_bytes_can_be_written(tmp_path):
    path = tmp_path / ("\N{EURO SIGN}" * 85)
    write_text(path, "text")
    assert path.read_text() == "text"
