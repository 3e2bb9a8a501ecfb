"""Names that Faust code imports from ``faust.exceptions``; defined in ``streamlab.errors``."""

from streamlab.errors import ImproperlyConfigured, KeyDecodeError, Skip, ValueDecodeError

__all__ = ["ImproperlyConfigured", "KeyDecodeError", "Skip", "ValueDecodeError"]
