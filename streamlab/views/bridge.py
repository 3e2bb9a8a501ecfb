"""How messages of browsers come in: from any thread, checked, and answered where they were asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from streamlab.errors import StreamlabError
from streamlab.texts import said

__all__ = ["PROTOCOL", "Request", "over_subshells", "packed", "parse", "told"]

PROTOCOL = 1
MAX_VIEW = 100
"""Characters of a view's name; views make up short ones."""
_SIGNS = frozenset(("hello", "bye", "away", "seen", "ack", "port", "do"))


def packed(content: Any) -> tuple[Any, bytes]:
    """Return content that can travel, and how it does; texts that are none, of half characters, are made some."""
    try:
        return content, msgspec.json.encode(content)
    except UnicodeEncodeError:
        content = _as_text(content)
        return content, msgspec.json.encode(content)


def _as_text(content: Any) -> Any:
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode()
    if isinstance(content, dict):
        return {_as_text(name): _as_text(part) for name, part in content.items()}
    return [_as_text(part) for part in content] if isinstance(content, list | tuple) else content


def over_subshells() -> bool:
    """Tell whether browsers are heard while a cell runs."""
    import threading

    return threading.current_thread() is not threading.main_thread()


class Request:
    """A message from a view.

    Attributes
    ----------
    kind : str
        hello, bye, seen, ack, port or do.
    view : str
    content : mapping
        As it came; use ``number`` and ``flag`` to read it.
    """

    __slots__ = ("content", "kind", "view")

    def __init__(self, kind: str, view: str, content: Mapping[str, Any]) -> None:
        self.kind = kind
        self.view = view
        self.content = content

    def number(self, name: str, default: int = 0, *, most: int = 2**53) -> int:
        """Return a whole number, 0 to ``most``."""
        given = self.content.get(name, default)
        return int(min(max(given, 0), most)) if isinstance(given, int | float) and given == given else default  # noqa: PLR0124 - NaN

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a boolean."""
        given = self.content.get(name, default)
        return given if isinstance(given, bool) else default

    def part(self, name: str) -> Request:
        """Return what is nested under a name, to be read the same way."""
        given = self.content.get(name)
        return Request(self.kind, self.view, given if isinstance(given, Mapping) else {})

    def texts(self, name: str, *, most: int = 1000) -> list[str]:
        """Return a list of texts, or an empty one."""
        given = self.content.get(name)
        return [text for text in given if isinstance(text, str)][:most] if isinstance(given, list) else []

    def numbers(self, name: str, *, most: int = 10_000) -> list[int]:
        """Return a list of whole numbers, or an empty one."""
        given = self.content.get(name)
        return [number for number in given if type(number) is int][:most] if isinstance(given, list) else []

    def text(self, name: str) -> str:
        """Return a text, or an empty one."""
        given = self.content.get(name)
        return given if isinstance(given, str) else ""


def parse(content: object) -> Request | None:
    """Return a message if it is one of ours."""
    if not isinstance(content, Mapping):
        return None
    kind, view = content.get("t"), content.get("view")
    if not isinstance(kind, str) or kind not in _SIGNS or not isinstance(view, str) or not 0 < len(view) <= MAX_VIEW:
        return None
    return Request(kind, view, content)


def told(error: BaseException) -> str:
    """Return what an error says; the name of its kind goes before it unless it is one of ours, which are sentences."""
    return str(error) if isinstance(error, StreamlabError) else said(error)
