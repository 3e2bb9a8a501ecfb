"""How a stream is run again, from where it stood or from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from streamlab.channel_source import ChannelSource
from streamlab.errors import InvalidState, InvalidValue, StreamClosed
from streamlab.lifecycle import end_loops, related, stop_draining
from streamlab.runtime.discovery import standing
from streamlab.runtime.io import on_io

if TYPE_CHECKING:
    from streamlab.streams import Stream

__all__ = ["KEEP", "renew", "restarts_at"]

RESTART_S = 10.0
"""So long a restart waits for a processor that is in a call."""


class Kept:
    """Stands for: as it is."""

    def __repr__(self) -> str:
        return "KEEP"


KEEP = Kept()


async def renew(stream: Stream[Any], *, start: Any = KEEP, group: Any = KEEP) -> None:
    """End what runs of a stream, and make it ready to run again; see ``Stream.restart``."""
    if stream.app.closed:
        raise StreamClosed(f"app {stream.app.id!r} was closed: make a new App, and its streams again")
    if stream._loops and stream._drive is None:
        raise InvalidState("this stream is being iterated: leave that loop first, then restart it in the background")
    changes = {name: value for name, value in (("start", start), ("group", group)) if value is not KEEP}
    reads = restarts_at(stream, changes)
    if changes and reads is not None:
        reads.change(**changes)
    await _end_drive(stream)
    if reads is not None:
        await _leave(reads, changes)
    for other in related(stream):
        await stop_draining(other)
        other._reset()
        other._source.reopen()
    if stream.feed is not None and "start" in changes:
        stream.feed.fix_start(0.0)
        await stream.feed.fixed_start()


def restarts_at(stream: Stream[Any], changes: Mapping[str, Any]) -> ChannelSource | None:
    """Return the source that a start or a group is for; InvalidValue when one is given and there is none."""
    source = stream._source
    if isinstance(source, ChannelSource) and source.feed is not None:
        return source
    if not changes:
        return None
    name = min(changes)
    if stream.combined:
        raise InvalidValue(
            f"this stream is made of others, and each has a {name} of its own: make those anew with another {name}, and this "
            "one of them; restart() goes on where they stood"
        )
    raise InvalidValue(f"this stream reads no topic: there is no {name} to give; restart() goes on where it stood")


async def _end_drive(stream: Stream[Any]) -> None:
    drive = stream._drive
    if drive is None:
        return
    end_loops(stream)
    await drive.finished(RESTART_S)
    if not drive.ended:
        busy = stream.stats().busy
        raise InvalidState(f"processor {busy!r} is still in a call: restart the stream again when that has ended")


async def _leave(source: ChannelSource, changes: dict[str, Any]) -> None:
    """Close the feed; who leaves a group goes on where that stands."""
    assert source.feed is not None
    source.close()
    await source.closed()
    if source.feed.group is not None and "group" in changes and "start" not in changes:
        source.stands_at(await on_io(standing(source.feed)))
