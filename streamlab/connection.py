"""The broker behind an app's url, and what takes records there."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from streamlab.broker import open_broker
from streamlab.errors import InvalidState
from streamlab.runtime.io import close_at_end, close_now
from streamlab.runtime.outbox import Outbox

if TYPE_CHECKING:
    from streamlab.broker.base import Broker

__all__ = ["Connection"]


class Connection:
    """Names a broker, another one until it was used, and closes it when nobody has this any longer.

    Parameters
    ----------
    app_id : str
    url : str
    security : mapping
        TLS and SASL settings.
    """

    def __init__(self, app_id: str, url: str, security: Mapping[str, Any]) -> None:
        self._app_id = app_id
        self._broker_at: Callable[[str], Broker] = lambda url: open_broker(url, **security)  # shows no secret
        self._used = False
        self.open(url)

    def open(self, url: str) -> None:
        """Have the broker of this url: at first, and when ``conf.broker`` is set before the app was used."""
        if self._used:
            raise InvalidState(f"app {self._app_id!r} talks to {self.url} already: make a new App for {url}")
        self._client = self._broker_at(url)
        self._outbox = Outbox(self._client)
        close_at_end(self._client.close)
        weakref.finalize(self, close_now, self._client.close).atexit = False

    @property
    def url(self) -> str:
        """The broker's url, without secrets."""
        return self._client.url

    @property
    def client(self) -> Broker:
        """The broker; from now on it is this one."""
        self._used = True
        return self._client

    @property
    def outbox(self) -> Outbox:
        """What takes records to the broker, many at a time; from now on it is this broker."""
        self._used = True
        return self._outbox

    async def close(self) -> None:
        """Disconnect; on the I/O thread."""
        await self._client.close()
