"""The streams that run in the background, as a list that can stop them all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from streamlab.failures import StreamError

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["Running", "stop_beside"]

STOP_S = 5.0


class Running(list["Stream[Any]"]):
    """Streams; made by ``streamlab.running()``, and as they were then.

    Examples
    --------
    >>> import streamlab as sl
    >>> sl.running().stop()
    """

    def stop(self) -> None:
        """Stop all of them; a plain call for any cell and thread, which waits for 5 s at most.

        A processor that does not return is not waited for: its stream ends when it does. What goes wrong is in ``errors``
        of the stream.
        """
        if self:
            stop_beside(self).join(STOP_S)

    def __repr__(self) -> str:
        names = ", ".join(stream.shortlabel.removeprefix("Stream: ") for stream in self)
        return f"<Running: {names or 'nothing'}>"

    def _repr_html_(self) -> str:
        from streamlab.display import running_html

        return running_html(self)


def stop_beside(streams: Sequence[Stream[Any]]) -> threading.Thread:
    """Stop streams on a thread of its own, since the runner's may be in a processor that takes its time; returns at once."""
    stopping = threading.Thread(target=lambda: asyncio.run(_stop(streams)), name="streamlab-stop", daemon=True)
    stopping.start()
    return stopping


async def _stop(streams: Sequence[Stream[Any]]) -> None:
    stopped = await asyncio.gather(*(stream.stop() for stream in streams), return_exceptions=True)
    for stream, error in zip(streams, stopped, strict=True):
        if isinstance(error, Exception):
            stream.errors.add(StreamError.of(error))
