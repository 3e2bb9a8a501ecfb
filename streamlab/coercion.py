"""Turning values into what a Record's fields are annotated with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, get_args

import msgspec

from streamlab.errors import ImproperlyConfigured, InvalidValue, NotSupported

if TYPE_CHECKING:
    from streamlab.models import Record

Coercions = Mapping[type, Callable[[Any], Any]]


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """The class keywords of a Record that have an effect."""

    serializer: str | None = None
    coerce: bool = False
    coercions: Coercions = field(default_factory=dict)
    date_parser: Callable[[Any], dt.datetime] | None = None

    @classmethod
    def of(
        cls,
        bases: tuple[type, ...],
        *,
        serializer: str | None,
        coerce: bool | None,
        coercions: Coercions | None,
        date_parser: Callable[[Any], dt.datetime] | None,
    ) -> Self:
        """Return the options of a new class: what is None is inherited, coercions add up."""
        inherited = next((b.__record_options__ for b in bases if hasattr(b, "__record_options__")), cls())
        return cls(
            serializer=inherited.serializer if serializer is None else serializer,
            coerce=inherited.coerce if coerce is None else coerce,
            coercions={**inherited.coercions, **(coercions or {})},
            date_parser=date_parser or inherited.date_parser,
        )


@lru_cache(maxsize=1024)
def field_infos(model: type[Record]) -> dict[str, msgspec.structs.FieldInfo]:
    """Fields by name, with evaluated types.

    Raises
    ------
    ImproperlyConfigured
        An annotation names something that does not exist.
    """
    try:
        return {info.name: info for info in msgspec.structs.fields(model)}
    except NameError as exc:
        raise ImproperlyConfigured(f"an annotation of {model.__name__} cannot be resolved: {exc}") from exc


def decode_hook(coercions: Coercions) -> Callable[[type, Any], Any]:
    """Return what msgspec calls for a type that it does not know: a coercion, or pydantic."""

    def hook(kind: type, obj: Any) -> Any:
        if isinstance(kind, type) and isinstance(obj, kind):
            return obj
        if kind in coercions:
            return coercions[kind](obj)
        if hasattr(kind, "model_validate"):
            return kind.model_validate(obj)
        raise NotImplementedError(f"nothing says how to make a {kind} of a {type(obj).__name__}; name it in coercions=")

    return hook


def convert(data: Any, kind: Any, options: RecordOptions) -> Any:
    """Make a value of the type out of dicts, lists and scalars."""
    hook = decode_hook(options.coercions)
    return msgspec.convert(data, kind, strict=not options.coerce, str_keys=True, dec_hook=hook)


def convert_dates(data: Any, model: type[Record], options: RecordOptions) -> Any:
    """Make a record of a mapping in which dates are texts that only the model's ``date_parser`` reads.

    Raises
    ------
    InvalidValue
        It is still no such record.
    """
    dated = {info.encode_name for info in field_infos(model).values() if _mentions(info.type, dt.datetime)}
    try:
        parsed = {key: _parse_dates(value, options.date_parser) if key in dated else value for key, value in data.items()}
        return convert(parsed, model, options)
    except (AttributeError, TypeError, ValueError, msgspec.ValidationError) as exc:
        raise InvalidValue(f"this is no {model.__name__}: {exc}") from exc


def checked_fields(record: Record) -> Iterator[tuple[str, Any, InvalidValue | None]]:
    """Yield each field's name, its value converted to its type, and the error where that is impossible."""
    model = type(record)
    for name, info in field_infos(model).items():
        value = getattr(record, name)
        try:
            yield name, _convert_field(value, info.type, model.__record_options__), None
        except (msgspec.ValidationError, TypeError, ValueError) as exc:
            yield name, value, InvalidValue(f"{model.__name__}.{name}: {exc}")


def _convert_field(value: Any, kind: Any, options: RecordOptions) -> Any:
    try:
        return convert(value, kind, options)
    except msgspec.ValidationError:
        if options.date_parser is None or not _mentions(kind, dt.datetime):
            raise
    return convert(_parse_dates(value, options.date_parser), kind, options)


def _coerce_fields(record: Record) -> None:
    for name, value, error in checked_fields(record):
        if error is not None:
            raise error
        msgspec.structs.force_setattr(record, name, value)


def refuse_abstract(record: Record) -> None:
    """``__post_init__`` of an abstract class."""
    raise NotSupported(f"{type(record).__name__} is abstract; make a subclass of it, and instances of that")


def post_init(body: dict[str, Any], bases: tuple[type, ...], options: RecordOptions) -> Callable[[Any], None] | None:
    """Return the class's ``__post_init__``: its own, after coercion where that is on and no base does it."""
    own: Callable[[Any], None] | None = body.get("__post_init__")
    if not options.coerce or (own is None and any(_options(b).coerce for b in bases)):
        return own
    after = own or next((b.__post_init__ for b in bases if hasattr(b, "__post_init__")), None)

    def coerce_first(self: Record) -> None:
        _coerce_fields(self)
        if after is not None:
            after(self)

    return coerce_first


def _parse_dates(value: Any, parser: Callable[[Any], dt.datetime] | None) -> Any:
    if isinstance(value, str) and parser is not None:
        return parser(value)
    if isinstance(value, list):
        return [_parse_dates(item, parser) for item in value]
    if isinstance(value, dict):
        return {key: _parse_dates(item, parser) for key, item in value.items()}
    return value


def _options(cls: type) -> RecordOptions:
    return getattr(cls, "__record_options__", RecordOptions())


def _mentions(kind: Any, wanted: type) -> bool:
    return kind is wanted or any(_mentions(part, wanted) for part in get_args(kind))
