"""aiokafka's log, kept out of the notebook and counted.

While a broker is away aiokafka writes about a hundred lines a second, which would end up below whatever cell ran
last. What happened is told by our own errors and states; the counts here are for those who want to look closer.
"""

from __future__ import annotations

import logging
from collections import Counter

__all__ = ["LogCounter", "hush"]

LAST_CHARS = 500


class LogCounter(logging.Handler):
    """Counts records by level name and keeps the last warning or error.

    Attributes
    ----------
    counts : Counter
        Level name to number of records.
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
