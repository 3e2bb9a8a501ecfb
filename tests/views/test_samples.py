"""The last value before and after the processor that is selected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import streamlab as sl
from streamlab.views.ui import PLAIN
from tests.streaming import put_all, until
from tests.views.conftest import Explore
from tests.views.exploring import Browser


def in_place(value: Any) -> Any:
    value["vat"] = 1
    value["who"]["name"] = "b"
    del value["old"]
    return value


async def in_place_async(value: Any) -> Any:
    await asyncio.sleep(0.01)
    return in_place(value)


def skips(_: Any) -> Any:
    raise sl.Skip


def fails(value: Any) -> Any:
    return value["nothing"]


async def sampled(app: sl.App, explore: Explore, function: Any) -> tuple[Browser, dict[str, Any]]:
    """Select a processor, let a value through, and return the sample."""
    channel = app.channel()
    browser = explore(channel.stream(processors=[function]))
    name = browser.explorer.shown.stream.processors.names[0]
    browser.explorer.ui = {**PLAIN, "selected": {"kind": "processor", "name": name}}
    assert browser.whole()["sample"] | {"before": None, "at": None} == browser.whole()["sample"]
    await put_all(channel, [{"who": {"name": "a"}, "old": 1}])
    sample: dict[str, Any] = {}

    def came() -> bool:
        sample.update(browser.whole()["sample"])
        return sample["at"] is not None

    await until(came)
    return browser, sample


@pytest.mark.parametrize("function", [in_place, in_place_async])
async def test_a_change_in_place_is_seen(app: sl.App, explore: Explore, function: Any) -> None:
    browser, sample = await sampled(app, explore, function)
    assert [name for name, _ in sample["before"]["c"]] == ["who", "old"]
    assert [name for name, _ in sample["after"]["c"]] == ["who", "vat"]
    assert {(tuple(found["path"]), found["change"]) for found in sample["diff"]} == {
        (("who", "name"), "changed"),
        (("vat",), "added"),
        (("old",), "removed"),
    }
    assert (sample["error"], sample["skipped"]) == (None, False)
    await browser.explorer.shown.stream.stop()


async def test_skip_and_errors_are_seen(app: sl.App, explore: Explore) -> None:
    for function, skipped, error in ((skips, True, None), (fails, False, "KeyError: 'nothing'")):
        browser, sample = await sampled(app, explore, function)
        assert (sample["skipped"], sample["error"], sample["after"], sample["diff"]) == (skipped, error, None, [])
        assert sample["before"]["k"] == "o"
        await browser.explorer.shown.stream.stop()


async def test_what_is_large_is_withheld(app: sl.App, explore: Explore) -> None:
    _, sample = await sampled(app, explore, lambda value: {**value, "large": "x" * 10_000_000})
    large = dict(sample["after"]["c"])["large"]
    assert large["w"] > 9_000_000
    assert len(large["v"]) < 5_000


async def test_another_processor_has_another_sample_and_none_is_none(app: sl.App, explore: Explore) -> None:
    browser, _sample = await sampled(app, explore, in_place)
    stream = browser.explorer.shown.stream
    stream.processors.add(skips)
    browser.explorer.ui = {**PLAIN, "selected": {"kind": "processor", "name": "skips"}}
    assert browser.whole()["sample"]["at"] is None
    browser.explorer.ui = {**PLAIN, "selected": {"kind": "processor", "name": "nobody"}}
    assert "sample" not in browser.whole()
    browser.explorer.ui = {**PLAIN, "selected": {"kind": "source"}}
    assert "sample" not in browser.whole()
    stream.processors.remove("skips")
    await stream.stop()


async def test_a_processor_that_is_replaced_is_looked_at_anew(app: sl.App, explore: Explore) -> None:
    browser, _sample = await sampled(app, explore, in_place)
    browser.explorer.shown.stream.processors.replace("in_place", skips)
    assert browser.whole()["sample"]["at"] is None
    await browser.explorer.shown.stream.stop()


async def test_two_explorers_of_one_stream_look_at_two_processors_or_at_the_same(app: sl.App, explore: Explore) -> None:
    channel = app.channel()
    stream = channel.stream(processors=[in_place, lambda value: {**value, "later": 1}])
    browsers = [explore(stream), explore(stream), explore(stream)]
    names = [stream.processors.names[number] for number in (0, 1, 1)]
    for browser, name in zip(browsers, names, strict=True):
        browser.explorer.ui = {**PLAIN, "selected": {"kind": "processor", "name": name}}
        browser.whole()
    await channel.send(value={"who": {"name": "a"}, "old": 1})
    await until(lambda: stream.events_total == 1)
    samples = [browser.whole()["sample"] for browser in browsers]
    assert [sample["name"] for sample in samples] == names
    assert all(sample["before"] is not None and sample["after"] is not None for sample in samples)
    await stream.stop()
