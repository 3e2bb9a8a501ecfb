"""The public names."""

from __future__ import annotations

from types import ModuleType

import streamlab


def test_all_is_sorted_and_complete() -> None:
    public = [name for name, value in vars(streamlab).items() if name[0] != "_" and not isinstance(value, ModuleType)]
    in_order = sorted(public, key=lambda name: (not name.isupper(), name.islower(), name))
    assert in_order == streamlab.__all__


def test_the_modules_of_faust_have_its_names() -> None:
    from streamlab import agents, events, exceptions, joins, streams, types

    assert types.StreamT is streamlab.StreamT is streamlab.Stream
    assert (types.ChannelT, types.TopicT, types.EventT) == (streamlab.Channel, streamlab.Topic, streamlab.Event)
    assert (types.AppT, types.AgentT, types.ModelT) == (streamlab.App, streamlab.Agent, streamlab.Record)
    assert (types.TP, types.Message) == (streamlab.TP, streamlab.Message)
    assert (exceptions.Skip, exceptions.ImproperlyConfigured) == (streamlab.Skip, streamlab.ImproperlyConfigured)
    assert (exceptions.KeyDecodeError, exceptions.ValueDecodeError) == (streamlab.KeyDecodeError, streamlab.ValueDecodeError)
    assert (events.Event, streams.Stream, streams.current_event) == (streamlab.Event, streamlab.Stream, streamlab.current_event)
    assert exceptions.ValidationError is streamlab.InvalidValue
    assert callable(streams.maybe_forward)
    assert agents.current_agent() is None
    assert issubclass(joins.InnerJoin, joins.Join)
