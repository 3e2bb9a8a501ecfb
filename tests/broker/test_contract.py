"""The contract, on both brokers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from streamlab.broker import open_broker
from streamlab.broker.base import Broker
from tests.broker import contract


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def broker(request: pytest.FixtureRequest, topic_name: str) -> AsyncIterator[Broker]:
    url = f"memory://{topic_name}" if request.param == "memory" else request.getfixturevalue("kafka").url
    broker = open_broker(url)
    yield broker
    await broker.close()


class TestContract(contract.BrokerContract):
    pass
