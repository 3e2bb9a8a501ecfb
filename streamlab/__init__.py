"""streamlab: Kafka streams as live objects in a notebook."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from streamlab.agents import Agent, current_agent
from streamlab.app import App
from streamlab.batch import Batch
from streamlab.channels import Channel
from streamlab.codecs import Schema
from streamlab.errors import (
    AlreadyStarted,
    AuthenticationFailed,
    AuthorizationFailed,
    BrokerError,
    BrokerUnavailable,
    DecodeError,
    EncodeError,
    ImproperlyConfigured,
    InvalidPosition,
    InvalidState,
    InvalidType,
    InvalidValue,
    KeyDecodeError,
    MemoryLimitExceeded,
    MessageTooLarge,
    NoSuchMember,
    NotSupported,
    OffsetOutOfRange,
    Skip,
    StreamClosed,
    StreamlabError,
    TopicExists,
    TopicNotFound,
    ValueDecodeError,
)
from streamlab.events import TP, Event, Message, RecordMetadata, current_event
from streamlab.models import Record, uuid
from streamlab.queues import FlowControlQueue
from streamlab.runtime.runner import running
from streamlab.streams import Stream
from streamlab.tables import Table
from streamlab.topics import Topic
from streamlab.types import ChannelT, EventT, StreamT, TopicT
from streamlab.unsupported import NAMES as _NAMES
from streamlab.unsupported import missing_name as _missing_name
from streamlab.windows import Window

__version__ = "0.1.0"

__all__ = [
    "TP",
    "Agent",
    "AlreadyStarted",
    "App",
    "AuthenticationFailed",
    "AuthorizationFailed",
    "Batch",
    "BrokerError",
    "BrokerUnavailable",
    "Channel",
    "ChannelT",
    "DecodeError",
    "EncodeError",
    "Event",
    "EventT",
    "FlowControlQueue",
    "ImproperlyConfigured",
    "InvalidPosition",
    "InvalidState",
    "InvalidType",
    "InvalidValue",
    "KeyDecodeError",
    "MemoryLimitExceeded",
    "Message",
    "MessageTooLarge",
    "NoSuchMember",
    "NotSupported",
    "OffsetOutOfRange",
    "Record",
    "RecordMetadata",
    "Schema",
    "Skip",
    "Stream",
    "StreamClosed",
    "StreamT",
    "StreamlabError",
    "Table",
    "Topic",
    "TopicExists",
    "TopicNotFound",
    "TopicT",
    "ValueDecodeError",
    "Window",
    "current_agent",
    "current_event",
    "running",
    "uuid",
]

if not _TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        raise _missing_name(__name__, name, _NAMES)
