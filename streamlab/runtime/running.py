"""The streams that run in the background, as a list that can stop them all."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

from streamlab.failures import StreamError

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["Running"]

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
            stopping = threading.Thread(target=asyncio.run, args=(_stop(self),), name="streamlab-stop", daemon=True)
            stopping.start()
            stopping.join(STOP_S)

    def __repr__(self) -> str:
        names = ", ".join(stream.shortlabel.removeprefix("Stream: ") for stream in self)
        return f"<Running: {names or 'nothing'}>"

    def _repr_html_(self) -> str:
        from streamlab.display import running_html

        return running_html(self)


async def _stop(streams: Running) -> None:
    stopped = await asyncio.gather(*(stream.stop() for stream in streams), return_exceptions=True)
    for stream, error in zip(streams, stopped, strict=True):
        if isinstance(error, Exception):
            stream.errors.add(StreamError.of(error))
