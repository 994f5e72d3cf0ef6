"""The result that is at a run's place already: what it differs in, and what follows from that."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.core.result_fields import WORDING
from clbench.core.result_paths import compressed_path
from clbench.core.shared_folder import remove_unused
from clbench.engine.build import Run


@dataclass(frozen=True)
class Differences:
    """What an earlier result or checkpoint differs in from a run; it is false if that is nothing.

    Attributes:
        config: Keys of the configuration.
        prints: What has another fingerprint: data, encoder.
    """

    config: tuple[str, ...]
    prints: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.config or self.prints)

    def __str__(self) -> str:
        return " and ".join([*self.config, *(f"version of the {name}" for name in self.prints)])


def differences(earlier: RunResult, run: Run) -> Differences:
    """What an earlier result, which may not be finished, differs in from a run."""
    before, config = compared(earlier.config), compared(run.result.config)
    prints, found = earlier.provenance.get("fingerprints") or {}, run.result.provenance["fingerprints"]
    return Differences(
        tuple(key for key in config if before.get(key) != config[key]),
        tuple(name for name in found if prints.get(name) != found[name]),
    )


def compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as read from a file, without the keys that are only wording."""
    plain = json.loads(json.dumps(config))  # tuples become lists
    return {key: value for key, value in plain.items() if key not in WORDING}


def finished(run: Run) -> RunResult | None:
    """The result of this run, finished, with the same configuration, data and weights; None without one.

    Checkpoints that a process left beside it, because it was killed at the very end, are removed.
    """
    earlier = _earlier(run)
    if earlier is None or earlier.status != "done" or differences(earlier, run):
        return None
    remove_unused(run.path.with_suffix(""))
    return earlier


def make_way(run: Run, *, replace: bool) -> None:
    """Decides what becomes of the result at the run's place.

    A finished one stays until this run is done, which then starts over beside it. One that is not finished
    goes on, or is written over: see ``Checkpoints.find``.

    Args:
        run: Its ``again`` says that it starts over.
        replace: Replace the result of another configuration, instead of refusing to.

    Raises:
        UserError: It is a finished one on other data or weights, unless this run starts over, or one of
            another configuration in which something was learned.
    """
    earlier = _earlier(run)
    if earlier is None:
        return
    other, over = differences(earlier, run), earlier.status == "done" and not run.again
    if over and other.prints:
        raise UserError(
            f"{run.path} holds a finished run with another {' and '.join(other.prints)}, by their "
            "fingerprints; choose another --results folder"
        )
    if other.config and not replace and (earlier.stages or run.working.exists()):
        raise UserError(
            f"{run.path} holds a run with another {' and '.join(other.config)}; choose another --results "
            "folder"
        )
    if over and other:
        warnings.warn(f"{run.path} was made with another {other}; the run starts anew", stacklevel=3)
    run.again = run.again or over


def _earlier(run: Run) -> RunResult | None:
    there = next((path for path in (run.path, compressed_path(run.path)) if path.exists()), None)
    return None if there is None else RunResult.read(there)
