"""The annotations of a Record class, made ready for msgspec: forward references, ``Optional``, order of fields."""

from __future__ import annotations

import builtins
import sys
import typing
from collections import ChainMap
from collections.abc import Mapping
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, ClassVar, Optional, Union, get_args, get_origin

__all__ = ["arrange_fields", "is_union", "resolve_annotations"]


class _UnknownNames(dict[str, Any]):
    """Stands for what is defined later: any name is there, as Any."""

    def __missing__(self, name: str) -> Any:
        return Any


def is_union(kind: Any) -> bool:
    """Whether this is ``Union[...]``, ``Optional[...]`` or ``a | b``."""
    return get_origin(kind) in (Union, UnionType)


def arrange_fields(body: dict[str, Any], bases: tuple[type, ...], scope: Mapping[str, Any]) -> bool:
    """Rewrite the annotations and defaults in a class body as Faust means them.

    ``Optional`` without a default has the default None, a default None makes its field optional, ``name = value``
    gives an inherited field a new default, and required fields come first.

    Returns
    -------
    bool
        Whether a required field follows one of a base class that is optional, or becomes so.
    """
    annotations = _own_annotations(body)
    inherited = {name: base for base in reversed(bases) for name in getattr(base, "__struct_fields__", ())}
    for name in inherited.keys() & body.keys() - annotations.keys():
        if not hasattr(body[name], "__get__"):
            annotations[name] = _inherited_annotation(inherited[name], name)
    names = ChainMap(dict(scope), _module_names(body.get("__module__")), vars(builtins), _UnknownNames())
    evaluated = {name: _evaluate(annotation, names) for name, annotation in annotations.items()}
    fields = {name: annotations[name] for name, kind in evaluated.items() if not _is_classvar(kind)}
    implied = {name for name in fields if name not in body and _is_optional(evaluated[name])}
    for name in fields:
        if name in body and body[name] is None:
            fields[name] = Optional[fields[name]]  # noqa: UP045 - takes strings, which have no |
    body.update(dict.fromkeys(implied))
    body["__annotations__"] = _required_first(fields, body, implied) | {
        name: annotations[name] for name in annotations.keys() - fields.keys()
    }
    body.pop("__annotate_func__", None)  # Python 3.14's way to say the same
    body.pop("__annotate__", None)
    optional_before = any(getattr(base, "__struct_defaults__", ()) for base in bases) or any(
        name in body and name in inherited for name in fields
    )
    return optional_before and any(name not in body and name not in inherited for name in fields)


def resolve_annotations(cls: type, fields: tuple[str, ...], scope: Mapping[str, Any]) -> None:
    """Replace the forward references of a new class that can be known now: its own name, and local classes.

    The rest stays for msgspec, which looks in the class's module at first use.
    """
    own = cls.__annotations__
    names = {**scope, cls.__name__: cls}
    for name in own.keys() & set(fields):
        holder = SimpleNamespace(__annotations__={name: own[name]})
        try:
            hints = typing.get_type_hints(
                holder, globalns=dict(_module_names(cls.__module__)), localns=names, include_extras=True
            )
        except (NameError, TypeError, SyntaxError, AttributeError):
            continue
        own[name] = hints[name]


def _own_annotations(body: dict[str, Any]) -> dict[str, Any]:
    if sys.version_info >= (3, 14) and "__annotations__" not in body:  # pragma: no cover - of Python 3.14
        from annotationlib import Format, call_annotate_function, get_annotate_from_class_namespace

        annotate = get_annotate_from_class_namespace(body)
        return {} if annotate is None else dict(call_annotate_function(annotate, Format.FORWARDREF))
    return dict(body.get("__annotations__", {}))


def _inherited_annotation(base: type, name: str) -> Any:
    return next((cls.__annotations__[name] for cls in base.__mro__ if name in vars(cls).get("__annotations__", {})), Any)


def _module_names(module: str | None) -> dict[str, Any]:
    return getattr(sys.modules.get(module or ""), "__dict__", {})


def _evaluate(annotation: Any, names: Mapping[str, Any]) -> Any:
    """Evaluate as far as is needed to see a union or ClassVar on the outside."""
    text = getattr(annotation, "__forward_arg__", annotation)
    if not isinstance(text, str):
        return annotation
    try:
        return eval(text, {}, names)  # noqa: S307 - source code of the class, as typing.get_type_hints does
    except Exception:  # noqa: BLE001 - whatever it is, msgspec reports it at first use
        return Any


def _is_optional(kind: Any) -> bool:
    return is_union(kind) and NoneType in get_args(kind)


def _is_classvar(kind: Any) -> bool:
    return kind is ClassVar or get_origin(kind) is ClassVar


def _required_first(fields: dict[str, Any], body: dict[str, Any], implied: set[str]) -> dict[str, Any]:
    """Move optional fields behind required ones, unless an explicit default is misplaced: msgspec's error."""
    names = list(fields)
    required = [name for name in names if name not in body]
    before_last = names[: names.index(required[-1])] if required else []
    if any(name in body and name not in implied for name in before_last):
        return fields
    return {name: fields[name] for name in sorted(names, key=body.__contains__)}
