"""The take that an explorer shows stands at the end of its pipeline."""

from __future__ import annotations

import pytest

import streamlab as sl
from tests.streaming import put_all, until
from tests.views.exploring import Browser


@pytest.mark.parametrize(("within", "label"), [(1.5, "take 3, 1.5 s"), (None, "take 3")])
async def test_the_take_is_the_last_node_with_what_it_has_taken(app: sl.App, within: float | None, label: str) -> None:
    channel = app.channel()
    explorer = channel.stream().take(3, within=within).live()
    browser = Browser(explorer)
    await put_all(channel, range(6))
    await until(lambda: explorer.batches is not None and explorer.batches.detail == "2 batches")
    node = browser.whole()["pipe"]["nodes"][-1]
    explorer.close()
    assert (node["kind"], node["label"], node["detail"]) == ("take", label, "2 batches")
