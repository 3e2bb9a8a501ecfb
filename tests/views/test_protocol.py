"""The examples of the protocol, which the browser's tests read too: the kernel understands them, and says what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import streamlab as sl
from streamlab.views.actions import ACTIONS
from streamlab.views.bridge import parse
from streamlab.views.explorer import Explorer
from streamlab.views.ui import PLAIN, checked
from tests.streaming import until
from tests.views.exploring import Browser

EXAMPLES = json.loads((Path(__file__).parents[2] / "labextension/protocol/examples.json").read_text())
MESSAGES: dict[str, Any] = EXAMPLES["toKernel"]
ASKED: dict[str, Any] = MESSAGES["do"]
REPLIES: dict[str, Any] = EXAMPLES["replies"]
FRAME: dict[str, Any] = EXAMPLES["toView"]["frame"]
VIEW = MESSAGES["hello"]["view"]
MAY_BE_LEFT_OUT = frozenset(("v", "n", "c", "more", "w"))
"""Parts of a tree that are there only where they say something."""
COUNTED = ("rate", "bytesRate", "seconds", "progress", "microseconds", "from", "step", "start")
"""Whole or not: to a browser these are numbers."""


def differences(example: Any, real: Any, at: str = "") -> list[str]:
    """Say where something real does not have the keys and types of its example."""
    if example is None or real is None:
        return []  # what may be None is None in one of them
    if at.endswith(".processors"):
        example, real = list(example.values()), list(real.values())  # by whatever ids nodes have
    if isinstance(example, dict) and isinstance(real, dict):
        odd = set(example) ^ set(real)
        if "k" in example:
            odd -= MAY_BE_LEFT_OUT
        found = [f"{at}.{name} is only in {'the example' if name in example else 'what was sent'}" for name in sorted(odd)]
        return found + [
            line for name in set(example) & set(real) for line in differences(example[name], real[name], f"{at}.{name}")
        ]
    if isinstance(example, list) and isinstance(real, list):
        if at.endswith((".c", ".path", ".headers", ".sort")):
            return []  # pairs and paths, which differ by what is in them
        return [line for each in real for line in (differences(example[0], each, f"{at}[]") if example else [])]
    same = type(example) is type(real) or (
        isinstance(example, int | float) and type(real) in (int, float) and at.endswith(COUNTED)
    )
    return [] if same else [f"{at} is {real!r}, and {example!r} in the example"]


def test_the_examples_name_every_action_of_the_kernel_and_no_other() -> None:
    assert set(ASKED) == set(REPLIES) == set(ACTIONS)
    assert {asked["action"] for asked in ASKED.values()} == set(ACTIONS)


@pytest.mark.parametrize("message", [*(found for kind, found in MESSAGES.items() if kind != "do"), *ASKED.values()])
def test_every_message_of_a_view_is_understood(message: Any) -> None:
    request = parse(message)
    assert request is not None
    assert (request.kind, request.view) == (message["t"], VIEW)


def test_the_state_of_the_interface_makes_sense() -> None:
    assert set(EXAMPLES["ui"]) == set(PLAIN)
    assert checked(EXAMPLES["ui"]) == EXAMPLES["ui"]


def enrich(order: Any) -> Any:
    order["vat"] = order["amount"] * 0.19
    if order["id"] % 3 == 2:
        raise KeyError("currency")
    return order


def to_cents(order: Any) -> Any:
    return order


async def explored(app: sl.App, notebook: dict[str, Any]) -> Browser:
    """An explorer in which everything that the examples ask for is there, with errors, sinks and batches."""
    notebook["to_cents"] = to_cents
    topic = app.topic("orders", partitions=1)
    for number in range(12):
        value = {"id": number, "who": {"name": "<b>"}, "items": [None, True], "blob": "x" * 30_000, "amount": 1.5}
        await topic.send(key=f"a{number}", value=value, timestamp=1000.0 + number, headers={"trace": "abc"})
    await topic.send(value=None)
    stream = topic.stream(start="earliest", processors=[enrich, lambda order: order]).echo("eur-orders")
    explorer = stream.take(4, within=1).live()
    browser = Browser(explorer, ())
    await until(lambda: stream.events_total >= 8 and stream.errors.total == 5)
    await until(lambda: explorer.batches is not None and explorer.batches.section()["number"] is not None)
    return browser


def arranged(action: str, browser: Browser) -> dict[str, Any]:
    """The example's arguments, with the numbers of messages and errors that are there."""
    args: dict[str, Any] = dict(ASKED[action]["args"])
    window = browser.explorer.shown.window
    for name in args:
        if name == "seq":
            args[name] = window.first
        elif name in ("first", "base", "offset") or (action, name) == ("error", "index"):
            args[name] = 0
    return args


@pytest.mark.parametrize("action", ASKED)
async def test_every_action_answers_in_the_form_of_its_example(app: sl.App, notebook: dict[str, Any], action: str) -> None:
    browser = await explored(app, notebook)
    args = arranged(action, browser)
    if action == "cell":
        browser.do("apply", name="enrich", code=ASKED["apply"]["args"]["code"])
    message = {**ASKED[action], "args": args}
    browser.hear(MESSAGES["hello"])
    browser.tick()
    browser.sent.clear()
    browser.hear(message)
    (reply, buffers) = browser.sent[-1]
    assert differences(EXAMPLES["toView"]["reply"], reply, "reply") == []
    assert reply["ok"], reply.get("error")
    assert type(reply["data"]) is type(REPLIES[action])
    assert differences(REPLIES[action], reply["data"], action) == []
    assert len(buffers) == (action in ("rows", "asset"))
    browser.explorer.close()


async def test_a_refusal_has_the_form_of_its_example(app: sl.App, notebook: dict[str, Any]) -> None:
    browser = await explored(app, notebook)
    browser.refused("open", view=VIEW, seq=10**9)
    reply = browser.sent[-1][0]
    assert differences(EXAMPLES["toView"]["refusal"], reply) == []
    assert reply["error"] == EXAMPLES["toView"]["refusal"]["error"]
    browser.explorer.close()


@pytest.mark.parametrize("tab", ["errors", "graph"])
async def test_frames_have_the_form_of_the_example(app: sl.App, notebook: dict[str, Any], tab: str) -> None:
    browser = await explored(app, notebook)
    explorer: Explorer = browser.explorer
    explorer.ui = {**PLAIN, "tab": tab, "selected": {"kind": "processor", "name": "enrich"}, "brush": [1_000_000, 1_005_000]}
    browser.hear(MESSAGES["hello"])
    explorer.shown.stream.errors[0].timestamp = None
    browser.tick()
    browser.do("retry", view=VIEW, indices=[0])
    await until(lambda: explorer.shown.stream.errors.total == 6)
    explorer.shown.say("noted")
    browser.hear(MESSAGES["hello"])
    frame = browser.tick()[VIEW]
    assert set(FRAME) - set(frame) == {"graph" if tab == "errors" else "errors"}
    expected = {name: section for name, section in FRAME.items() if name in frame}
    assert differences(expected, frame, "frame") == []
    assert frame["sample"]["at"] is not None
    assert frame["batch"]["number"] is not None
    explorer.close()


async def test_rows_have_the_form_of_the_example(app: sl.App, notebook: dict[str, Any]) -> None:
    browser = await explored(app, notebook)
    browser.hear(MESSAGES["hello"])
    columns = browser.tick()[VIEW]["rows"]["cols"]
    width = 1 + len(columns)
    rows = browser.rows()
    assert rows
    for row in [*rows, *EXAMPLES["rowsBuffer"]]:
        assert type(row[0]) is int
        assert all(cell is None or isinstance(cell, str) or _is_pair(cell) for cell in row[1:])
    assert {len(row) for row in rows} == {width}
    assert {len(row) for row in EXAMPLES["rowsBuffer"]} == {1 + len(FRAME["rows"]["cols"])}
    browser.explorer.close()


def _is_pair(cell: Any) -> bool:
    return isinstance(cell, list) and len(cell) == 2 and all(isinstance(part, str) for part in cell)


def test_the_comparison_of_this_file_sees_what_differs() -> None:
    assert differences({"a": 1, "b": "x"}, {"a": "1", "c": "x"}) != []
    assert differences([{"a": 1}], [{"a": 1}, {"a": None}, {"b": 1}]) == [
        "[].a is only in the example",
        "[].b is only in what was sent",
    ]
    assert differences(FRAME, FRAME) == []
