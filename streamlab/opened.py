"""A batch of records, and what turns them into values and events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from streamlab.broker.base import RecordBatch
from streamlab.errors import DecodeError, KeyDecodeError, ValueDecodeError, reason_of
from streamlab.events import Event, Message

if TYPE_CHECKING:
    from streamlab.app import App
    from streamlab.broker.base import BrokerRecord
    from streamlab.codecs import Schema
    from streamlab.runtime.acks import AckStore

__all__ = ["OpenedBatch"]


class OpenedBatch:
    """A record batch with what turns its records into values and events."""

    __slots__ = (
        "app",
        "batch",
        "check_key",
        "fast",
        "key_fast",
        "key_slow",
        "raw_keys",
        "records",
        "retried",
        "schema",
        "slow",
        "store",
    )

    def __init__(self, app: App, schema: Schema, batch: RecordBatch, store: AckStore | None) -> None:
        self.app = app
        self.batch = batch
        self.schema = schema
        self.fast, self.slow = schema.value_decoder()
        self.key_fast, self.key_slow = schema.key_decoder()
        self.raw_keys: set[int] = set()
        """Offsets of the records whose key stays bytes: ``on_error`` gave them a value though it is not what its type says."""
        self.check_key = schema.key_type is not None
        """Whether a key may fail to decode: then it is tried before the value is handed out."""
        self.records: Iterator[Any] = chain(batch.records)  # chain: aiokafka's batches do not stay exhausted
        self.store = store
        self.retried = False
        """Whether its records failed before: where they stand says nothing about where reading goes on."""

    @classmethod
    def of_message(cls, app: App, schema: Schema, message: Message) -> OpenedBatch:
        """Return what opens a single message that came another way."""
        batch = RecordBatch(message.tp, (), message.offset, message.offset + 1, 0, message.generation_id or 0)
        return cls(app, schema, batch, None)

    def without_records(self) -> OpenedBatch:
        """Return what opens records as this does, with no batch to walk and nobody to ack to: to look at them later."""
        light = OpenedBatch.__new__(OpenedBatch)
        for name in ("app", "check_key", "fast", "key_fast", "key_slow", "raw_keys", "schema", "slow"):
            setattr(light, name, getattr(self, name))
        light.batch, light.records, light.store, light.retried = replace(self.batch, records=()), iter(()), None, False
        return light

    def decode(self, record: Any) -> Any:
        """Return the record's value; ValueDecodeError with the cause."""
        if record.value is None:
            return None
        try:
            return self.fast(record.value)
        except Exception as error:  # noqa: BLE001 - whatever a codec raises, the slow path says what it means
            return self.recover(record, error)

    def decode_again(self, record: Any, made: Any) -> Any:
        """Return the value of a record that was handed out; what ``on_error`` had made of it when it cannot be decoded."""
        if record.offset in self.raw_keys:
            return made
        try:
            return self.decode(record)
        except DecodeError:
            return made

    def key(self, record: Any) -> Any:
        """Return the record's key; KeyDecodeError with the cause."""
        if record.key is None:
            return None
        try:
            return self.key_fast(record.key)
        except Exception as error:  # noqa: BLE001 - whatever a codec raises, the slow path says what it means
            if record.offset in self.raw_keys:
                return record.key
            return self._slow(record.key, error, self.key_slow, KeyDecodeError, record)

    def recover(self, record: BrokerRecord, error: Exception) -> Any:
        """Return what the value is after the quick decoder failed on it."""
        return self._slow(record.value, error, self.slow, ValueDecodeError, record)

    def _slow(self, data: bytes | None, error: Exception, slow: Any, kind: type[DecodeError], record: BrokerRecord) -> Any:
        try:
            return slow(data, error)
        except Exception as cause:
            tp = self.batch.tp
            why = f"{type(cause).__name__}: {reason_of(cause)}"
            raise kind(why, topic=tp.topic, partition=tp.partition, offset=record.offset, data=data) from cause

    def message(self, record: BrokerRecord) -> Message:
        """Return the record as a Message that one stream has to ack."""
        tp = self.batch.tp
        message = Message(
            tp.topic,
            tp.partition,
            record.offset,
            record.timestamp / 1000,
            record.timestamp_type or 0,
            list(record.headers),
            record.key,
            record.value,
            getattr(record, "checksum", None),
            tp=tp,
            generation_id=self.batch.generation,
        )
        message.refcount = 1
        if self.store is not None:
            store, offset = self.store, record.offset
            message.on_final_ack = lambda: store.ack(offset)
        return message

    def build(self, record: BrokerRecord, value: Any) -> Event:
        """Return a record with its value as an event. A key that cannot be decoded stays bytes: the value is ``on_error``'s then."""
        message = self.message(record)
        try:
            key = self.key(record)
        except KeyDecodeError:
            key = record.key
        return self.app.create_event(key, value, message.headers, message)
