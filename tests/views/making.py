"""Baskets and windows for the tests of views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

import streamlab as sl
from streamlab.baskets import Basket, KeptRecord
from streamlab.broker.base import RecordBatch
from streamlab.codecs import Schema
from streamlab.events import TP
from streamlab.opened import OpenedBatch
from streamlab.views.window import Window


def opener(app: sl.App, topic: str = "orders", partition: int = 0, schema: Schema | None = None) -> OpenedBatch:
    """What opens records of a topic."""
    return OpenedBatch(app, schema or Schema(), RecordBatch(TP(topic, partition), (), 0, 0, 0), None)


def record(offset: int, value: Any, *, key: bytes | None = b"k", at_ms: int = 0, headers: Sequence[Any] = ()) -> KeptRecord:
    """A record with a value as JSON; bytes and None as they are."""
    raw = value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)
    return KeptRecord(offset, at_ms, 0, key, raw, headers)


def basket(opened: OpenedBatch, records: Iterable[KeptRecord]) -> Basket:
    """What a stream without processors hands out of these records."""
    filled = Basket()
    for each in records:
        filled.add(opened.decode(each), each, opened)
    return filled


def window_of(app: sl.App, values: Iterable[Any], *, apart_ms: int = 10, size: int = 7, **bounds: int) -> Window:
    """A window that got the values in baskets of that size, offsets from 0, so many milliseconds apart."""
    window, opened = Window(**bounds), opener(app)
    records = [record(number, value, at_ms=number * apart_ms) for number, value in enumerate(values)]
    for start in range(0, len(records), size):
        window.append(basket(opened, records[start : start + size]))
    return window
