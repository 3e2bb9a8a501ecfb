"""Record: what Faust code leans on, and what msgspec adds."""

import copy
import json
import pickle
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import ModuleType
from typing import Any, ClassVar, Generic, List, Optional, TypeVar  # noqa: UP035 - users write these

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamlab.errors import DecodeError, ImproperlyConfigured, InvalidType, InvalidValue, NotSupported
from streamlab.models import FieldDescriptor, Record

T = TypeVar("T")


class Account(Record, serializer="json"):
    id: str
    name: str
    active: bool = True


class User(Record):
    id: int
    account: Optional[Account]  # noqa: UP045
    friends: List["User"] = []  # noqa: UP006


class Point(Record):
    x: int
    y: int = 0


class Page(Record, Generic[T]):
    items: list[T]


class Later(Record):
    other: "Optional[DefinedLater]"  # noqa: UP045


class DefinedLater(Record):
    n: int


NAMES_TO_COME = """
from typing import ClassVar
from streamlab import Record

class Fork(Record):
    leaf: Leaf | None
    n: int
    sub: list[Fork] = []
    first: ClassVar[Leaf] = None

class Leaf(Record):
    m: int
"""


def test_fields_are_positional_and_keyword() -> None:
    assert Account("1", "a", False) == Account(id="1", name="a", active=False)


def test_a_missing_field_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="name"):
        Account(id="1")  # type: ignore[call-arg]


def test_the_constructor_takes_any_type() -> None:
    assert Point("not a number").x == "not a number"  # type: ignore[arg-type,comparison-overlap]


def test_optional_needs_no_default() -> None:
    assert User(1).account is None  # type: ignore[call-arg]


def test_optional_in_quotes_needs_no_default() -> None:
    assert Later().other is None  # type: ignore[call-arg]


def test_a_class_defined_later_is_found() -> None:
    assert Later.loads(b'{"other":{"n":1}}').other == DefinedLater(1)


def test_names_to_come_need_no_quotes_where_annotations_are_deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("with_names_to_come")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    deferred = "" if sys.version_info >= (3, 14) else "from __future__ import annotations"
    exec(f"{deferred}\n{NAMES_TO_COME}", vars(module))
    fork = module.Fork.loads(b'{"n":1,"sub":[{"n":2}],"leaf":{"m":3}}')
    assert fork == module.Fork(1, module.Leaf(3), [module.Fork(2)])
    assert (module.Fork.__struct_fields__, module.Fork.first) == (("n", "leaf", "sub"), None)


def test_local_classes_refer_to_themselves_and_each_other() -> None:
    class Leaf(Record):
        n: int

    class Tree(Record):
        leaves: "list[Leaf]"
        below: "List[Tree]" = []  # noqa: UP006

    tree = Tree.loads(b'{"leaves":[{"n":1}],"below":[{"leaves":[]}]}')
    assert tree == Tree([Leaf(1)], [Tree([])])


def test_an_annotation_that_names_nothing_is_reported_by_name() -> None:
    class Broken(Record):
        a: "NoSuchThing"  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(ImproperlyConfigured, match="NoSuchThing"):
        Broken.a.type  # noqa: B018


def test_an_annotation_with_a_syntax_error_hurts_at_use_only() -> None:
    class Odd(Record):
        a: "1 +"  # type: ignore[valid-type]  # noqa: F722

    assert Odd(1).a == 1


def test_an_optional_field_may_stand_before_a_required_one() -> None:
    class Mixed(Record):
        a: Optional[int]  # noqa: UP045
        b: int
        c: int = 3

    assert Mixed(1) == Mixed(b=1, a=None, c=3)  # type: ignore[call-arg]


def test_an_explicit_default_before_a_required_field_is_refused() -> None:
    with pytest.raises(TypeError, match="cannot follow"):

        class Wrong(Record):
            a: int = 1
            b: int  # type: ignore[misc]


def test_a_default_of_none_makes_the_field_optional() -> None:
    class Loose(Record):
        a: int = None  # type: ignore[assignment]

    assert Loose.loads(b'{"a":null}').a is None


def test_a_subclass_has_its_base_fields_first() -> None:
    class Deep(Point):
        z: int = 1

    assert Deep(1, 2, 3).asdict() == {"x": 1, "y": 2, "z": 3}


def test_required_fields_after_inherited_optional_ones_are_keyword_only() -> None:
    class Named(Point):
        name: str  # type: ignore[misc]

    assert Named(1, name="p").asdict() == {"x": 1, "y": 0, "name": "p"}


def test_a_subclass_gives_an_inherited_field_a_default() -> None:
    class Image(Account):
        name = "image"

    assert Image(id="1").name == "image"  # type: ignore[call-arg]
    assert Image.loads(b'{"id":"1","name":"other"}').name == "other"


def test_a_method_of_an_inherited_fields_name_is_no_default() -> None:
    class Odd(Point):
        @property  # type: ignore[misc]
        def x(self) -> int:  # type: ignore[override]
            return 7

    assert Odd(1).x == 7


def test_class_variables_are_no_fields() -> None:
    class Versioned(Record):
        VERSION: ClassVar[int] = 3
        x: int

    assert Versioned(1).asdict() == {"x": 1}
    assert Versioned.VERSION == 3


def test_attributes_that_are_no_fields_can_be_set() -> None:
    class Summed(Record):
        x: int
        y: int

        def __post_init__(self) -> None:
            self.total = self.x + self.y

    record = Summed.loads(b'{"x":1,"y":2}')
    assert record.total == 3
    assert record.asdict() == {"x": 1, "y": 2}


def test_an_init_of_ones_own_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidType, match="__post_init__"):

        class Wrong(Record):
            x: int

            def __init__(self) -> None: ...


def test_an_abstract_record_cannot_be_made() -> None:
    class Base(Record, abstract=True):
        created: float = 0.0

    class Thing(Base):
        id: str  # type: ignore[misc]

    with pytest.raises(NotSupported, match="Base is abstract"):
        Base()
    assert Thing(id="a").created == 0.0


def test_a_subclass_runs_its_abstract_bases_hook() -> None:
    seen = []

    class Base(Record, abstract=True):
        def __post_init__(self) -> None:
            seen.append(type(self).__name__)

    class Thing(Base):
        id: str

    Thing("a")
    assert seen == ["Thing"]


def test_record_itself_cannot_be_made() -> None:
    with pytest.raises(NotImplementedError):
        Record()


def test_equality_order_and_hash_go_by_fields() -> None:
    assert Point(1, 2) == Point(1, 2)
    assert Point(1, 2) < Point(1, 3)
    assert len({Point(1, 2), Point(1, 2), Point(2, 1)}) == 2


def test_a_record_never_equals_another_class() -> None:
    class Same(Record):
        x: int
        y: int = 0

    assert Same(1) != Point(1)  # type: ignore[comparison-overlap]


def test_copies_and_pickles_are_equal() -> None:
    user = User(1, Account("a", "b"))
    assert copy.deepcopy(user) == user == pickle.loads(pickle.dumps(user))


def test_faust_keywords_are_taken() -> None:
    class Model(
        Record,
        namespace="x",
        include_metadata=False,
        isodates=True,
        decimals=True,
        allow_blessed_key=True,
    ):
        x: int

    assert Model(1).dumps() == b'{"x":1}'


def test_what_faust_wrote_is_read() -> None:
    raw = b'{"id":"1","name":"a","new":[1],"__faust":{"ns":"app.Account"}}'
    assert Account.loads(raw) == Account("1", "a")


def test_the_metadata_entry_is_not_written() -> None:
    assert json.loads(Account("1", "a").dumps()) == {"id": "1", "name": "a", "active": True}


def test_msgspec_options_pass_through() -> None:
    class Camel(Record, rename="camel"):
        account_id: str

    assert Camel("a").dumps() == b'{"accountId":"a"}'


def test_loads_takes_text() -> None:
    assert Point.loads('{"x":1}') == Point(1)


def test_loads_says_what_is_wrong() -> None:
    with pytest.raises(DecodeError, match=r"Expected `int`, got `str`"):
        Point.loads(b'{"x":"a"}')


def test_dumps_with_another_serializer_is_read_by_it() -> None:
    point = Point(1, 2)
    assert Point.loads(point.dumps(serializer="msgpack"), serializer="msgpack") == point


def test_the_class_serializer_is_inherited() -> None:
    class Packed(Record, serializer="msgpack"):
        x: int

    class Sub(Packed):
        y: int

    assert Sub.loads(Sub(1, 2).dumps()) == Sub(1, 2)
    assert Sub(1, 2).dumps() == msgspec.msgpack.encode({"x": 1, "y": 2})


def test_from_data_makes_nested_records() -> None:
    data = {"id": 1, "account": {"id": "a", "name": "b"}, "friends": [{"id": 2}]}
    assert User.from_data(data) == User(1, Account("a", "b"), [User(2, None)])


def test_from_data_leaves_a_record_alone() -> None:
    point = Point(1)
    assert Point.from_data(point) is point


def test_from_data_names_what_is_missing() -> None:
    with pytest.raises(InvalidValue, match=r"no Point: .*`x`"):
        Point.from_data({"y": 1})


def test_asdict_is_shallow_and_to_representation_deep() -> None:
    user = User(1, Account("a", "b"))
    assert user.asdict()["account"] is user.account
    assert user.to_representation()["account"] == {"id": "a", "name": "b", "active": True}


def test_representation_keeps_dates_and_decimals() -> None:
    class Trade(Record):
        at: datetime
        price: Decimal

    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert Trade(at, Decimal("1.5")).to_representation() == {"at": at, "price": Decimal("1.5")}


def test_derive_changes_some_fields() -> None:
    first, last = Account("1", "a"), Account("2", "b", active=False)
    assert first.derive(name="z") == Account("1", "z")
    assert first.derive(last, name="z") == Account("2", "z", active=False)


def test_coerce_converts_in_the_constructor_and_when_read() -> None:
    class Order(Record, coerce=True):
        price: Decimal
        quantity: int = 1

    assert Order(price="3.13", quantity="2") == Order(Decimal("3.13"), 2)  # type: ignore[arg-type]
    assert Order.loads(b'{"price":"3.13","quantity":"2"}') == Order(Decimal("3.13"), 2)


def test_validation_refuses_what_cannot_be_converted() -> None:
    class Person(Record, validation=True):
        age: int

    with pytest.raises(InvalidValue, match=r"Person.age"):
        Person(age="foo")  # type: ignore[arg-type]


def test_coercion_comes_before_the_classs_own_hook_and_once() -> None:
    seen = []

    class Base(Record, coerce=True):
        x: int

        def __post_init__(self) -> None:
            seen.append(self.x)

    class Sub(Base):
        y: int = 0

    Sub("1", "2")  # type: ignore[arg-type]
    assert seen == [1]


def test_coercion_turned_on_in_a_subclass_keeps_the_bases_hook() -> None:
    seen = []

    class Base(Record):
        x: int

        def __post_init__(self) -> None:
            seen.append(self.x)

    class Sub(Base, coerce=True):
        pass

    Sub("1")  # type: ignore[arg-type]
    assert seen == [1]


def test_coercion_works_on_frozen_records() -> None:
    class Fixed(Record, coerce=True, frozen=True):  # type: ignore[misc]
        x: int

    assert Fixed("1").x == 1  # type: ignore[arg-type]


def test_validate_lists_every_wrong_field() -> None:
    record = Point("a", "b")  # type: ignore[arg-type]
    assert [str(error).split(":")[0] for error in record.validate()] == ["Point.x", "Point.y"]
    assert record.validation_errors
    assert not record.is_valid()
    with pytest.raises(InvalidValue, match=r"Point.x"):
        record.validate_or_raise()


def test_a_valid_record_has_no_errors() -> None:
    user = User(1, Account("a", "b"))
    assert user.is_valid()
    user.validate_or_raise()


class Foo:
    def __init__(self, value: int) -> None:
        self.value = value

    def __json__(self) -> int:
        return self.value


def test_coercions_make_types_of_ones_own() -> None:
    class HasFoo(Record, coercions={Foo: Foo}):
        foo: Foo

    read = HasFoo.loads(HasFoo(Foo(101)).dumps())
    assert isinstance(read.foo, Foo)
    assert read.foo.value == 101
    assert HasFoo(Foo(1)).is_valid()
    assert HasFoo(Foo(1)).to_representation() == {"foo": 1}


def test_a_type_of_ones_own_without_coercion_is_an_error_that_says_so() -> None:
    class HasFoo(Record):
        foo: Foo

    with pytest.raises(DecodeError, match="coercions="):
        HasFoo.loads(b'{"foo":1}')


def german(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y").replace(tzinfo=UTC)


class Dated(Record, date_parser=german):
    at: Optional[datetime]  # noqa: UP045
    more: list[datetime] = []
    named: dict[str, datetime] = {}
    note: str = ""


def test_a_date_parser_reads_what_is_not_iso() -> None:
    raw = b'{"at":"24.12.2026","more":["25.12.2026"],"named":{"a":"26.12.2026"},"note":"1.1.2026"}'
    record = Dated.loads(raw)
    assert record.at == datetime(2026, 12, 24, tzinfo=UTC)
    assert record.more == [datetime(2026, 12, 25, tzinfo=UTC)]
    assert record.named == {"a": datetime(2026, 12, 26, tzinfo=UTC)}
    assert record.note == "1.1.2026"


def test_a_date_parser_leaves_iso_dates_and_null_alone() -> None:
    assert Dated.loads(b'{"at":"2026-12-24T00:00:00Z"}').at == datetime(2026, 12, 24, tzinfo=UTC)
    assert Dated.loads(b'{"at":null,"more":["25.12.2026"]}').at is None


def test_a_date_that_no_parser_reads_is_an_error() -> None:
    with pytest.raises(DecodeError, match="no Dated"):
        Dated.loads(b'{"at":"tomorrow"}')


def test_dates_are_converted_always() -> None:
    class Seen(Record):
        at: datetime
        all: set[datetime]

    at = datetime(2026, 1, 1, 12, 30)  # noqa: DTZ001 - naive ones are written too
    assert Seen.loads(Seen(at, {at}).dumps()) == Seen(at, {at})


def test_generic_records_decode_into_their_parameter() -> None:
    page = msgspec.json.decode(b'{"items":[{"x":1}]}', type=Page[Point])
    assert page.items == [Point(1)]


def test_dataclasses_nest_in_records() -> None:
    @dataclass
    class Inner:
        n: int

    class Outer(Record):
        inner: Inner

    assert Outer.loads(b'{"inner":{"n":1}}') == Outer(Inner(1))


def descriptor(model: Any, name: str) -> Any:
    return getattr(model, name)


def test_a_field_of_the_class_is_a_descriptor() -> None:
    field = descriptor(Account, "active")
    assert isinstance(field, FieldDescriptor)
    assert (field.field, field.model, field.type) == ("active", Account, bool)
    assert (field.required, field.default) == (False, True)
    assert field.ident == "Account.active"
    assert repr(field) == "<FieldDescriptor: Account.active>"


def test_a_required_field_has_no_default() -> None:
    field = descriptor(Account, "id")
    assert field.required
    assert field.default is None


def test_a_default_list_is_a_fresh_one() -> None:
    field = descriptor(User, "friends")
    assert field.default == []
    assert field.default is not field.default


def test_a_descriptor_picks_the_field_out_of_a_record() -> None:
    assert descriptor(Account, "id")(Account("1", "a")) == "1"
    assert descriptor(Account, "id").getattr(Account("1", "a")) == "1"


def test_the_model_is_the_class_that_was_asked() -> None:
    class Special(Account):
        pass

    assert descriptor(Special, "id").model is Special
    assert descriptor(Special, "id") != descriptor(Account, "id")


def test_descriptors_are_equal_and_hashable() -> None:
    field = descriptor(Account, "id")
    assert {field.model: field} == {Account: descriptor(Account, "id")}
    assert len({field, descriptor(Account, "id"), descriptor(Account, "name")}) == 2
    assert field != "id"


def test_a_descriptor_reaches_into_nested_records() -> None:
    field = descriptor(User, "account").id
    assert field.ident == "User.account.id"
    assert field.model is User
    assert field.type is str
    assert field(User(1, Account("a", "b"))) == "a"


def test_a_nested_field_of_none_is_none() -> None:
    assert descriptor(User, "account").id(User(1, None)) is None


def test_a_descriptor_reaches_into_generic_records() -> None:
    class Holder(Record):
        page: Page[int]

    assert Holder.page.items(Holder(Page([1]))) == [1]  # type: ignore[operator]


def test_a_descriptor_has_no_other_fields() -> None:
    with pytest.raises(AttributeError, match=r"User.account has no field 'nothing'"):
        descriptor(User, "account").nothing  # noqa: B018
    with pytest.raises(AttributeError):
        descriptor(User, "id").anything  # noqa: B018


def test_methods_and_constants_of_the_class_are_themselves() -> None:
    assert callable(Account.loads)
    assert Account.__name__ == "Account"


accounts = st.builds(Account, id=st.text(), name=st.text(), active=st.booleans())


@given(
    st.builds(
        User,
        id=st.integers(),
        account=st.none() | accounts,
        friends=st.lists(st.builds(User, id=st.integers(), account=st.none())),
    ),
    st.sampled_from(["json", "json|binary"]),
)
def test_reading_what_was_written_is_the_identity(user: User, serializer: str) -> None:
    assert User.loads(user.dumps(serializer=serializer), serializer=serializer) == user
    assert User.from_data(user.to_representation()) == user
