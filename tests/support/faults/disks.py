"""Faults of disks: full, read-only, gone, and files that are not what was written."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

from support.faults.scene import Scene


def spoil(path: Path, how: str) -> None:
    """Damages a file."""
    content = bytearray(path.read_bytes())
    if how == "cut short":
        content = content[: len(content) // 2]
    elif how == "empty":
        content = bytearray()
    elif how == "zeros":
        content = bytearray(len(content))
    else:  # at the start, in the middle or at the end
        at = {"first byte": 0, "middle byte": len(content) // 2, "last byte": len(content) - 1}[how]
        content[at] ^= 64
    path.write_bytes(content)


HOWS = ("cut short", "empty", "zeros", "first byte", "middle byte", "last byte")


def damaged_checkpoint(scene: Scene) -> list[str]:
    """The newest checkpoint in every way, and then both of them."""
    scene.run(scene.words("replay", results="whole"))
    found = []
    for at, how in enumerate((*HOWS, "both")):
        results = f"runs{at}"
        words = scene.words("replay", results=results)
        scene.kill_after(words, 3)
        spoilt = scene.checkpoints(results)[0 if how == "both" else -1 :]
        for path in spoilt:
            spoil(path, "zeros" if how == "both" else how)
        where = "the start" if how == "both" else "the checkpoint before it"
        ended = scene.run(words)
        found += ended.problems(0, "is damaged", f"goes on from {where}", lines=len(spoilt))
        found += scene.unequal("whole", results)
    return [f"{found}"] if found else []


def _writes_of(size: int):
    """No file can grow beyond so many bytes: what a write then raises is like that of a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def results_full_midway(scene: Scene) -> list[str]:
    """The results take small files only; with room again, the same command goes on."""
    scene.run(scene.words(results="whole"))
    scene.run(scene.words(results="other"))  # fills the cache
    scene.kill_after(scene.words(), 3)
    before = [path.name for path in scene.checkpoints()]
    size = max(path.stat().st_size for path in scene.checkpoints())
    ended = scene.run(scene.words(), before=_writes_of(size // 2))
    found = ended.problems(1, "the same command goes on")
    left = [path.name for path in scene.checkpoints()]
    found += [] if left and set(left) <= set(before) else ["the checkpoint is not kept"]
    found += [] if json.loads(scene.result().read_text())["status"] == "running" else ["it is not running"]
    again = scene.run(scene.words())
    return [*found, *again.problems(0, lines=0), *scene.unequal("whole")]


def results_full(scene: Scene) -> list[str]:
    """Hardly a byte can be written to the results from the start on."""
    scene.run(scene.words(results="other"))
    ended = scene.run(scene.words(), before=_writes_of(1000))
    made = [path for path in (scene.folder / "runs").rglob("*") if path.is_file()]
    return [*ended.problems(2, "option results"), *(f"{path} is left" for path in made)]


def results_read_only(scene: Scene) -> list[str]:
    """The folder of the method cannot be written: said before anything is trained."""
    scene.run(scene.words("replay", "--experiences", "1"))
    result = scene.result()
    result.unlink()
    ended = scene.run(scene.words(), before=_read_only(result.parent))
    return [*ended.problems(2, "option results"), *(["it was trained"] if "[1/" in ended.out else [])]


def cache_read_only(scene: Scene) -> list[str]:
    """A cache that cannot be written: empty, and with everything in it."""
    scene.run(scene.words("dkvb", results="whole"), {"CLBENCH_CACHE": "full"})
    (scene.folder / "empty").mkdir()
    found = []
    for cache, said in (("empty", ["cannot be written"]), ("full", [])):
        results, before = f"runs-{cache}", _read_only(scene.folder / cache)
        ended = scene.run(scene.words("dkvb", results=results), {"CLBENCH_CACHE": cache}, before)
        found += [*ended.problems(0, *said, lines=len(said)), *scene.unequal("whole", results)]
    return found


def cache_full(scene: Scene) -> list[str]:
    """No room for features, but for results."""
    scene.run(scene.words("dkvb", results="whole"), {"CLBENCH_CACHE": "other"})

    def before() -> None:
        import numpy as np

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        np.save = full

    ended = scene.run(scene.words("dkvb"), before=before)
    return [*ended.problems(0, "cannot be written"), *scene.unequal("whole")]


def cache_gone(scene: Scene) -> list[str]:
    """The cache is removed again and again while a run goes on."""
    found = []
    for method in ("replay", "dkvb"):
        whole, runs = f"{method}-whole", f"{method}-runs"
        scene.run(scene.words(method, results=whole), {"CLBENCH_CACHE": "other"})
        times = {"left": 5}

        def remove(results: str = runs, times: dict[str, int] = times) -> bool:
            if scene.checkpoints(results) and times["left"]:
                shutil.rmtree(scene.folder / "cache", ignore_errors=True)
                times["left"] -= 1
            return False

        ended = scene.stop(scene.words(method, results=runs), remove)
        found += ended.problems(0, lines=None) + scene.unequal(whole, runs)
        found += ["the cache was not removed"] if times["left"] == 5 else []
    return found


def cache_is_a_file(scene: Scene) -> list[str]:
    """A file is in the place of the cache."""
    scene.run(scene.words(results="whole"))
    (scene.folder / "file").write_text("")
    ended = scene.run(scene.words(), {"CLBENCH_CACHE": "file"})
    return [*ended.problems(0, "cannot be written"), *scene.unequal("whole")]


def results_gone(scene: Scene) -> list[str]:
    """The results are removed while a run goes on: they are made again."""
    scene.run(scene.words("naive", results="whole"))
    times = {"left": 3}

    def remove() -> bool:
        if len(scene.checkpoints()) > 1 and times["left"]:
            shutil.rmtree(scene.folder / "runs", ignore_errors=True)
            times["left"] -= 1
        return False

    ended = scene.stop(scene.words("naive"), remove)
    if ended.status == 1:  # it was removed between making the folder and writing into it
        ended = scene.run(scene.words("naive"))
    return [*ended.problems(0, lines=None), *scene.unequal("whole")]


def result_damaged(scene: Scene) -> list[str]:
    """A result file of half its length is named, and not written over."""
    scene.run(scene.words())
    path = scene.result()
    spoil(path, "cut short")
    before = path.read_bytes()
    ended = scene.run(scene.words())
    return [*ended.problems(2, path.name), *([] if path.read_bytes() == before else ["it was changed"])]


def _read_only(folder: Path) -> Callable[[], None]:
    """Lets a process, and no other, see a folder as read-only: by a mount of its own, for root."""

    def before() -> None:
        if os.geteuid():
            folder.chmod(0o555)
            return
        system, path = ctypes.CDLL(None, use_errno=True), str(folder).encode()
        private, bind, read_only, again = 1 << 18 | 1 << 14, 1 << 12, 1, 1 << 5
        for failed in (
            system.unshare(1 << 17),  # its own mounts
            system.mount(b"none", b"/", None, private, None),
            system.mount(path, path, None, bind, None),
            system.mount(b"none", path, None, bind | read_only | again, None),
        ):
            if failed:
                raise OSError(ctypes.get_errno(), "no mounts of one's own here")

    return before


DISKS = {
    "damaged checkpoints": damaged_checkpoint,
    "a damaged result": result_damaged,
    "results full midway": results_full_midway,
    "results full from the start": results_full,
    "results read-only": results_read_only,
    "results removed midway": results_gone,
    "cache read-only": cache_read_only,
    "cache full": cache_full,
    "cache removed midway": cache_gone,
    "a file in place of the cache": cache_is_a_file,
}
