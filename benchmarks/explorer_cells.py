"""What the notebook of ``explorer.py`` runs, and the process that writes what it shows."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # not in its __all__
from topics import PARTITIONS, order

__all__ = ["APP", "BUSY", "CPU", "EXTREMES", "SLEEP", "STREAM", "produce"]

TOPIC = "orders"
SMALL = {"retention.bytes": "200000000", "segment.bytes": "50000000"}
DIFFERENT = 5_000

APP = """
import os, time
import streamlab as sl
app = sl.App("bench", broker="{url}")
"""
CPU = """
def spent(seconds):
    events, cpu, at = s.events_total, time.process_time(), time.perf_counter()
    time.sleep(seconds)
    events, cpu, at = s.events_total - events, time.process_time() - cpu, time.perf_counter() - at
    return [events / at, cpu / max(events, 1)]
"""
STREAM = """
s = app.topic("orders").stream()
@s.processor
def enrich(order):
    order["total"] = order["price"] * order["quantity"]
    return order
"""
SLEEP = "import time; time.sleep(10)"
BUSY = "import time\nuntil = time.time() + 10\nwhile time.time() < until: sum(i * i for i in range(1000))"
EXTREMES = """
import asyncio, time
app = sl.App("bench", broker="memory://bench")
def wide(number): return {f"column {i}": number * i for i in range(500)}
def bad(number): return {"id": number}
def large(number): return {"id": number, "text": "x" * 10_000_000}
async def produce(channel, make, rate):
    began, sent = time.perf_counter(), 0
    while True:
        for _ in range(min(int((time.perf_counter() - began) * rate) - sent, 1000)):
            await channel.put(make(sent))
            sent += 1
        await asyncio.sleep(0.02)
async def stop():
    task.cancel()
    await s.stop()
def fails(value):
    raise ValueError(f"cannot use {value}")
def show(make, rate):
    global s, task
    channel = app.channel()
    s = channel.stream()
    if make is bad:
        s.add_processor(fails)
    task = asyncio.create_task(produce(channel, make, rate))
    explorer = s.explore()
    explorer.shown.window.on_full = None
    return explorer
"""


@contextmanager
def produce(bootstrap: str, rate: float) -> Iterator[None]:
    """Write orders in another process, so many a second, while the block runs."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    if TOPIC not in admin.list_topics(timeout=30).topics:
        for made in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, config=SMALL)]).values():
            made.result(60)
    process = subprocess.Popen([sys.executable, __file__, bootstrap, str(rate)], stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def write(bootstrap: str, rate: float) -> None:
    """Write orders at a steady rate for ever."""
    producer = Producer({"bootstrap.servers": bootstrap, "queue.buffering.max.messages": 500_000, "linger.ms": 20})
    chance = Random(1)
    values = [order(number, chance) for number in range(DIFFERENT)]
    keys = [str(number).encode() for number in range(DIFFERENT)]
    began, sent = time.perf_counter(), 0
    while True:
        due = int((time.perf_counter() - began) * rate)
        while sent < due:
            try:
                producer.produce(TOPIC, values[sent % DIFFERENT], keys[sent % DIFFERENT], sent % PARTITIONS)
            except BufferError:
                producer.poll(0.05)
            else:
                sent += 1
        producer.poll(0)
        time.sleep(0.01)


if __name__ == "__main__":
    write(sys.argv[1], float(sys.argv[2]))
