from __future__ import annotations

import pytest

from streamlab.broker import kafka_admin
from streamlab.broker.kafka import KafkaBroker
from streamlab.errors import BrokerUnavailable


async def test_a_change_that_is_not_seen_in_time_is_told(
    kafka_broker: KafkaBroker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await kafka_broker.create_topic(topic_name)
    monkeypatch.setattr(kafka_admin, "ADMIN_TIMEOUT_S", 0.3)
    with pytest.raises(BrokerUnavailable, match=r"is to have 99 partitions with a leader, and has not after 0.3 s"):
        await kafka_broker._admin._until_seen(topic_name, 99)
