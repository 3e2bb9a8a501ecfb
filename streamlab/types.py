"""Names that Faust code imports from ``faust.types``; defined elsewhere."""

from streamlab.agents import Agent as AgentT
from streamlab.app import App as AppT
from streamlab.channels import Channel as ChannelT
from streamlab.events import TP, Message, RecordMetadata
from streamlab.events import Event as EventT
from streamlab.models import Record as ModelT
from streamlab.streams import Stream as StreamT
from streamlab.topics import Topic as TopicT

__all__ = ["TP", "AgentT", "AppT", "ChannelT", "EventT", "Message", "ModelT", "RecordMetadata", "StreamT", "TopicT"]
