"""A real kernel whose cell is interrupted: the next cell goes on with the next message."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from jupyter_client.manager import AsyncKernelManager

from tests.kafka import client
from tests.kafka.harness import KafkaCluster
from tests.proofs.support import plainly

CELL_S = 30.0
BUSY = "sum(range(2000))"


class Kernel:
    """Runs cells as a front end would."""

    def __init__(self) -> None:
        self.manager = AsyncKernelManager()
        self.client: Any = None

    async def start(self) -> None:
        await self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=CELL_S)

    async def stop(self) -> None:
        self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)
        self.manager.context.term()

    def begin(self, code: str) -> str:
        identity: str = self.client.execute(code)
        return identity

    async def finish(self, identity: str) -> tuple[str, str]:
        """Return what a cell printed, and the name of the exception that ended it, "" for none."""
        reply: dict[str, Any] = await self.client._async_recv_reply(identity, timeout=CELL_S)
        text = ""
        while True:
            message = await self.client.get_iopub_msg(timeout=CELL_S)
            if message["parent_header"].get("msg_id") != identity:
                continue
            if message["msg_type"] == "stream":
                text += message["content"]["text"]
            elif message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return text, reply["content"].get("ename", "")

    async def run(self, code: str) -> str:
        """Run a cell to its end and return what it printed."""
        text, failed = await self.finish(self.begin(code))
        assert not failed, (failed, text)
        return text.strip()

    async def wait_for_output(self, text: str) -> None:
        """Return when the running cell prints this."""
        seen = ""
        while text not in seen:
            message = await self.client.get_iopub_msg(timeout=CELL_S)
            if message["msg_type"] == "stream":
                seen += message["content"]["text"]


@pytest.fixture
async def kernel() -> AsyncIterator[Kernel]:
    made = Kernel()
    await made.start()
    yield made
    await made.stop()


OPEN = """
import asyncio, streamlab as sl
app = sl.App("kernel", broker={url!r})
stream = app.topic({topic!r}).stream(start="earliest")
got = []
"""
# The body notes the value before anything else: whatever a cell was given is in `got`. A cell whose interrupt is late stays with
# the last value of its share, so that there is something left for the next one.
ENDLESS = """
print("waiting")
async for value in stream:
    got.append(value)
    if len(got) % 1000 == 1:
        print("at", len(got))
    {rest}
    while len(got) >= {share}:
        {rest}
"""
LAST = """
async for value in stream:
    got.append(value)
    if value == {last}:
        break
print(got == list(range({last} + 1)), len(got))
"""


@pytest.mark.timeout(90)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of the kernel's sockets, which zmq closes late
async def test_interrupted_cells_lose_nothing(kernel: Kernel, kafka: KafkaCluster, topic_name: str) -> None:
    """In a full loop, while the body awaits, and while nothing comes: five interrupts, then a cell to the end."""
    total = 100_000
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(total)])
    await kernel.run(OPEN.format(url=kafka.url, topic=topic_name))
    for number, rest in enumerate((BUSY, "await asyncio.sleep(0.001)", BUSY, "await asyncio.sleep(0)"), start=1):
        cell = kernel.begin(ENDLESS.format(rest=rest, share=number * total // 5))
        await kernel.wait_for_output("at ")
        began = time.monotonic()
        await kernel.manager.interrupt_kernel()
        _, failed = await kernel.finish(cell)
        assert failed in ("CancelledError", "KeyboardInterrupt")
        assert time.monotonic() - began < 2
    assert await kernel.run("print(0 < len(got), got == list(range(len(got))))") == "True True"
    assert await kernel.run(LAST.format(last=total - 1)) == f"True {total}"
    waiting = kernel.begin(ENDLESS.format(rest="pass", share=total + 1))
    await kernel.wait_for_output("waiting")
    time.sleep(1)
    await kernel.manager.interrupt_kernel()
    assert (await kernel.finish(waiting))[1] in ("CancelledError", "KeyboardInterrupt")
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(total)])
    assert await kernel.run(LAST.format(last=total)) == f"True {total + 1}"
    await kernel.run("app.close()")


@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_an_interrupted_take_hands_its_values_to_the_next_cell(
    kernel: Kernel, kafka: KafkaCluster, topic_name: str
) -> None:
    await plainly(client.create_topic, kafka.bootstrap, topic_name)
    await plainly(client.produce, kafka.bootstrap, topic_name, [str(number) for number in range(30)])
    await kernel.run(OPEN.format(url=kafka.url, topic=topic_name))
    cell = kernel.begin("print('at')\nasync for batch in stream.take(100):\n    got += batch")
    await kernel.wait_for_output("at")
    time.sleep(2)  # it has 30 of the 100 by now
    await kernel.manager.interrupt_kernel()
    assert (await kernel.finish(cell))[1] in ("CancelledError", "KeyboardInterrupt")
    code = "async for batch in stream.take(100, within=2):\n    got += batch\n    break\nprint(got == list(range(30)))"
    assert await kernel.run(code) == "True"
    await kernel.run("app.close()")
