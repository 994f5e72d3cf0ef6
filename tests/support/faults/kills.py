"""Runs that are killed at random points, and go on by the same command until they are done."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.faults.scene import METHODS, Scene


@dataclass
class Kills:
    """What kills did to the runs of one method.

    Attributes:
        method: The method.
        kills: How many processes were killed.
        runs: How many runs were finished.
        within: Kills after which a run went on from within an experience.
        problems: What was not as without kills.
    """

    method: str
    kills: int
    runs: int
    within: int
    problems: list[str]


def killed(folder: Path, kills: int, seed: int = 0) -> Iterator[Kills]:
    """Kills runs of each method so many times, all together."""
    draw = random.Random(seed)
    for at, method in enumerate(METHODS):
        scene = Scene(folder / method)
        whole = scene.run(scene.words(method, results="whole"))
        found = Kills(method, 0, 0, 0, whole.problems(0, lines=None))
        wanted = kills * (at + 1) // len(METHODS) - kills * at // len(METHODS)
        while not found.problems and found.kills < wanted:
            results = f"runs{found.runs}"
            for _ in range(draw.randint(1, 4)):  # of one run
                due = time.monotonic() + draw.uniform(0, whole.seconds)
                words = scene.words(method, results=results)
                ended = scene.stop(words, lambda due=due: time.monotonic() > due)
                found.kills += ended.status == -signal.SIGKILL
                found.within += any(
                    "-000000000-" not in path.name for path in scene.checkpoints(results)[-1:]
                )
                if ended.status != -signal.SIGKILL or found.kills == wanted:
                    break
            found.problems += scene.run(scene.words(method, results=results)).problems(0, lines=0)
            found.problems += scene.unequal("whole", results)
            found.runs += 1
        yield found
