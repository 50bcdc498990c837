"""Connecting, driven by hand: when, for how long, and anew."""

from __future__ import annotations

import pytest

from pyronb.client.calling import invoke
from pyronb.client.connecting import adopt, connect, hang_up, reconnect
from pyronb.client.effects import After, Dial, Pause, Reply, Send
from pyronb.errors import (
    ConnectionClosedError,
)
from pyronb.rpc.call import Call, Raised
from pyronb.rpc.metadata import Metadata
from pyronb.wire.connection import OPEN, ClientConnection
from pyronb.wire.events import Replied
from tests.support.byhand import HERE, ByHand, Desk, connected, echo, link_to, reply


def test_connected_already():
    """Nothing is asked for."""
    desk = Desk(echo)
    link = connected(desk)
    desk.run(connect(link))

    assert [] == desk.effects


def test_one_deadline_for_all_of_connecting():
    """Dialling, sending and receiving share the moment that connect_timeout gives."""
    desk = Desk(echo)
    desk.run(connect(link_to(connect_timeout=3.0)))

    assert {3.0} == {effect.deadline for effect in desk.effects if isinstance(effect, Dial | Send | Reply)}


def test_no_deadline():
    """Without a connect_timeout nothing is limited."""
    desk = Desk(echo)
    desk.run(connect(link_to(connect_timeout=None)))

    assert [] == desk.asked(After)
    assert desk.asked(Dial)[0].deadline is None


def test_interrupted_connecting():
    """An interrupt while greeting hangs up too."""
    desk, link = Desk(echo, answers=[(Reply, KeyboardInterrupt())]), link_to()
    with pytest.raises(KeyboardInterrupt):
        desk.run(connect(link))

    assert "HangUp" == desk.kinds[-1]


def test_sequence_goes_on_over_reconnects():
    """The greeting carries the last number, the next call the one after it (section 7)."""
    desk = Desk(echo)
    link = connected(desk)
    for _ in range(9):
        desk.run(invoke(link, Call("", "add")))
    desk.run(hang_up(link))
    desk.effects.clear()
    desk.run(invoke(link, Call("", "add")))
    numbers = [int.from_bytes(bytes(effect.buffers[0])[10:12], "big") for effect in desk.asked(Send)]

    assert [9, 10] == numbers


def test_replaced_object_forgets_its_methods():
    """Methods that were made from older metadata are made anew."""
    desk = Desk(echo)
    link = connected(desk)
    link.methods["add"] = "made"
    desk.run(hang_up(link))
    desk.run(connect(link))

    assert {"add": "made"} == link.methods

    desk.greet = lambda _: Metadata(frozenset({"add", "more"}))
    desk.run(hang_up(link))
    desk.run(connect(link))

    assert {} == link.methods


def test_machines_are_new_for_each_connection():
    """Bytes of an old connection never reach a new one."""
    desk = Desk(echo)
    link = connected(desk)
    old = link.connection
    desk.run(reconnect(link, 1))

    assert isinstance(link.connection, ClientConnection)
    assert link.connection is not old


# Reconnecting


def test_reconnect():
    """The old connection is closed, and a new one made at once."""
    desk = Desk(echo)
    link = connected(desk)
    desk.run(reconnect(link, 3))

    assert "HangUp" == desk.kinds[0]
    assert [] == desk.asked(Pause)
    assert link.connected


def test_reconnect_pauses_between_attempts():
    """Not before the first, and each time two seconds."""
    refused = (Dial, ConnectionClosedError("refused"))
    desk, link = Desk(echo, answers=[refused, (Pause, None), refused, (Pause, None)]), link_to()
    desk.run(reconnect(link, 5))

    assert [2.0, 2.0] == [effect.seconds for effect in desk.asked(Pause)]
    assert 3 == len(desk.asked(Dial))
    assert link.connected


def test_reconnect_gives_up():
    """After the last attempt its error is the cause."""
    last = ConnectionClosedError("refused again")
    answers = [(Dial, ConnectionClosedError("refused")), (Pause, None), (Dial, last)]
    with pytest.raises(ConnectionClosedError, match=rf"failed to reconnect to {HERE}: refused again") as caught:
        ByHand(answers).run(reconnect(link_to(), 2))

    assert caught.value.__cause__.__cause__ is last
    assert "is the program that serves it running?" in str(caught.value)


# Given sockets


def test_given_socket():
    """There is no handshake: the first message asks for the metadata (section 28)."""
    told = Replied(reply(1, {"methods": ["add"], "oneway": [], "attrs": []}))
    hand, link = ByHand([(Reply, told)]), link_to("PYRO:obj@<<connected-socket>>:0")
    hand.run(adopt(link, 5.0))

    assert ["Send", "Reply"] == hand.kinds
    assert b"('Pyro.Daemon','get_metadata',('obj',),{})" in bytes(hand.asked(Send)[0].buffers[0]).replace(b" ", b"")
    assert {"add"} == link.metadata.methods
    assert OPEN == link.connection.state


def test_given_socket_is_not_dialled_again():
    """Once it is released, there is no way back to the object."""
    link = link_to("PYRO:obj@<<connected-socket>>:0")
    link.given_socket = True
    for procedure in (connect(link), reconnect(link, 1_000_000)):
        hand = ByHand()
        with pytest.raises(ConnectionClosedError, match="given"):
            hand.run(procedure)

        assert [] == hand.asked(Dial) + hand.asked(Pause)


def test_metadata_that_a_given_socket_does_not_give():
    """An error over there is raised here."""
    raised = Desk(echo).codec.encode_outcome(Raised(ValueError("unknown object")), reply(1, None))
    hand = ByHand([(Reply, Replied(raised))])
    with pytest.raises(ValueError, match="unknown object"):
        hand.run(adopt(link_to(), None))
