"""Creating, deleting and describing topics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.protocol.admin import CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest, DescribeConfigsRequest

from streamlab.broker.kafka_errors import code_error
from streamlab.broker.kafka_lookup import Lookup
from streamlab.errors import BrokerUnavailable, InvalidValue, StreamlabError, TopicNotFound

__all__ = ["Admin"]

ADMIN_TIMEOUT_S = 30.0
NOT_CONTROLLER = 41
REFUSED = {17, 37, 38, 39, 40}  # a name, a count of partitions or replicas, or a setting that makes no sense
ATTEMPTS = 5
VISIBLE_S = 0.05


class Admin:
    """Changes to a cluster, each asked for by name; over the connection of a Lookup."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def create_topic(self, name: str, partitions: int, replication: int, config: Mapping[str, str]) -> None:
        """Create a topic and wait until it can be seen."""
        what = f"Cannot create topic {name!r}"
        request = CreateTopicsRequest(
            [(name, partitions, replication, [], list(config.items()))], int(ADMIN_TIMEOUT_S * 1000), validate_only=False
        )
        await self._change(request, what, name)
        await self._until_seen(name, partitions)

    async def create_with_defaults(self, name: str) -> None:
        """Create a topic with the partitions and replicas that the brokers are configured to give to new ones."""
        [node, *_] = [node for node, *_ in (await self._lookup.metadata([name])).brokers]
        config = await self._config(ConfigResourceType.BROKER, str(node), node)
        await self.create_topic(name, int(config.get("num.partitions", 1)), int(config.get("default.replication.factor", 1)), {})

    async def delete_topic(self, name: str) -> None:
        """Delete a topic and wait until it is gone."""
        await self._change(DeleteTopicsRequest([name], int(ADMIN_TIMEOUT_S * 1000)), f"Cannot delete topic {name!r}", name)
        with contextlib.suppress(TopicNotFound):
            async with _in_time(f"topic {name!r} is to go, and is still there"):
                while True:
                    await self._lookup.partitions(name)
                    await asyncio.sleep(VISIBLE_S)

    async def add_partitions(self, name: str, total: int) -> None:
        """Grow a topic and wait until that can be seen."""
        request = CreatePartitionsRequest([(name, (total, None))], int(ADMIN_TIMEOUT_S * 1000), validate_only=False)
        await self._change(request, f"Cannot grow topic {name!r} to {total} partitions", name)
        await self._until_seen(name, total)

    async def topic_config(self, name: str) -> dict[str, str]:
        """All settings of a topic, defaults too; secret ones are left out."""
        await self._lookup.partitions(name)
        return await self._config(ConfigResourceType.TOPIC, name, None)

    async def _config(self, kind: ConfigResourceType, name: str, node: int | None) -> dict[str, str]:
        what = f"Cannot read the configuration of {name}"
        answer = await self._lookup.ask(DescribeConfigsRequest([(kind, name, None)]), node, what=what)
        code, detail, _, _, entries = answer.resources[0]
        if code:
            raise code_error(code, what, detail=detail)
        return {entry[0]: entry[1] for entry in entries if entry[1] is not None}

    async def _change(self, request: Any, what: str, topic: str) -> None:
        """Send to the controller; if it has moved, to the new one."""
        error: StreamlabError | None = None
        for _ in range(ATTEMPTS):
            controller = (await self._lookup.metadata([topic])).controller_id
            answer = await self._lookup.ask(request, controller, what=what, timeout_s=ADMIN_TIMEOUT_S, again=False)
            results = answer.topic_error_codes if hasattr(answer, "topic_error_codes") else answer.topic_errors
            _, code, *detail = results[0]
            if not code:
                return
            error = code_error(code, what, detail=detail[0] if detail else None, topic=topic)
            if code in REFUSED:
                raise InvalidValue(str(error)) from error.__cause__
            if code != NOT_CONTROLLER:
                raise error
            await asyncio.sleep(VISIBLE_S)
        raise error or BrokerUnavailable(f"{what}: no controller found. Try again.")

    async def _until_seen(self, name: str, partitions: int) -> None:
        """Wait until the metadata shows the partitions and their leaders: other nodes hear of them a little later."""
        async with _in_time(f"topic {name!r} is to have {partitions} partitions with a leader, and has not"):
            while True:
                try:
                    leaders = await self._lookup.partitions(name)
                except TopicNotFound:
                    leaders = {}
                if len(leaders) >= partitions and min(leaders.values()) >= 0:
                    return
                await asyncio.sleep(VISIBLE_S)


@contextlib.asynccontextmanager
async def _in_time(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ADMIN_TIMEOUT_S):
            yield
    except TimeoutError as error:
        raise BrokerUnavailable(
            f"The cluster took the change, but {what} after {ADMIN_TIMEOUT_S:g} s. Look at its brokers; there is no need to ask again."
        ) from error
