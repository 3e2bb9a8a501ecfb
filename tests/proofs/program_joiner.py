"""A join in a group that notes each row in a file before it is acked: URL ORDERS PAYMENTS GROUP left|outer|inner FILE DELAY_MS."""

from __future__ import annotations

import asyncio
import os
import sys

import streamlab as sl

url, orders, payments, group, kind, path, delay_ms = sys.argv[1:]
notes = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
app = sl.App(group, broker=url)


async def main() -> None:
    async with app:
        one, other = (app.topic(name, key_type=str).stream(group=group) for name in (orders, payments))
        joined = getattr(one & other, f"{kind}_join")(within=10)
        async for left, right in joined:
            os.write(notes, f"{left} {right}\n".encode())
            await asyncio.sleep(int(delay_ms) / 1000)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
