"""Topics made from topics, and on the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from streamlab.durations import seconds
from streamlab.errors import InvalidValue, TopicExists
from streamlab.runtime.io import on_io

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlab.codecs import Schema
    from streamlab.topics import Topic

__all__ = ["declare", "derived"]

T = TypeVar("T", bound="Topic[Any]")


def derived(
    topic: T,
    *,
    topics: Sequence[str] | None,
    schema: Schema | None,
    prefix: str,
    suffix: str,
    rekeyed: bool,
    **kwargs: Any,
) -> T:
    """See ``Topic.derive_topic``."""
    names = topic.topics if topics is None else tuple(topics)
    if (prefix or suffix) and topic.pattern is not None and topics is None:
        raise InvalidValue("cannot add a prefix or suffix to a pattern: give topics=")
    schema = (topic.schema if schema is None else schema).copy()
    if rekeyed:
        schema.key_type = schema.key_serializer = None
    given = {name: value for name, value in kwargs.items() if value is not None}
    made = {
        "topics": [f"{prefix}{name}{suffix}" for name in names],
        "pattern": None if topics is not None else topic.pattern,
        "schema": schema,
        "root": None,
        "active_partitions": None,
        "has_prefix": bool(topic.has_prefix or prefix),
    }
    return type(topic)(**{**topic._clone_args(), **made, **given})


async def declare(topic: Topic[Any]) -> None:
    """See ``Topic.declare``."""
    for name in topic.topics:
        try:
            await on_io(
                topic.app.client.create_topic(
                    name,
                    partitions=topic.partitions or topic.app.conf.topic_partitions,
                    replication=topic.replicas or topic.app.conf.topic_replication_factor,
                    config=_config(topic),
                )
            )
        except TopicExists:
            continue


def _config(topic: Topic[Any]) -> dict[str, str]:
    config: dict[str, Any] = {}
    if topic.retention is not None:
        config["retention.ms"] = round(seconds(topic.retention) * 1000)
    policy = [word for word, wanted in (("compact", topic.compacting), ("delete", topic.deleting)) if wanted]
    if policy:
        config["cleanup.policy"] = ",".join(policy)
    return {key: str(value) for key, value in {**config, **topic.config}.items()}
