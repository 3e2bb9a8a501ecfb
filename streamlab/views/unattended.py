"""Notebooks that a program executes: ``nbconvert --execute``, papermill. No browser is there, and what is shown is kept as it is.

nbclient, which they run on, stores the state of every widget that is opened or changed by a cell, and nbconvert's HTML then
shows the widget in place of the snapshot beside it: nothing, without a kernel. Messages that belong to no cell are not stored.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

__all__ = ["attended", "wait_for"]

PATIENCE_S = 3.0
"""So long is waited for what a snapshot is to show."""
QUIET_S = 0.3
"""When nothing has come for so long, what was there has come."""
STEP_S = 0.05


def attended() -> bool:
    """Tell whether somebody may see what the running cell shows: who can be asked for input, as people can and nbclient cannot."""
    kernels = sys.modules.get("ipykernel.kernelbase")
    if kernels is None or not kernels.Kernel.initialized():
        return True
    return bool(kernels.Kernel.instance().get_parent().get("content", {}).get("allow_stdin", True))


def wait_for(count: Callable[[], int], is_done: Callable[[], bool]) -> None:
    """Wait for the first of what a snapshot is to show, until no more comes or it is done; for a few seconds at most."""
    began = changed = time.monotonic()
    before = count()
    while not is_done() and (now := time.monotonic()) - began < PATIENCE_S:
        here = count()
        if here != before:
            before, changed = here, now
        elif here and now - changed >= QUIET_S:
            return
        time.sleep(STEP_S)
