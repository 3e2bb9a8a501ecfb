"""What Faust's guide shows of models, with only the import changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest

import streamlab as faust
from streamlab.exceptions import ValidationError


def test_positional_arguments_follow_inheritance() -> None:
    class Point(faust.Record):
        x: int
        y: int

    class Solid(Point):
        z: int

    solid = Solid(10, 20, 30)
    assert (solid.x, solid.y, solid.z) == (10, 20, 30)


def test_a_subclass_sets_a_field_and_adds_a_required_one() -> None:
    class Asset(faust.Record):
        url: str
        type: str

    class Video(Asset):
        runtime_s: float
        type = "video"

    video = Video(url="u", runtime_s=1.5)  # type: ignore[call-arg] # Faust's idiom, which type checkers do not know
    assert Video.loads(video.dumps()) == Video(url="u", runtime_s=1.5, type="video")


def test_constants_and_methods_are_no_fields() -> None:
    class Order(faust.Record):
        SIDES = ("sell", "buy")
        side: str
        created: datetime = None  # type: ignore[assignment] # Faust's idiom

        @property
        def valid(self) -> bool:
            return self.side in self.SIDES

    assert Order(side="buy").valid
    assert Order(side="buy").asdict() == {"side": "buy", "created": None}


async def test_a_record_is_a_call_to_be_made() -> None:
    class Request(faust.Record):
        id: str
        name: str
        arguments: Sequence[Any]
        keywords: Mapping[str, Any]

        async def __call__(self) -> Any:
            return await registry[self.name](*self.arguments, **self.keywords)

    async def add(x: int, y: int) -> int:
        return x + y

    registry: dict[str, Callable[..., Awaitable[int]]] = {"add": add}
    request = Request(id=faust.uuid(), name="add", arguments=(1,), keywords={"y": 2})
    assert await Request.loads(request.dumps())() == 3
    assert request.id != faust.uuid()


def test_a_date_parser_reads_what_the_constructor_gets() -> None:
    def parse(text: str) -> datetime:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")

    class Account(faust.Record, coerce=True, date_parser=parse):
        joined: datetime
        age: int = 0

    text: Any = "Sat Jan 12 00:44:36 +0000 2019"
    assert Account(joined=text) == Account.loads(f'{{"joined": "{text}"}}')
    assert Account(joined=text).joined.year == 2019
    for wrong in ({"joined": "yesterday"}, {"joined": text, "age": "old"}):
        with pytest.raises(ValidationError):
            Account(**wrong)


def test_polymorphic_fields_are_warned_about_and_a_tagged_union_does_it() -> None:
    with pytest.warns(UserWarning, match="polymorphic_fields does nothing.*tag=True"):

        class Article(faust.Record, polymorphic_fields=True):
            url: str

    class Image(faust.Record, tag=True):
        url: str

    class Sound(faust.Record, tag=True):
        url: str

    class Page(faust.Record):
        assets: list[Image | Sound]

    page = Page(assets=[Sound("s"), Image("i")])
    assert Page.loads(page.dumps()) == page
    assert Article("u").url == "u"


def test_fields_come_from_one_base_class() -> None:
    class One(faust.Record):
        a: int

    class Two(faust.Record):
        b: int

    class Helper:
        def double(self) -> int:
            return 2 * self.a  # type: ignore[attr-defined,no-any-return] # of what it is mixed into

    class Mixed(Helper, One):
        pass

    assert Mixed(a=1).double() == 2
    with pytest.raises(faust.InvalidType, match="Both: only one base class of a Record can have fields"):
        type("Both", (One, Two), {})
