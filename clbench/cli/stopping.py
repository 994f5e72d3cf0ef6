"""Ctrl-C and SIGTERM: one line and the exit status of the signal, within two seconds, whatever is going on.

Python handles signals between two steps of the interpreter: never, as long as the main thread computes. A
second thread therefore learns of a signal from the system, and ends the process if the main thread does not.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 1.0
"""Seconds that the main thread has to end after a signal."""
LINE = "clbench: stopped; the same command continues from here\n"


class SignalError(KeyboardInterrupt):
    """A signal in the main thread.

    Not ``KeyboardInterrupt`` itself: where C code that an import runs raises that, Python ends by SIGINT,
    whether it was caught or not.
    """


class Stopping:
    """What came of signals so far.

    Attributes:
        signal: The first one, if any.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._told = self._raised = False

    @property
    def status(self) -> int:
        """The exit status of a process that the signal stopped."""
        return 128 + (self.signal or signal.SIGINT)

    def tell(self, write: Callable[[str], object]) -> None:
        """Says once, by ``write``, that the command was stopped."""
        if not self._told:
            self._told = True
            with suppress(OSError, ValueError):
                write(LINE)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Interrupts the main thread at the first signal."""
        self.signal = self.signal or number
        if not self._raised:  # the other thread may have seen it before
            self._raised = True
            raise SignalError


@contextmanager
def stoppable(*, to_the_end: bool) -> Iterator[Stopping]:
    """Signals interrupt the block, and end the process if that takes too long.

    Args:
        to_the_end: Whether the process ends with the block: what follows it after a signal is limited, too.
    """
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    read, write = os.pipe()
    os.set_blocking(write, False)
    handlers = {number: signal.signal(number, stopping.handle) for number in SIGNALS}
    earlier = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(stopping, read, to_the_end), daemon=True).start()
    try:
        yield stopping
    finally:
        if stopping.signal is None or not to_the_end:
            signal.set_wakeup_fd(earlier)
            os.close(write)  # ends the other thread
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _watch(stopping: Stopping, read: int, to_the_end: bool) -> None:
    """Waits for a signal, then for the main thread, and then ends the process."""
    number = None
    while number not in SIGNALS:
        arrived = os.read(read, 1)
        if not arrived:
            os.close(read)
            return
        number = arrived[0]
    stopping.signal = stopping.signal or number
    ended, _, _ = select.select([] if to_the_end else [read], [], [], PATIENCE)
    if ended and not os.read(read, 1):
        os.close(read)
        return
    stopping.tell(lambda text: os.write(2, text.encode()))  # the lock of sys.stderr may be held
    end_children()
    os._exit(stopping.status)


def end_children() -> None:
    """Ends the processes that this one started."""
    multiprocessing = sys.modules.get("multiprocessing")  # the main thread may hold the lock of imports
    children = {each.pid for each in multiprocessing.active_children()} if multiprocessing else set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            children |= {int(process.name)} if int(parent) == os.getpid() else set()
    for child in children:
        with suppress(OSError):
            os.kill(child, signal.SIGTERM)
