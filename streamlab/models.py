"""Record: the model of a key or value.

A Record is a ``msgspec.Struct``, so that decoding, construction and attribute access run in C. What is added
is Faust's vocabulary: class keywords, ``asdict``, ``derive``, ``dumps``, and field descriptors: on the class
a field is not its value but a ``FieldDescriptor``, the key for ``group_by`` and joins.
"""

from __future__ import annotations

import datetime as dt
import sys
import typing
import warnings
from collections.abc import Callable
from decimal import Decimal
from types import MemberDescriptorType
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args, get_origin
from uuid import UUID, uuid4

import msgspec

from streamlab.annotations import arrange_fields, is_union, resolve_annotations
from streamlab.coercion import (
    Coercions,
    RecordOptions,
    checked_fields,
    convert,
    convert_dates,
    field_infos,
    post_init,
    refuse_abstract,
)
from streamlab.errors import InvalidType, InvalidValue
from streamlab.formats import encode_hook

__all__ = ["FieldDescriptor", "Record", "uuid"]

T = TypeVar("T")
# What to_representation() leaves as it is: codecs write these themselves.
KEPT_TYPES = (bytes, bytearray, dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, UUID)


class FieldDescriptor(Generic[T]):
    """A field of a Record class, as ``Order.account_id`` gives it: something that picks the field out of a record.

    Equal when class and path are equal. ``User.account.id`` reaches into a nested Record.

    Parameters
    ----------
    field : str
        Name of the attribute.
    model : type
        The Record class that it was accessed on.
    parent : FieldDescriptor, optional
        The field that holds the nested record.

    Examples
    --------
    >>> class Order(Record):
    ...     account_id: str
    >>> Order.account_id(Order(account_id="a"))
    'a'
    """

    __slots__ = ("field", "model", "parent")

    def __init__(self, field: str, model: type[Record], parent: FieldDescriptor[Any] | None = None) -> None:
        self.field = field
        self.model = model
        self.parent = parent

    @property
    def path(self) -> tuple[str, ...]:
        """Attribute names from the model down to the field."""
        return (*(self.parent.path if self.parent is not None else ()), self.field)

    @property
    def ident(self) -> str:
        """``Order.account_id``."""
        return ".".join((self.model.__name__, *self.path))

    @property
    def type(self) -> Any:
        """The annotation, evaluated."""
        return self._info().type

    @property
    def required(self) -> bool:
        """Whether the constructor wants it."""
        return self._info().required

    @property
    def default(self) -> Any:
        """Value when it is left out; None for a required field."""
        info = self._info()
        if info.default_factory is not msgspec.NODEFAULT:
            return info.default_factory()
        return None if info.default is msgspec.NODEFAULT else info.default

    def __call__(self, obj: Any) -> T | None:
        """Pick the field out of ``obj``; None when a record on the way to it is None."""
        for name in self.path:
            if obj is None:
                return None
            obj = getattr(obj, name)
        return typing.cast("T | None", obj)

    def getattr(self, obj: Any) -> T | None:
        """Pick the field out of ``obj``: Faust's name for calling the descriptor."""
        return self(obj)

    def _info(self) -> msgspec.structs.FieldInfo:
        owner = self.model if self.parent is None else _record_in(self.parent.type)
        if owner is None:  # pragma: no cover - __getattr__ made sure of it
            raise InvalidType(f"{self.parent!r} is no Record")
        return field_infos(owner)[self.field]

    def __getattr__(self, name: str) -> FieldDescriptor[Any]:
        nested = None if name.startswith("__") else _record_in(self.type)
        if nested is None or name not in nested.__struct_fields__:
            raise AttributeError(f"{self.ident} has no field {name!r}")
        return FieldDescriptor(name, self.model, self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FieldDescriptor):
            return NotImplemented
        return self.model is other.model and self.path == other.path

    def __hash__(self) -> int:
        return hash((self.model, self.path))

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.ident}>"


class RecordMeta(msgspec.StructMeta):
    """Takes Faust's class keywords, and answers ``Order.field`` with a FieldDescriptor."""

    __record_options__: RecordOptions

    def __new__(  # noqa: PLR0913, PYI034 - Faust's keywords; mypy knows no Self in a metaclass
        mcs,
        name: str,
        bases: tuple[type, ...],
        body: dict[str, Any],
        /,
        *,
        serializer: str | None = None,
        namespace: str | None = None,  # noqa: ARG004 - see Record: concerns Faust's metadata entry, which is not written
        include_metadata: bool | None = None,  # noqa: ARG004
        polymorphic_fields: bool | None = None,
        allow_blessed_key: bool | None = None,  # noqa: ARG004
        isodates: bool | None = None,  # noqa: ARG004 - dates and decimals are always converted
        decimals: bool | None = None,  # noqa: ARG004
        abstract: bool = False,
        coerce: bool | None = None,
        coercions: Coercions | None = None,
        validation: bool | None = None,
        date_parser: Callable[[Any], dt.datetime] | None = None,
        **struct_options: Any,
    ) -> RecordMeta:
        if "__init__" in body:
            raise InvalidType(f"{name}: a Record has its own __init__; compute what you need in __post_init__")
        if sum(bool(getattr(base, "__struct_fields__", ())) for base in bases) > 1:
            raise InvalidType(
                f"{name}: only one base class of a Record can have fields; annotate those of the other in {name} itself"
            )
        if polymorphic_fields:
            warnings.warn(
                f"{name}: polymorphic_fields does nothing, a field is read as what it is annotated with: "
                "annotate a union of Records that have tag=True",
                UserWarning,
                stacklevel=2,
            )
        options = RecordOptions.of(
            bases,
            serializer=serializer,
            coerce=coerce if validation is None else coerce or validation,
            coercions=coercions,
            date_parser=date_parser,
        )
        frame = sys._getframe(1)
        scope = {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)
        if arrange_fields(body, bases, scope):
            struct_options.setdefault("kw_only", True)
        hook = post_init(body, bases, options)
        if abstract or hook is not None:
            body["__post_init__"] = refuse_abstract if abstract else hook
        cls = super().__new__(mcs, name, bases, body, **struct_options)
        if abstract:
            # msgspec keeps the hook that it saw at creation; subclasses must not inherit it.
            type.__delattr__(cls, "__post_init__")
            if hook is not None:
                type.__setattr__(cls, "__post_init__", hook)
        cls.__record_options__ = options
        resolve_annotations(cls, cls.__struct_fields__, scope)
        return cls

    def __init__(cls, *args: Any, **keywords: Any) -> None:  # noqa: N805 - of a metaclass
        """Take the class keywords, which ``type`` would refuse."""

    def __getattribute__(cls, name: str) -> Any:  # noqa: N805
        found = super().__getattribute__(name)
        if type(found) is MemberDescriptorType:
            return FieldDescriptor(name, typing.cast("type[Record]", cls))
        return found


class Record(msgspec.Struct, metaclass=RecordMeta, abstract=True, order=True, dict=True, weakref=True):
    """Base class of models: annotated attributes are the fields.

    Positional arguments are the fields in order, a base class's first, required ones before optional ones; where a
    class adds required fields after inherited optional ones, its own fields are keyword-only. A field annotated
    ``Optional`` needs no default: None is meant. Records compare and hash by their fields.

    Reading ignores unknown fields and Faust's ``__faust`` entry, which is never written. Types are checked when
    bytes are decoded (Faust leaves them alone), and dates, decimals and nested records are converted always; the
    constructor takes anything unless ``coerce`` or ``validation`` is on.

    Parameters
    ----------
    serializer : str, optional
        Codec of ``dumps`` and ``loads``, and of topics with this type that name none; "json" when nobody says.
    coerce, validation : bool
        Convert what can be converted ("3" to an int field's 3) and raise ``InvalidValue`` for the rest, in the
        constructor too.
    coercions : dict of type to callable, optional
        How to make a value of a type of your own.
    date_parser : callable, optional
        Turns texts that are not ISO 8601 into datetimes.
    abstract : bool
        A base class that cannot be instantiated; not inherited.
    namespace, include_metadata, allow_blessed_key, isodates, decimals
        Taken so that Faust's classes paste unchanged; without effect.
    polymorphic_fields : bool
        Taken with a warning. For fields of several types use ``msgspec``'s ``tag=`` and a union.
    **struct_options
        Those of ``msgspec.Struct``: ``frozen``, ``rename``, ``tag``, ...

    Examples
    --------
    >>> class Order(Record, serializer="json"):
    ...     account_id: str
    ...     amount: float = 0.0
    >>> Order("a", 2.5).dumps()
    b'{"account_id":"a","amount":2.5}'
    >>> Order.account_id
    <FieldDescriptor: Order.account_id>
    """

    __record_options__: ClassVar[RecordOptions]

    def __hash__(self) -> int:
        return hash(msgspec.structs.astuple(self))

    def asdict(self) -> dict[str, Any]:
        """Field names and values; nested records stay records."""
        return msgspec.structs.asdict(self)

    def to_representation(self) -> dict[str, Any]:
        """Dicts and lists all the way down; dates, decimals and bytes stay what they are."""
        return typing.cast("dict[str, Any]", msgspec.to_builtins(self, builtin_types=KEPT_TYPES, enc_hook=encode_hook))

    def derive(self, *objects: Record, **fields: Any) -> Self:
        """Return a copy with the fields of ``objects`` and then ``fields`` in place of its own."""
        merged = self.asdict()
        for other in objects:
            merged.update(other.asdict())
        return type(self)(**{**merged, **fields})

    def dumps(self, *, serializer: str | None = None) -> bytes:
        """Encode, as JSON unless the argument or the class says otherwise.

        Raises
        ------
        EncodeError
            The codec cannot write a field's value.
        """
        from streamlab.codecs import Schema

        return Schema(value_type=type(self)).encode_value(self, serializer) or b""

    @classmethod
    def loads(cls, s: bytes | str, *, serializer: str | None = None) -> Self:
        """Decode; the class's own serializer wins over the argument, as in Faust.

        Raises
        ------
        DecodeError
            The bytes are not what the codec or the class says.
        """
        from streamlab.codecs import Schema

        schema = Schema(value_type=cls, value_serializer=cls.__record_options__.serializer or serializer)
        return typing.cast("Self", schema.decode_value(s.encode() if isinstance(s, str) else s))

    @classmethod
    def from_data(cls, data: Any) -> Self:
        """Make a record of a mapping, with nested records, dates and decimals converted; a record stays itself.

        Raises
        ------
        InvalidValue
            A required field is missing, or a value has the wrong type.
        """
        if isinstance(data, Record):
            return typing.cast("Self", data)
        options = cls.__record_options__
        try:
            return typing.cast("Self", convert(data, cls, options))
        except msgspec.ValidationError as exc:
            if options.date_parser is None:
                raise InvalidValue(f"this is no {cls.__name__}: {exc}") from exc
        return typing.cast("Self", convert_dates(data, cls, options))

    def validate(self) -> list[InvalidValue]:
        """Return one error for each field whose value is not of its type."""
        return [error for _, _, error in checked_fields(self) if error is not None]

    def is_valid(self) -> bool:
        """Whether every field has a value of its type."""
        return not self.validate()

    def validate_or_raise(self) -> None:
        """Raise the first error of ``validate``."""
        for error in self.validate():
            raise error

    @property
    def validation_errors(self) -> list[InvalidValue]:
        """What ``validate`` returns."""
        return self.validate()


def uuid() -> str:
    """Return a new random id as text, for a record that needs one."""
    return str(uuid4())


def _record_in(kind: Any) -> type[Record] | None:
    """Return the Record class of ``Account``, ``Optional[Account]`` or ``Page[int]``."""
    kind = get_origin(kind) if isinstance(get_origin(kind), RecordMeta) else kind
    if isinstance(kind, RecordMeta):
        return typing.cast("type[Record]", kind)
    if is_union(kind):
        return next((found for part in get_args(kind) if (found := _record_in(part)) is not None), None)
    return None
