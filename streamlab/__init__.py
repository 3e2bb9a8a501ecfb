"""streamlab: Kafka streams as live objects in a notebook."""

from streamlab.agents import Agent, current_agent
from streamlab.app import App
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
from streamlab.models import Record
from streamlab.queues import FlowControlQueue
from streamlab.runtime.runner import running
from streamlab.streams import Stream
from streamlab.take import Batch
from streamlab.topics import Topic

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
    "DecodeError",
    "EncodeError",
    "Event",
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
    "NotSupported",
    "OffsetOutOfRange",
    "Record",
    "RecordMetadata",
    "Schema",
    "Skip",
    "Stream",
    "StreamClosed",
    "StreamlabError",
    "Topic",
    "TopicExists",
    "TopicNotFound",
    "ValueDecodeError",
    "current_agent",
    "current_event",
    "running",
]
