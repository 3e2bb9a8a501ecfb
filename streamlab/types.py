"""Names that Faust code imports from ``faust.types``; defined elsewhere."""

from streamlab.events import TP, Message, RecordMetadata
from streamlab.streams import Stream as StreamT

__all__ = ["TP", "Message", "RecordMetadata", "StreamT"]
