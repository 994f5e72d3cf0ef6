"""What is done to the texts of an experience, so that a stream drifts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from clbench.core.ranges import HeldOut, Ratio, Seed


@dataclass(frozen=True)
class Drift:
    """How strongly texts are transformed; see :func:`clbench.data.drift.drifted`.

    Attributes:
        typos: Share of letters with a typing error.
        casing: Share of words in capital letters.
        truncation: Share of words that are cut off at the end.
        seed: Decides which letters and words.
    """

    typos: Ratio = 0.0
    casing: Ratio = 0.0
    truncation: HeldOut = 0.0
    seed: Seed = 0

    def at(self, step: int, steps: int) -> Drift:
        """The strengths of experience ``step``, counted from 0: they grow from none to all of these.

        Example:
            >>> Drift(typos=0.2).at(1, 3).typos
            0.1
        """
        grown = step / max(1, steps - 1)
        return replace(
            self, typos=grown * self.typos, casing=grown * self.casing, truncation=grown * self.truncation
        )
