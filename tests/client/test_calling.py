"""Calling, driven by hand: a list of answers, no sockets, no clock."""

from __future__ import annotations

import gc

import pytest

from pyronb.client.calling import call, check, deliver_notes, invoke, ping
from pyronb.client.connecting import connect
from pyronb.client.effects import Abandon, Dial, HangUp, Reply, Send
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    MessageTooLargeError,
    ProtocolError,
    SerializeError,
    TimeoutError,
)
from pyronb.options import WireOptions
from pyronb.rpc.call import DAEMON_ID, Call, Raised, Returned
from pyronb.wire.connection import CLOSED
from pyronb.wire.events import Broken, Pinged, Replied
from pyronb.wire.message import PING, Message
from tests.support.byhand import HERE, ByHand, Desk, connected, echo, link_to, reply


def test_call():
    """The arguments go there, the value comes back."""
    desk = Desk(echo)
    link = connected(desk)

    assert Returned([1, 2]) == desk.run(invoke(link, Call("", "add", (1, 2), {})))
    assert ["Send", "Reply"] == desk.kinds
    assert ("obj", "add") == (desk.calls[0].object_id, desk.calls[0].method)


def test_call_connects_first():
    """An unconnected link connects when it is used."""
    desk, link = Desk(echo), link_to()

    assert Returned([1]) == desk.run(invoke(link, Call("", "add", (1,), {})))
    assert 1 == len(desk.asked(Dial))


def test_oneway():
    """A method that the daemon told to be oneway is not waited for, also when that is only just known."""
    desk, link = Desk(echo), link_to()

    assert Returned(None) == desk.run(invoke(link, Call("", "fire", (1,), {})))
    assert 1 == len(desk.asked(Reply))
    assert desk.calls[0].oneway


def test_timeout_is_per_call():
    """The deadline is counted from each call."""
    desk = Desk(echo)
    link = connected(desk, timeout=2.5)
    desk.run(invoke(link, Call("", "add", (), {})))

    assert ["After", "Send", "Reply"] == desk.kinds
    assert [2.5, 2.5] == [desk.asked(Send)[0].deadline, desk.asked(Reply)[0].deadline]


def test_remote_error_leaves_the_connection():
    """An exception over there is an outcome like another."""
    desk = Desk(lambda _: Raised(ValueError("no")))
    link = connected(desk)
    outcome = desk.run(invoke(link, Call("", "add", (), {})))

    assert isinstance(outcome.error, ValueError)
    assert link.connected


def test_unserializable_argument():
    """It is named with the method; nothing was sent, and the connection stays."""
    desk = Desk(echo)
    link = connected(desk)
    with pytest.raises(SerializeError, match=r"object.* \(while calling 'add' of 'obj' at PYRO:obj@here:4711\)"):
        desk.run(invoke(link, Call("", "add", (object(),), {})))

    assert [] == desk.asked(Send) + desk.asked(HangUp)
    assert link.connected
    assert Returned([1]) == desk.run(invoke(link, Call("", "add", (1,), {})))


def test_message_too_large_to_send():
    """It is named with the method; nothing was sent, and the connection stays."""
    desk = Desk(echo)
    link = connected(desk, wire=WireOptions(max_message_size=1000))
    with pytest.raises(MessageTooLargeError, match=r"MAX_MESSAGE_SIZE is 1000 \(while calling 'add'"):
        desk.run(invoke(link, Call("", "add", ("x" * 2000,), {})))

    assert link.connected


def test_unreadable_reply():
    """It is named with the method; the whole reply was read, so the connection stays."""
    desk = Desk(echo)
    link = connected(desk)
    desk.answers.append((Reply, Replied(Message(5, 1, 0, 1, b"garbage"))))
    with pytest.raises(SerializeError, match=r"not valid serpent.* \(while calling 'add' of 'obj'"):
        desk.run(invoke(link, Call("", "add", (), {})))

    assert link.connected


@pytest.mark.parametrize("effect", [Send, Reply])
@pytest.mark.parametrize("kind", [ConnectionClosedError, TimeoutError, ProtocolError, MessageTooLargeError])
def test_failed_call(effect, kind):
    """The error keeps its class, says what was called where, and what comes next; the reply is abandoned."""
    desk = Desk(echo)
    link = connected(desk)
    connection = link.connection
    desk.answers.append((effect, kind("broke")))
    with pytest.raises(kind) as caught:
        desk.run(invoke(link, Call("", "add", (), {})))

    closed = "; is its program still running? the next call connects again" if kind is ConnectionClosedError else ""
    assert f"broke (while calling 'add' of 'obj' at {HERE}{closed})" == str(caught.value)
    assert isinstance(desk.effects[-1], Abandon)
    assert (effect is Reply, connection) == (desk.effects[-1].sent, desk.effects[-1].connection)
    assert not link.connected


@pytest.mark.parametrize("effect", [Send, Reply])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit, MemoryError])
def test_interrupted_call(effect, interrupt):
    """It abandons the reply that is owed; the interrupt goes on as it is, and the next call connects anew."""
    desk = Desk(echo)
    link = connected(desk, max_retries=3)
    desk.answers.append((effect, interrupt()))
    with pytest.raises(interrupt):
        desk.run(invoke(link, Call("", "add", (), {})))

    assert "Abandon" == desk.kinds[-1]
    assert Returned([1]) == desk.run(invoke(link, Call("", "add", (1,), {})))
    assert 1 == len(desk.asked(Dial))


def test_an_interrupted_call_waits_but_a_moment_for_what_becomes_of_it():
    """A daemon that is asked to stop and says nothing holds nobody up."""
    desk = Desk(echo)
    link = connected(desk)
    assert link.connection.side
    desk.answers.append((Reply, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt) as caught:
        desk.run(invoke(link, Call("", "add", (), {})))

    abandon = desk.effects[-1]
    assert (True, 0.3) == (bool(abandon.farewell), abandon.patience)
    assert "'add' of 'obj' has not stopped over there so far; its result is dropped" == caught.value.pyronb


def test_call_on_a_released_connection():
    """It is a lost connection, and says which call did not go out."""
    link = connected(Desk(echo))
    link.connection = None
    with pytest.raises(ConnectionClosedError, match=r"was released \(while calling 'add' of 'obj' at PYRO:obj@here"):
        ByHand().run(call(link, Call("obj", "add"), None))


@pytest.mark.parametrize("make", [lambda link: invoke(link, Call("", "add")), connect, lambda link: ping(link, None)])
def test_dropped_procedures_are_quiet(make):
    """A procedure that is collected half-way asks for nothing more."""
    desk = Desk(echo)
    procedure = make(connected(desk) if make is not connect else link_to())
    next(procedure)
    procedure.close()
    del procedure
    gc.collect()


def test_call_needs_a_connection():
    """A call over a link whose machine was closed underneath is not sent."""
    link = connected(Desk(echo))
    link.connection.close()

    assert CLOSED == link.connection.state
    assert not link.connected


def test_call_of_a_lower_level():
    """One call over a connected link, with a deadline of the caller's."""
    desk = Desk(echo)
    link = connected(desk)

    assert Returned([1]) == desk.run(call(link, Call("other", "add", (1,), {}), 4.0))
    assert ("other", 4.0) == (desk.calls[0].object_id, desk.asked(Reply)[0].deadline)


def test_raw_reply():
    """The message itself is given, not what is in it."""
    desk = Desk(echo)
    link = connected(desk)
    link.raw = True
    outcome = desk.run(invoke(link, Call("", "add", (1,), {})))

    assert isinstance(outcome, Returned)
    assert b"1" in bytes(outcome.value.payload)


# Retries


@pytest.mark.parametrize("error", [ConnectionClosedError("gone"), TimeoutError("late")])
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries(error, retries):
    """A call is said again after a lost connection or a timeout, as often as was allowed, each time on a new one."""
    desk = Desk(echo)
    link = connected(desk, max_retries=retries)
    failed = []

    def fail_calls(effect):
        if isinstance(effect, Reply) and effect.seq is not None:
            failed.append(effect)
            raise error
        return Desk.grant(desk, effect)

    desk.grant = fail_calls
    with pytest.raises(type(error)):
        desk.run(invoke(link, Call("", "add", (), {})))

    assert retries + 1 == len(failed)
    assert retries + 1 == len(desk.calls)
    assert retries == len(desk.asked(Dial))
    assert retries + 1 == len(desk.asked(Abandon))


def test_retry_that_succeeds():
    """The second attempt's value is the call's."""
    desk = Desk(echo)
    link = connected(desk, max_retries=1)
    desk.answers.append((Reply, ConnectionClosedError("gone")))

    assert Returned([5]) == desk.run(invoke(link, Call("", "add", (5,), {})))
    assert 2 == len(desk.calls)


def test_failed_connecting_counts_as_an_attempt():
    """Retries also cover the connecting before the call."""
    desk, link = Desk(echo, answers=[(Dial, ConnectionClosedError("refused"))]), link_to(max_retries=1)

    assert Returned([]) == desk.run(invoke(link, Call("", "add", (), {})))
    assert 2 == len(desk.asked(Dial))


@pytest.mark.parametrize("error", [ProtocolError("nonsense"), MessageTooLargeError("huge")])
def test_no_retry_of_what_would_fail_again(error):
    """Only a lost connection and a timeout are worth another attempt."""
    desk = Desk(echo)
    link = connected(desk, max_retries=5)
    desk.answers.append((Reply, error))
    with pytest.raises(type(error)):
        desk.run(invoke(link, Call("", "add", (), {})))

    assert 1 == len(desk.calls)


def test_no_retry_of_stream_items():
    """Asking for the next item again would skip one."""
    desk = Desk(echo)
    link = connected(desk, max_retries=5)
    desk.answers.append((Reply, TimeoutError("late")))
    with pytest.raises(TimeoutError):
        desk.run(invoke(link, Call(DAEMON_ID, "get_next_stream_item", ("id",), {})))

    assert 1 == len(desk.calls)


# Notes of dropped streams


def test_notes_are_delivered_with_the_next_call():
    """The daemon learns of streams that nobody iterates, before the call and without an answer."""
    desk = Desk(echo)
    link = connected(desk)
    link.notes += ["one", "two"]
    desk.run(invoke(link, Call("", "add", (), {})))

    assert [] == link.notes
    assert ["close_stream", "close_stream", "add"] == [each.method for each in desk.calls]
    assert {("one",), ("two",)} == {tuple(each.args) for each in desk.calls[:2]}
    assert [True, True, False] == [each.oneway for each in desk.calls]
    assert 1 == len(desk.asked(Reply))


def test_notes_alone():
    """They can be delivered without a call."""
    desk = Desk(echo)
    link = connected(desk)
    link.notes.append("one")
    desk.run(deliver_notes(link))

    assert ["close_stream"] == [each.method for each in desk.calls]


@pytest.mark.parametrize(("error", "left"), [(ConnectionClosedError("gone"), ["one"]), (ProtocolError("large"), [])])
def test_notes_that_are_not_delivered(error, left):
    """The next connection delivers them, for the stream may have outlived this one; what cannot be said is dropped."""
    desk = Desk(echo)
    link = connected(desk)
    link.notes.append("one")
    desk.answers.append((Send, error))
    with pytest.raises(type(error)):
        desk.run(deliver_notes(link))

    assert left == link.notes


# Ping


def test_ping():
    """It is a message of its own kind, with no number of a call used up."""
    desk = Desk(echo)
    link = connected(desk)
    desk.run(ping(link, 5.0))

    assert ["Send", "Reply"] == desk.kinds
    assert 0 == link.sequence
    assert 5.0 == desk.asked(Reply)[0].deadline


@pytest.mark.parametrize("answer", [TimeoutError("late"), ConnectionClosedError("gone"), Replied(reply(1, 5))])
def test_failed_ping(answer):
    """No answer, or another one, closes the connection and says where."""
    desk = Desk(echo)
    link = connected(desk)
    desk.answers.append((Reply, answer))
    with pytest.raises(CommunicationError, match=HERE):
        desk.run(ping(link, None))

    assert not link.connected


# What a driver makes of events


def test_check():
    """A driver waits until the right reply is there, and learns when the peer broke the protocol."""
    one = Replied(reply(1, None))

    assert check(one, 1)
    assert check(one, None)
    assert not check(one, 2)
    assert not check(Pinged(Message(PING, 42, 0, 1, b"")), 1)
    with pytest.raises(ProtocolError, match="nonsense"):
        check(Broken(ProtocolError("nonsense")), 1)
