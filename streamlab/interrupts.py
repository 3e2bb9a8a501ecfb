"""An interrupt (Ctrl-C, the stop button) that is noticed where it does no harm, rather than raised in the middle of anything."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Interrupt", "noticed"]


class Interrupt:
    """Whether there was one: ``seen``."""

    def __init__(self) -> None:
        self.seen = False


@contextmanager
def noticed() -> Iterator[Interrupt]:
    """Note the first interrupt in the body, which is to look and end early; another one raises as ever.

    Signals reach the main thread only: elsewhere there is nothing to note.
    """
    interrupt = Interrupt()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield interrupt
        return
    ask = before

    def note(number: int, frame: Any) -> None:
        if interrupt.seen:
            ask(number, frame)
        interrupt.seen = True

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
