"""Notes: what readers must know of a method before they compare it with others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

NoteKind = Literal["sees-future", "deviation", "upper-bound", "task-id-oracle", "remark"]
NOTE_KINDS: tuple[NoteKind, ...] = get_args(NoteKind)


@dataclass(frozen=True, order=True)
class Note:
    """One note.

    Attributes:
        kind: ``sees-future``: reads data of experiences that are yet to come. ``deviation``: differs from the
            paper of the method. ``upper-bound``: trains on all experiences at once. ``task-id-oracle``: is
            told which experience a test text belongs to, against the scenario. ``remark``: anything else.
        text: What the kind alone does not say: how a method deviates, or the remark.

    Example:
        >>> str(Note("sees-future")), str(Note("deviation", "300 texts per class"))
        ('sees-future', 'deviation: 300 texts per class')
    """

    kind: NoteKind
    text: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}" if self.text else self.kind
