from __future__ import annotations

import asyncio
import gc
import logging

import pytest
from aiokafka.errors import NotCoordinatorForGroupError

from streamlab.broker.kafka_log import COUNTER, LogCounter, hush, hush_loop


def test_aiokafkas_log_is_counted_and_goes_nowhere_else(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("aiokafka")
    monkeypatch.setattr(logger, "handlers", [])
    counter = hush()
    before = counter.counts["ERROR"]
    logging.getLogger("aiokafka.consumer.fetcher").error("broker %s is gone", 7)
    assert (counter.counts["ERROR"], counter.last) == (before + 1, "broker 7 is gone")
    assert capfd.readouterr() == ("", "")
    assert not logger.propagate


def test_hushing_twice_counts_once() -> None:
    hush()
    assert hush() is COUNTER
    assert logging.getLogger("aiokafka").handlers.count(COUNTER) == 1


def test_what_is_below_a_warning_is_counted_but_not_kept() -> None:
    counter = LogCounter()
    counter.handle(logging.makeLogRecord({"levelno": logging.INFO, "levelname": "INFO", "msg": "joined"}))
    assert (counter.counts["INFO"], counter.last) == (1, "")


async def _abandoned(error: Exception) -> None:
    async def fail() -> None:
        raise error

    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    del task
    gc.collect()


async def test_what_aiokafkas_abandoned_tasks_failed_with_is_counted_and_anything_else_is_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hush_loop(asyncio.get_running_loop())
    before = COUNTER.counts["ABANDONED"]
    await _abandoned(NotCoordinatorForGroupError())
    assert COUNTER.counts["ABANDONED"] == before + 1
    assert "NotCoordinatorForGroupError" in COUNTER.last
    assert caplog.records == []
    await _abandoned(ValueError("ours"))
    assert COUNTER.counts["ABANDONED"] == before + 1
    assert "never retrieved" in caplog.text
