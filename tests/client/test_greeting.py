"""Greeting, driven by hand: what a client says first, what it makes of the answer, and in which dialect."""

from __future__ import annotations

import pytest

from pyronb.client.calling import invoke
from pyronb.client.connecting import connect, hang_up
from pyronb.client.effects import Dial, HangUp, Reply, Send
from pyronb.client.link import Link
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    MessageTooLargeError,
    ProtocolError,
    PyroError,
    SecurityError,
    TimeoutError,
)
from pyronb.options import ClientOptions, TLSOptions
from pyronb.rpc.call import Call, Returned
from pyronb.rpc.metadata import Metadata
from pyronb.uri import URI
from pyronb.version import __version__
from pyronb.wire.connection import OtherDialectError
from pyronb.wire.events import Accepted, Pinged, Refused, Replied
from pyronb.wire.message import CONNECTFAIL, CONNECTOK, PING, Message
from tests.support.byhand import HERE, ByHand, Desk, acceptance, bare, connected, echo, link_to, reply


def test_connect():
    """Dialling, greeting, and what the answer told is on the link."""
    desk, link = Desk(echo), link_to()
    link.handshake = {"user": "me"}
    desk.run(connect(link))

    assert ["HangUp", "After", "Dial", "Send", "Reply"] == desk.kinds
    assert URI(HERE) == desk.asked(Dial)[0].place
    assert ("obj", {"user": "me"}) == (desk.greetings[0].object_id, desk.greetings[0].handshake)
    assert link.connected
    assert ({"add", "fire"}, {"fire"}) == (link.metadata.methods, link.metadata.oneway)
    assert ("welcome", f"pyronb {__version__}") == (link.handshake_answer, link.peer)


def test_what_all_clients_are_told_is_read_once():
    """Links share what the same bytes told."""
    first, second = connected(Desk(echo)), connected(Desk(echo))
    other = connected(Desk(echo, lambda _: Metadata(frozenset({"add"}))))

    assert first.metadata is second.metadata
    assert {"add"} == other.metadata.methods


def test_an_answer_that_is_no_text_is_read_anew_for_each():
    """Two links must not share a list."""
    lists = []
    for _ in range(2):
        link = link_to()
        ByHand([(Dial, None), (Reply, Accepted(acceptance(handshake=["a"])))]).run(connect(link))
        lists.append(link.handshake_answer)

    assert ["a"] == lists[0] == lists[1]
    assert lists[0] is not lists[1]


def test_real_peer():
    """One that says nothing of pyronb is shown by its family."""
    hand, link = ByHand([(Dial, None), (Reply, Accepted(acceptance()))]), link_to()
    hand.run(connect(link))

    assert "Pyro5" == link.peer
    assert {"add"} == link.metadata.methods


def test_refusal():
    """The daemon's reason is in the error, with the address; the link hangs up."""

    def refuse(greeting):
        raise ValueError("not you")

    desk, link = Desk(echo, refuse), link_to()
    with pytest.raises(CommunicationError, match=r"connection to PYRO:obj@here:4711 rejected: not you"):
        desk.run(connect(link))

    assert isinstance(desk.effects[-1], HangUp)
    assert not link.connected


@pytest.mark.parametrize(
    ("payload", "number", "text"),
    [
        (
            bytes.fromhex("fa1c696e76616c69642070726f746f636f6c2076657273696f6e3a203438"),
            2,
            "invalid protocol version: 48",
        ),
        (b"\xff\xff\xff", 1, "rejected"),
        (b"plain words", 99, "plain words"),
        (b"# serpent utf-8 python3.2\n{'__class__':'__main__.X'}", 1, "rejected"),
    ],
)
def test_refusal_in_any_form(payload, number, text):
    """The reason is told as well as it can be read (section 8.3)."""
    refused = Refused(Message(CONNECTFAIL, number, 0, 0, payload))
    with pytest.raises(CommunicationError, match=text) as caught:
        ByHand([(Dial, None), (Reply, refused)]).run(connect(link_to()))

    assert HERE in str(caught.value)


@pytest.mark.parametrize("number", [4, 5, 7, *PYRO5.own_serializers.values()])
@pytest.mark.parametrize("dialect", [PYRO5, PYRO4], ids=["502", "48"])
def test_a_greeting_answered_with_a_pickle(number, dialect, tmp_path):
    """It is not read, be it a refusal or an acceptance: nobody asked for it."""
    payload = f"cos\nmkdir\n(V{tmp_path / 'sprung'}\ntR.".encode()
    for event in (
        Refused(Message(CONNECTFAIL, number, 0, 0, payload)),
        Accepted(Message(CONNECTOK, number, 0, 0, payload)),
    ):
        link = link_to()
        link.dialect = dialect
        with pytest.raises(CommunicationError, match=HERE):
            ByHand([(Dial, None), (Reply, event)]).run(connect(link))

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("tls", "hint"), [(None, "if it talks TLS, switch SSL on"), (TLSOptions(), "it may want a certificate")]
)
def test_daemon_that_hangs_up(tls, hint):
    """One that was greeted and says nothing probably expected something else."""
    error = ConnectionClosedError("receiving: the peer closed the connection")
    hand, link = ByHand([(Dial, None), (Reply, error)]), link_to(tls=tls)
    with pytest.raises(ConnectionClosedError, match=f"{error}; {hint}.*while connecting to {HERE}"):
        hand.run(connect(link))


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("receiving: no answer in time"),
        ProtocolError("invalid protocol version: 48; that is Pyro4"),
        MessageTooLargeError("message too large"),
        SecurityError("message hmac mismatch"),
    ],
)
def test_failed_greeting(error):
    """An error of the greeting keeps its class, says where, and hangs up."""
    hand, link = ByHand([(Dial, None), (Reply, error)]), link_to()
    with pytest.raises(type(error)) as caught:
        hand.run(connect(link))

    limit = "; CONNECT_TIMEOUT and COMMTIMEOUT allow 10 s" if isinstance(error, TimeoutError) else ""
    assert f"{error} (while connecting to {HERE}{limit})" == str(caught.value)
    assert type(error) is type(caught.value)
    assert caught.value.__cause__ is error
    assert isinstance(hand.effects[-1], HangUp)


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Accepted(bare(2, "just hello")), "should be a map"),
        (Accepted(Message(2, 1, 0, 0, b"\xff")), "not valid serpent"),
        (Accepted(Message(2, 77, 0, 0, b"")), "no serializer with number 77"),
        (Accepted(bare(2, {"meta": {"methods": 5}})), "collections of names"),
        (Pinged(Message(PING, 42, 0, 0, b"")), "did not answer the greeting"),
    ],
)
def test_strange_acceptance(event, text):
    """An answer that makes no sense is a ProtocolError with the address; the link hangs up."""
    hand, link = ByHand([(Dial, None), (Reply, event)]), link_to()
    with pytest.raises(ProtocolError, match=text) as caught:
        hand.run(connect(link))

    assert HERE in str(caught.value)
    assert isinstance(hand.effects[-1], HangUp)


def test_nobody_there():
    """What dialling raised comes through, and there is nothing to hang up."""
    hand, link = ByHand([(Dial, ConnectionClosedError("cannot connect"))]), link_to()
    with pytest.raises(ConnectionClosedError, match="cannot connect"):
        hand.run(connect(link))

    assert ["HangUp", "After", "Dial"] == hand.kinds
    assert not link.connected


def test_object_without_members():
    """An object that exposes nothing is an error that says what to do."""
    desk, link = Desk(echo, lambda _: Metadata(attributes=frozenset())), link_to()
    desk.serve = lambda _: Returned({"methods": [], "oneway": [], "attrs": []})
    with pytest.raises(PyroError, match=r"PYRO:obj@here:4711 doesn't expose any .* @expose"):
        desk.run(connect(link))

    assert not link.connected


def test_metadata_that_has_to_be_asked_for():
    """A daemon that tells none in the handshake is asked (section 27)."""

    def answer(effect):
        effect.link.connection.open()
        return Accepted(bare(2, {"handshake": "hello", "meta": {}}))

    told = Replied(reply(1, {"methods": ["add"], "oneway": [], "attrs": []}))
    hand, link = ByHand([(Dial, None), (Reply, answer), (Reply, told)]), link_to()
    hand.run(connect(link))

    assert {"add"} == link.metadata.methods
    assert b"('Pyro.Daemon','get_metadata',('obj',),{})" in bytes(hand.asked(Send)[1].buffers[0]).replace(b" ", b"")


def test_without_metadata():
    """It is neither asked for nor kept; the object's own id is known all the same."""
    desk = Desk(echo)
    link = connected(desk, metadata=False)

    assert link.metadata is None
    assert Returned([5]) == desk.run(invoke(link, Call("", "anything", (5,), {})))
    assert "obj" == desk.calls[-1].object_id


def test_daemon_that_knows_no_metadata():
    """The error says what to do, and the link hangs up."""

    def answer(effect):
        effect.link.connection.open()
        return Accepted(bare(2, {"handshake": "hello", "meta": {}}))

    unknown = AttributeError("'DaemonObject' object has no attribute 'get_metadata'")
    hand = ByHand([(Dial, None), (Reply, answer), (Reply, Replied(bare(5, unknown, 1, flags=PYRO5.exception)))])
    link = link_to()
    with pytest.raises(PyroError, match=r"get_metadata'\. .*set METADATA to False") as caught:
        hand.run(connect(link))

    assert isinstance(caught.value.__cause__, AttributeError)
    assert not link.connected


def test_owner_has_a_say():
    """A proxy of a class of its own hears the answer to the greeting, and may refuse it."""

    class Owner:
        def __init__(self):
            self.heard = []

        def _pyroAnnotations(self):
            return {"OWNA": b"own"}

        def _pyroValidateHandshake(self, response):
            self.heard.append(response)
            if len(self.heard) > 1:
                raise SecurityError("not twice")

        def _pyroResponseAnnotations(self, annotations, msgtype):
            raise AssertionError("there are none")

    desk, link = Desk(echo), link_to()
    link.owner = Owner()
    desk.run(connect(link, annotations={"CALL": b"call"}))
    desk.run(hang_up(link))
    with pytest.raises(SecurityError, match="not twice"):
        desk.run(connect(link))

    assert ["welcome", "welcome"] == link.owner.heard
    assert not link.connected
    sent = b"".join(bytes(buffer) for buffer in desk.asked(Send)[0].buffers)
    assert b"OWNA" in sent
    assert b"CALL" in sent


# Detection of the dialect (wire specification, section 25)


def accepted_by_pyro4():
    """What a real Pyro4 daemon answers to a greeting in its own dialect."""
    payload = b"# serpent utf-8 python3.2\n{'handshake':'hello','meta':{'methods':['add'],'oneway':[],'attrs':[]}}"
    return Accepted(Message(CONNECTOK, 1, PYRO4.metadata_flag, 0, payload))


def test_peer_of_the_other_dialect_is_greeted_again():
    """The second greeting is in the peer's dialect, on a new connection, and the link stays with it."""
    other = OtherDialectError(PYRO4, PYRO5)
    link = Link.to(URI("PYRO:obj@lab-of-pyro4:4711"), ClientOptions())
    hand = ByHand([(Dial, None), (Reply, other), (Dial, None), (Reply, accepted_by_pyro4())])
    hand.run(connect(link))

    assert link.dialect is PYRO4
    assert link.peer == "Pyro4"
    assert {"add"} == link.metadata.methods
    sent = [effect.buffers[0][4:6] for effect in hand.effects if isinstance(effect, Send)]
    assert [b"\x01\xf6", b"\x00\x30"] == sent


def test_the_dialect_of_a_place_is_remembered():
    """Another link to the same daemon begins in its dialect."""
    place = URI("PYRO:obj@other-lab-of-pyro4:4711")
    first, second = (Link.to(place, ClientOptions()) for _ in range(2))
    other = OtherDialectError(PYRO4, PYRO5)
    ByHand([(Dial, None), (Reply, other), (Dial, None), (Reply, accepted_by_pyro4())]).run(connect(first))
    hand = ByHand([(Dial, None), (Reply, accepted_by_pyro4())])
    hand.run(connect(second))

    assert [b"\x00\x30"] == [effect.buffers[0][4:6] for effect in hand.effects if isinstance(effect, Send)]


def test_a_peer_that_changes_its_mind_is_given_up():
    """Two dialects are tried, no more."""
    link = Link.to(URI("PYRO:obj@fickle:4711"), ClientOptions())
    answers = [(Dial, None), (Reply, OtherDialectError(PYRO4, PYRO5)), (Dial, None)]
    hand = ByHand([*answers, (Reply, OtherDialectError(PYRO5, PYRO4))])
    with pytest.raises(ProtocolError, match="invalid protocol version: 502"):
        hand.run(connect(link))

    assert isinstance(hand.effects[-1], HangUp)


def test_a_key_is_never_left_out():
    """A peer that knows no signatures is refused rather than called without."""
    link = Link.to(URI("PYRO:obj@unsigned:4711"), ClientOptions())
    link.key = b"secret"
    hand = ByHand([(Dial, None), (Reply, OtherDialectError(PYRO5, PYRO4)), (Dial, None)])
    with pytest.raises(SecurityError, match="no signed messages"):
        hand.run(connect(link))
