"""Missing features are made in parts, so that processes that need the same texts share the work."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from filelock import Timeout
from tqdm import tqdm

from clbench.core.console import SafeStream
from clbench.core.types import OnProgress
from clbench.models.cache_files import locked
from clbench.models.feature_store import SLOTS, Held, Store

PART_TEXTS = 256
"""A request is divided so that its parts have about this many texts or more."""
REPORT_SECONDS = 0.25
"""Time between two reports of progress."""


class Progress:
    """A progress bar, and reports to a function at most every ``REPORT_SECONDS`` and at the end.

    Args:
        what: The work.
        total: How many texts it is done for.
        bar: Whether to show a bar.
        report: Called with the work, the number of texts that are done, and their total.
    """

    def __init__(self, what: str, total: int, *, bar: bool, report: OnProgress | None) -> None:
        self._what, self._total, self._report = what, total, report
        self._bar: tqdm[Any] = tqdm(
            total=total, desc=what, unit="text", leave=False, disable=not bar, file=SafeStream()
        )
        self._done, self._reported = 0, 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()

    def update(self, texts: int) -> None:
        """Adds texts to those that are done."""
        self._done += texts
        self._bar.update(texts)
        now = time.monotonic()
        if self._report and (self._done == self._total or now - self._reported >= REPORT_SECONDS):
            self._report(self._what, self._done, self._total)
            self._reported = now


def make_missing(
    store: Store,
    keys: Sequence[bytes],
    group: str,
    make: Callable[[list[int], Held], None],
    progress: Progress,
) -> None:
    """Makes rows for texts that have none, in parts.

    A part is a range of slots (see ``Store``), whose locks are held while it is made. Parts that another
    process holds come last: by then it has probably made them. Locks are only waited for in ascending
    order, so two processes never wait for each other.

    Args:
        store: Where the rows are wanted.
        keys: n different keys without rows.
        group: Of the texts; see ``FeatureCache.features``.
        make: Is called with positions of ``keys`` and with the locks that are held; writes their rows.
        progress: Is told of the texts that another process made in the meantime.
    """
    count = max(1, min(SLOTS, len(keys) // PART_TEXTS))
    parts: dict[int, list[int]] = {}
    for at, key in enumerate(keys):
        parts.setdefault(Store.slot(key) * count // SLOTS, []).append(at)
    open_parts, wait = sorted(parts), False
    while open_parts:
        busy = []
        for part in open_parts:
            slots = range(-(-part * SLOTS // count), -(-(part + 1) * SLOTS // count))
            with ExitStack() as stack:
                try:
                    for slot in slots:
                        stack.enter_context(locked(store.lock(slot, group), store.warned, wait=wait))
                except Timeout:
                    busy.append(part)
                    continue
                finally:
                    wait = False
                places = parts[part]
                missing = [places[at] for at in store.missing([keys[at] for at in places])]
                progress.update(len(places) - len(missing))
                if missing:
                    make(missing, Held(group, slots))
        wait = len(busy) == len(open_parts)  # nothing was free
        open_parts = busy
