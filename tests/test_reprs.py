"""The repr and the HTML of everything: one line, whatever is in it, without asking anybody, and without secrets."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pytest

import streamlab as sl
from streamlab.failures import StreamError

SECRET = "hush-hush"
HOSTILE = [
    pytest.param("a\nb\rc\x85d\u2028e\x1b[31m\x00", id="line ends"),
    pytest.param("\"'`<script>alert(1)</script>\\{}%s", id="markup"),
    pytest.param("🦊 \u202e \ud800", id="unicode"),
    pytest.param("x" * 5000, id="long"),
]


class Named:
    """Its repr is its name, whatever that is."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError("cannot be shown")


def refuse(*_: Any, **__: Any) -> Any:
    pytest.fail("a repr asked somebody")


@contextmanager
def closed_off() -> Iterator[None]:
    """Let nothing reach the network, or the thread that talks to it; what others left behind is collected before or after."""
    gc.collect()
    gc.disable()
    with ExitStack() as stack:
        stack.callback(gc.enable)
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", refuse)
        yield


def parts(app: sl.App, name: str) -> Iterator[Any]:
    """Yield one of each of what is made of an app, a name and no I/O."""
    yield app
    stream = app.stream([])
    for topic in (app.topic(name), app.topic(name, "b"), app.topic(pattern="[a-z]")):
        stream = topic.stream(start="earliest")
        yield from (topic, stream)
        yield topic.stream(group=name)
        yield (stream & topic.stream(group=name)).join()
    message = sl.Message(name, 0, 1, 1.0, 0, [(name, b"h")], name.encode("utf-8", "replace"), b"v", None)
    yield message
    for value in (name, Named(name), Unshowable()):
        yield app.create_event(value, value, {name: b"h"}, message)
        yield sl.Batch([value])
    stream.processors.add(str, name=name)
    stream.errors.add(StreamError(name, 0, 1, 1.0, None, Unshowable(), ValueError(name, Unshowable()), name))
    yield from (stream.processors, *stream.processors, stream.errors, *stream.errors, stream.graph(), app.graph())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_repr_is_one_short_line_without_markup_secrets_or_io(name: str) -> None:
    secrets: Any = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": SECRET,
    }
    with closing(sl.App(name, broker="kafka://127.0.0.1:1", **secrets)) as app:
        things = list(parts(app, name))
        with closed_off():
            lines = [repr(thing) for thing in things]
            cards = [thing._repr_html_() for thing in things if hasattr(thing, "_repr_html_")]
    for thing, line in zip(things, lines, strict=True):
        assert len(line.splitlines()) == 1, ascii(line)
        assert "\x1b" not in line
        assert len(line) < 1500 or isinstance(thing, sl.Batch)  # a list shows all that it has
    assert len(cards) >= len(things) / 2
    assert SECRET not in "".join(lines + cards)
    assert "<script" not in "".join(cards)
