from __future__ import annotations

import logging

import pytest

from streamlab.broker.kafka_log import COUNTER, LogCounter, hush


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
