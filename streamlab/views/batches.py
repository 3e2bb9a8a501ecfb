"""``take(...).live()``: the batches of a take, each shown as it comes, one at a time if wished."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from streamlab.failures import StreamError
from streamlab.runtime import runner
from streamlab.views.cells import ColumnBook, cell, flat

if TYPE_CHECKING:
    from streamlab.batch import Batch
    from streamlab.runtime.runner import Drive
    from streamlab.take import Take

__all__ = ["LiveBatches"]

ROWS = 50
COLUMNS = 60
POLL_S = 0.05


class LiveBatches:
    """Takes batches in the background and keeps the latest one to be shown.

    Parameters
    ----------
    take : Take
        Read on the background runner's loop; the stream waits for it while it is stepped through.
    """

    def __init__(self, take: Take[Any]) -> None:
        self._stream = take.stream
        self._take: Take[Any] | None = take
        self._renewed = take.renewed
        self.label = str(take)
        """What the pipeline calls it."""
        self._drive: Drive | None = None
        self._stream._waits_for_reader = True
        self._latest: Batch[Any] | None = None
        self._lock = threading.Lock()
        self._stepping = False
        self._steps = 0
        self._waiting = False
        self._done: Future[None] | None = None

    def keep_taking(self) -> None:
        """Take batches, unless that is done already: again after the stream was stopped and runs anew. From any thread."""
        with self._lock:
            self._stream._waits_for_reader = True
            drive = self._stream._drive
            if drive is None or drive is self._drive or not (self._done is None or self._done.done()):
                return
            self._drive = drive
            take, self._take = self._take or self._renewed(), None
            self._done = runner.submit(self._run(take, drive))

    def stop_soon(self) -> None:
        """Take no more, until ``keep_taking``. From any thread."""
        with self._lock:
            self._drive, self._stream._waits_for_reader = None, False
            if self._done is not None:
                self._done.cancel()
            if self._stream._drive is not None:
                self._stream._drive.reader_is_there()

    def step(self, on: bool | None) -> None:  # noqa: FBT001 - what the button says
        """Step through batches (True), let them come (False), or let the next one come (None)."""
        if on is None:
            self._stepping, self._steps = True, self._steps + 1
        else:
            self._stepping, self._steps = on, 0

    async def _run(self, take: Take[Any], drive: Drive) -> None:
        try:
            asyncio.get_running_loop().call_soon(drive.reader_is_there)  # after the first step of the loop, which subscribes
            async for batch in take:
                self._latest = batch
                await self._step_by_step(drive)
        except Exception as error:  # noqa: BLE001 - nobody awaits this: the stream keeps what ended it
            self._stream.errors.add(StreamError.of(error))
        finally:
            self._waiting = False
            await take.aclose()

    async def _step_by_step(self, drive: Drive) -> None:
        """Wait for the button while batches are stepped through; a stream that runs anew waits for no button of its last run."""
        while self._stepping and not self._steps and self._stream._drive in (drive, None):
            self._waiting = True
            await asyncio.sleep(POLL_S)
        self._waiting = False
        self._steps = max(self._steps - 1, 0)

    @property
    def detail(self) -> str:
        """How many batches there were."""
        count = 0 if self._latest is None else self._latest.number + 1
        return "1 batch" if count == 1 else f"{count:,} batches"

    def section(self) -> dict[str, Any]:
        """Return the latest batch: number, size, why it was handed out, and its first rows."""
        batch = self._latest
        state = {"stepping": self._stepping, "waiting": self._waiting}
        if batch is None:
            return {**state, "number": None, "size": 0, "reason": "", "columns": [], "rows": [], "total": 0}
        rows = [flat(value) for value in batch[:ROWS]]
        book = ColumnBook()
        book.note(rows)
        names = list(book.kinds)[:COLUMNS]
        cells = [[cell(row[name])[1] if name in row else None for name in names] for row in rows]
        columns = [{"name": name, "kind": book.kinds[name]} for name in names]
        facts = {"number": batch.number, "size": len(batch), "reason": batch.reason, "total": len(batch)}
        return {**state, **facts, "columns": columns, "rows": cells}
