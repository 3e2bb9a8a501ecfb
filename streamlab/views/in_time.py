"""User's code that is run for so long and no longer, where it keeps nobody waiting."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from contextvars import copy_context
from pathlib import Path

__all__ = ["LIMIT_S", "TimeIsOver", "in_a_thread"]

LIMIT_S = 10.0
LAST_WORDS_S = 0.5


class TimeIsOver(SystemExit):
    """Raised in a function that goes on when the time of its trial is over. It passes by ``except Exception``, and ends a thread quietly."""

    def __str__(self) -> str:
        return f"it went on for {LIMIT_S:g} s, and was ended"


def in_a_thread(work: Callable[[], object]) -> bool:
    """Run user's code where it keeps nobody waiting who must not wait, for as long as a trial may take; an endless loop is ended.

    Returns whether it came to an end.

    What waits is let go: it cannot be interrupted, and Python 3.11, when it is traced, has all threads wait until it was. What it
    prints belongs to the cell that called, or to who catches it: both go by the context.
    """
    thread = threading.Thread(target=copy_context().run, args=(work,), name="streamlab-trial", daemon=True)
    thread.start()
    thread.join(LIMIT_S + LAST_WORDS_S)
    if thread.is_alive() and thread.ident is not None and _computes(thread):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(TimeIsOver))
        thread.join(LAST_WORDS_S)
    return not thread.is_alive()


def _computes(thread: threading.Thread) -> bool:
    """Whether it used a core for a part of its time that counts; True where the system does not tell."""
    try:
        state = Path(f"/proc/self/task/{thread.native_id}/stat").read_text("ascii", "replace")
    except OSError:
        return True
    user, system = state.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") > LIMIT_S / 10
