"""Names that Faust code imports from ``faust.exceptions``; defined in ``streamlab.errors``."""

from streamlab.errors import ImproperlyConfigured, KeyDecodeError, Skip, ValueDecodeError
from streamlab.errors import InvalidValue as ValidationError

__all__ = ["ImproperlyConfigured", "KeyDecodeError", "Skip", "ValidationError", "ValueDecodeError"]
