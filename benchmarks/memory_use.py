"""How far the memory of a process grows while it reads a topic to its end, from before the first connection."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self

import kafka_loop
import psutil
from measure import Comparison, Setting, Side
from topics import TOPIC

EVERY_S = 0.01


def comparisons(setting: Setting) -> list[Comparison]:
    whole = {"bootstrap": setting.bootstrap, "topic": TOPIC, "messages": setting.messages}
    return [
        Comparison(
            "Kafka, async for, growth of memory",
            Side("streamlab", "memory_use:streamlab", whole),
            [Side("aiokafka getmany(500) and msgspec by hand", "memory_use:by_hand", whole)],
            unit="MB",
            at_most=100,
        )
    ]


class Growth:
    """Resident memory of this process: its peak in the body of a ``with``, less what it was at the beginning."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = self._peak = self._process.memory_info().rss
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.wait(EVERY_S):
            self._peak = max(self._peak, self._process.memory_info().rss)

    @property
    def megabytes(self) -> float:
        return (self._peak - self._before) / 1e6

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()


def streamlab(bootstrap: str, topic: str, messages: int) -> float:
    import streamlab  # noqa: F401 - what the import takes is not what reading takes

    with Growth() as growth:
        kafka_loop.streamlab(bootstrap, topic, messages)
    return growth.megabytes


def by_hand(bootstrap: str, topic: str, messages: int) -> float:
    import aiokafka  # noqa: F401 - as above
    import msgspec  # noqa: F401 - as above

    with Growth() as growth:
        kafka_loop.by_hand(bootstrap, topic, messages)
    return growth.megabytes
