"""aiokafka's log, kept out of the notebook and counted.

While a broker is away aiokafka writes about a hundred lines a second, which would end up below whatever cell ran
last. What happened is told by our own errors and states; the counts here are for those who want to look closer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from typing import Any

__all__ = ["LogCounter", "hush", "hush_loop"]

LAST_CHARS = 500


class LogCounter(logging.Handler):
    """Counts records by level name and keeps the last warning or error.

    Attributes
    ----------
    counts : Counter
        Level name to number of records; ABANDONED to that of tasks that failed with nobody waiting for them.
    last : str
        The latest message of level WARNING or above, cut to 500 characters.
    """

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Count the record; it goes nowhere else."""
        self.counts[record.levelname] += 1
        if record.levelno >= logging.WARNING:
            self.last = record.getMessage()[:LAST_CHARS]


COUNTER = LogCounter()


def hush() -> LogCounter:
    """Send aiokafka's log to the counter alone; doing it again changes nothing."""
    logger = logging.getLogger("aiokafka")
    if COUNTER not in logger.handlers:
        logger.addHandler(COUNTER)
        logger.propagate = False
    return COUNTER


def hush_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Count what aiokafka's abandoned tasks failed with, instead of having the loop write it; anything else is written."""
    loop.set_exception_handler(_count_aiokafkas)


def _count_aiokafkas(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if not type(error).__module__.startswith("aiokafka"):
        loop.default_exception_handler(context)
        return
    COUNTER.counts["ABANDONED"] += 1
    COUNTER.last = f"{context.get('message')}: {type(error).__name__}: {error}"[:LAST_CHARS]
