"""Programs that end without closing anything: quiet, quick, and out of their groups."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.kafka import client

if TYPE_CHECKING:
    from tests.kafka.harness import KafkaCluster

# How long things take is told in asyncio's debug mode, and is not the matter here.
QUIET = "import logging; logging.getLogger('asyncio').addFilter(lambda record: 'Executing' not in record.msg)\n"
PROGRAM = f"""
{QUIET}
import asyncio, sys, time
import streamlab as sl

topic = sl.App("abrupt", broker=sys.argv[1]).topic(sys.argv[2])

async def read(**options):
    async for _ in topic.stream(start="earliest", **options):
        print("reading", flush=True)

async def main():
"""
ENDS = {
    "observing": "    async for _ in topic.stream(start='earliest'): sys.exit(3)",
    "in a group": "    async for _ in topic.stream(group=sys.argv[2]): sys.exit(3)",
    "after a send": "    await topic.send(value=1)\n    sys.exit(3)",
    "in the background": "    topic.stream(start='earliest').run()\n    await asyncio.sleep(0.5)\n    sys.exit(3)",
    "in a take": "    async for _ in topic.stream(start='earliest').take(1, within=1): sys.exit(3)",
}


def program(ending: str) -> str:
    return f"{PROGRAM}{ending}\n\nasyncio.run(main())"


@pytest.mark.parametrize("end", ENDS)
def test_a_program_that_closes_nothing_ends_without_a_word(kafka: KafkaCluster, topic_name: str, end: str) -> None:
    client.create_topic(kafka.bootstrap, topic_name)
    client.produce(kafka.bootstrap, topic_name, ["1"])
    command = [sys.executable, "-X", "dev", "-c", program(ENDS[end]), kafka.url, topic_name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (3, "")


def test_an_interrupted_program_leaves_its_group_at_once(kafka: KafkaCluster, topic_name: str) -> None:
    client.create_topic(kafka.bootstrap, topic_name)
    client.produce(kafka.bootstrap, topic_name, ["1"])
    command = [sys.executable, "-c", program("    await read(group=sys.argv[2])"), kafka.url, topic_name]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline() == "reading\n"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert "destroyed" not in said
    assert client.members(kafka.bootstrap, topic_name) == 0


def test_an_app_that_nobody_holds_is_disconnected(kafka: KafkaCluster, topic_name: str) -> None:
    client.create_topic(kafka.bootstrap, topic_name)
    body = (
        QUIET + "import gc, psutil, sys, time, streamlab as sl\n"
        "sl.App('nobody', broker=sys.argv[1]).topic(sys.argv[2]).read()\n"
        "gc.collect()\n"
        "over = time.monotonic() + 10\n"
        "while (left := psutil.Process().net_connections(kind='inet')) and time.monotonic() < over: time.sleep(0.02)\n"
        "sys.exit(len(left))"
    )
    command = [sys.executable, "-X", "dev", "-c", body, kafka.url, topic_name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
