"""The place of a result that is taken by a finished run on other texts or weights."""

from __future__ import annotations

from clbench.core.errors import UserError
from clbench.core.result import RunResult
from clbench.engine.build import Run


def refuse_other_data(run: Run) -> None:
    """Refuses to replace a finished result that other texts or weights led to.

    One that is not finished can be replaced: nothing is lost that could be looked at.

    Raises:
        UserError: There is one.
    """
    if not run.path.exists():
        return
    earlier = RunResult.read(run.path)
    before, now = earlier.provenance.get("fingerprints") or {}, run.result.provenance["fingerprints"]
    other = [name for name in now if name in before and before[name] != now[name]]
    if earlier.status == "done" and other:
        raise UserError(
            f"{run.path} holds a finished run with another {' and '.join(other)}, by their fingerprints; "
            "choose another --results folder"
        )
