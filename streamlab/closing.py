"""How an app ends: closed by hand, or by a newer one of its name."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING

from streamlab import lifecycle

if TYPE_CHECKING:
    from streamlab.app import App
    from streamlab.runtime.feed import Feed

__all__ = ["close_soon", "disconnect", "feeds_of", "take_name"]

_by_name: weakref.WeakValueDictionary[str, App] = weakref.WeakValueDictionary()
_by_name_lock = threading.Lock()


def take_name(app: App) -> None:
    """Let the app have its name; the one that had it is closed, without waiting for it."""
    with _by_name_lock:
        older = _by_name.get(app.id)
        _by_name[app.id] = app
    if older is not None:
        close_soon(older)


def close_soon(app: App) -> None:
    """End everything that runs, from any thread, without waiting and without raising."""
    if app.closed:
        return
    app.closed = True
    app._background.cancel_soon()
    for table in app.tables_made():
        table.stop()
    for stream in app.streams():
        lifecycle.close_soon(stream)


async def disconnect(app: App) -> None:
    """Wait for the readers, which leave their groups, then close what they share; on the I/O thread."""
    tables = [table._reading.feed for table in app.tables_made()]
    await asyncio.gather(*(feed.stop() for feed in (*feeds_of(app), *tables)))
    await app._connection.close()


def feeds_of(app: App) -> list[Feed]:
    """Return what brings the records of topics to the app's streams, each once."""
    return list(dict.fromkeys(stream.feed for stream in app.streams() if stream.feed is not None))
