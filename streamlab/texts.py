"""Text of any object, fit to be shown: it fails on nothing, is bounded, and everything in it can be seen."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["LIMIT", "clean", "said", "shown", "text_of"]

LIMIT = 200
"""Characters, unless said otherwise."""

# Control characters get their pictures. What ends lines or turns the direction of text, and lone surrogates (which
# no UTF-8 can carry), become the replacement character: a payload must not rearrange what stands beside it.
_UNSEEN = {code: 0x2400 + code for code in range(0x20)} | {0x7F: 0x2421}
_UNSEEN |= dict.fromkeys([*range(0x80, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000)], 0xFFFD)
_UNSEEN_IN_LINES = {code: seen for code, seen in _UNSEEN.items() if chr(code) not in "\n\t\u2028\u2029"}


def clean(text: str, limit: int = LIMIT, *, lines: bool = False) -> str:
    """Return ``text`` cut at ``limit`` characters, with everything in it visible.

    Parameters
    ----------
    text : str
        May hold anything.
    limit : int
        Characters; the last one is an ellipsis when something was cut.
    lines : bool
        Keep line ends and tabs.
    """
    if len(text) > limit:
        text = text[: max(limit - 1, 0)] + "…"
    return text.translate(_UNSEEN_IN_LINES if lines else _UNSEEN)


def text_of(value: object, form: Callable[[object], str] = str) -> str:
    """Return ``str(value)``, or what ``form`` makes of it; where that fails, words that say so."""
    try:
        return form(value)
    except Exception as exc:  # noqa: BLE001 - a value may raise anything
        return f"<{type(value).__name__} that cannot be shown: {type(exc).__name__}>"


def said(error: BaseException) -> str:
    """Return the kind of an error and what it says, if it says anything."""
    text = text_of(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def shown(value: object, limit: int = LIMIT) -> str:
    """Return the repr of a value as one line, cut at ``limit`` characters: for the repr of what holds it."""
    return clean(text_of(value, repr), limit)
