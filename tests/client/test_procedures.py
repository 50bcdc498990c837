"""What a client does, driven by hand: a list of answers, no sockets, no clock."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from pyronb.client.calling import call, check, deliver_notes, invoke, ping
from pyronb.client.connecting import adopt, connect, hang_up, reconnect
from pyronb.client.effects import Abandon, After, Broadcast, Choose, Dial, HangUp, Pause, Reply, Send
from pyronb.client.link import Link
from pyronb.client.lookup import locate, resolve
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import (
    CommunicationError,
    ConnectionClosedError,
    MessageTooLargeError,
    NamingError,
    ProtocolError,
    PyroError,
    SecurityError,
    SerializeError,
    TimeoutError,
)
from pyronb.options import ClientOptions, LookupOptions, TLSOptions, WireOptions
from pyronb.rpc.call import DAEMON_ID, NAMESERVER_ID, Call, Raised, Returned, StreamOpened
from pyronb.rpc.metadata import Metadata
from pyronb.uri import URI
from pyronb.version import __version__
from pyronb.wire.connection import CLOSED, OPEN, ClientConnection, OtherDialectError
from pyronb.wire.events import Accepted, Broken, Pinged, Refused, Replied
from pyronb.wire.message import CONNECTFAIL, CONNECTOK, PING, Message
from tests.support.byhand import ByHand, Desk, acceptance, bare, reply

HERE = "PYRO:obj@here:4711"


def link_to(uri=HERE, **options):
    """Give a link with these options."""
    return Link.to(URI(uri), ClientOptions(**options))


def echo(what):
    """Serve a call by giving back its arguments."""
    return Returned(list(what.args))


def connected(desk, **options):
    """Give a link that is connected to the desk's daemon."""
    link = link_to(**options)
    desk.run(connect(link))
    desk.effects.clear()
    return link


# Connecting


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


# Calling


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


def test_interrupted_connecting():
    """An interrupt while greeting hangs up too."""
    desk, link = Desk(echo, answers=[(Reply, KeyboardInterrupt())]), link_to()
    with pytest.raises(KeyboardInterrupt):
        desk.run(connect(link))

    assert "HangUp" == desk.kinds[-1]


@pytest.mark.parametrize("make", [lambda link: invoke(link, Call("", "add")), connect, lambda link: ping(link, None)])
def test_dropped_procedures_are_quiet(make):
    """A procedure that is collected half-way asks for nothing more."""
    desk = Desk(echo)
    procedure = make(connected(desk) if make is not connect else link_to())
    next(procedure)
    procedure.close()
    del procedure
    gc.collect()


def test_dropped_lookup_is_quiet():
    """The same while a name is looked up."""
    desk = Desk(lambda _: Returned(URI(HERE)), lambda _: Metadata(frozenset({"lookup"})))
    procedure = resolve(URI("PYRONAME:thing@names:9"), ClientOptions(), None)
    effect = next(procedure)
    while not (isinstance(effect, Send) and effect.link.connected):
        effect = procedure.send(desk.grant(effect))
    procedure.close()

    assert not isinstance(effect, HangUp)


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


# Names


def names(table, waits=0):
    """Give a desk with a name server, which knows its names after so many questions; and the objects behind them."""
    asked = []

    def serve(what):
        if what.object_id != NAMESERVER_ID:
            return echo(what)
        asked.append(what)
        if what.method == "yplookup" and len(asked) <= waits:
            return Returned({})
        if what.method == "yplookup":
            return Returned({name: str(uri) for name, (uri, tags) in table.items() if tags >= set(what.args[0])})
        (name,) = what.args
        if name not in table or len(asked) <= waits:
            return Raised(NamingError(f"unknown name: {name}"))
        return Returned(URI(table[name][0]))

    desk = Desk(serve, lambda greeting: Metadata(frozenset({"add", "lookup", "yplookup"})))
    desk.asked_names = asked
    return desk


TABLE = {
    "motor": (URI("PYRO:m@there:1"), {"hw", "fast"}),
    "camera": (URI("PYRO:c@there:2"), {"hw"}),
}


def test_resolve_a_direct_address():
    """It is given back, and nothing is asked for."""
    hand = ByHand()

    assert URI(HERE) == hand.run(resolve(URI(HERE), ClientOptions(), None))
    assert [] == hand.effects


def test_resolve_a_name():
    """The name server is asked where the configuration says, and left again."""
    desk = names(TABLE)
    options = ClientOptions(lookup=LookupOptions(host="names", port=77))

    assert URI("PYRO:m@there:1") == desk.run(resolve(URI("PYRONAME:motor"), options, None))
    assert URI("PYRO:Pyro.NameServer@names:77") == desk.asked(Dial)[0].place
    assert "HangUp" == desk.kinds[-1]


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("PYRONAME:motor@other", "PYRO:Pyro.NameServer@other:77"),
        ("PYRONAME:motor@other:5", "PYRO:Pyro.NameServer@other:5"),
        ("PYRONAME:motor@[::1]:5", "PYRO:Pyro.NameServer@[::1]:5"),
        ("PYRONAME:motor@./u:/tmp/names", "PYRO:Pyro.NameServer@./u:/tmp/names"),
    ],
)
def test_name_with_the_place_of_its_name_server(uri, place):
    """What the address says goes before the configuration."""
    desk = names(TABLE)
    desk.run(resolve(URI(uri), ClientOptions(lookup=LookupOptions(host="names", port=77)), None))

    assert URI(place) == desk.asked(Dial)[0].place


def test_call_by_name():
    """The name is looked up, the object is dialled under its direct address, and both are in messages."""
    desk, link = names(TABLE), link_to("PYRONAME:motor")

    assert Returned([1]) == desk.run(invoke(link, Call("", "add", (1,), {})))
    assert ["Pyro.NameServer", "m"] == [effect.place.object for effect in desk.asked(Dial)]
    assert "m" == desk.calls[-1].object_id
    assert "PYRONAME:motor (there:1)" == link.place


def test_name_is_looked_up_at_every_connecting():
    """The object may have moved."""
    table = dict(TABLE)
    desk, link = names(table), link_to("PYRONAME:motor")
    desk.run(connect(link))
    table["motor"] = (URI("PYRO:m2@elsewhere:9"), set())
    desk.run(hang_up(link))
    desk.run(connect(link))

    assert URI("PYRO:m2@elsewhere:9") == link.connected_uri


def test_unknown_name():
    """The name server's own error comes through, and it is left."""
    desk, link = names(TABLE), link_to("PYRONAME:nobody")
    with pytest.raises(
        NamingError, match=r"unknown name: nobody \(while looking up PYRONAME:nobody at PYRO:Pyro.NameServer@"
    ):
        desk.run(connect(link))

    assert "HangUp" == desk.kinds[-1]


@pytest.mark.parametrize("uri", ["PYRONAME:motor", "PYROMETA:fast"])
def test_name_that_appears(uri):
    """With a delay it is asked for again, with pauses; the deadline of connecting grows by the delay."""
    desk = names(TABLE, waits=3)
    granted = desk.grant
    desk.grant = lambda effect: None if isinstance(effect, Pause) else granted(effect)
    link = link_to(uri, connect_timeout=10.0, lookup=LookupOptions(delay=5.0))
    desk.run(connect(link))

    assert 4 == len(desk.asked_names)
    assert [0.2, 0.2, 0.2] == [effect.seconds for effect in desk.asked(Pause)]
    assert 15.0 == desk.asked(After)[0].seconds


@pytest.mark.parametrize(("uri", "text"), [("PYRONAME:motor", "unknown name"), ("PYROMETA:a", "with the tags a ")])
def test_name_that_does_not_appear(uri, text):
    """Waiting ends with the delay, whose last step is a short one."""
    desk = names({})
    granted = desk.grant
    desk.grant = lambda effect: None if isinstance(effect, Pause) else granted(effect)
    with pytest.raises(NamingError, match=text):
        desk.run(connect(link_to(uri, lookup=LookupOptions(delay=0.5))))

    assert 0.5 == pytest.approx(sum(effect.seconds for effect in desk.asked(Pause)))


def test_resolve_tags():
    """Any one of the objects that have all tags; which one is the driver's choice."""
    desk = names(TABLE)
    granted = desk.grant
    desk.grant = lambda effect: effect.below - 1 if isinstance(effect, Choose) else granted(effect)

    # The found ones are in the order of their names.
    assert URI("PYRO:m@there:1") == desk.run(resolve(URI("PYROMETA:hw"), ClientOptions(), None))
    assert [2] == [effect.below for effect in desk.asked(Choose)]


def test_only_one_with_these_tags():
    """There is nothing to choose."""
    desk = names(TABLE)

    assert URI("PYRO:m@there:1") == desk.run(resolve(URI("PYROMETA:hw,fast"), ClientOptions(), None))
    assert [] == desk.asked(Choose)


def test_nobody_with_these_tags():
    """The error names the tags and the name server."""
    desk = names(TABLE)
    with pytest.raises(NamingError, match=r"no object with the tags blue, hw .* PYRO:Pyro.NameServer@localhost:9090"):
        desk.run(resolve(URI("PYROMETA:hw,blue"), ClientOptions(), None))


@pytest.mark.parametrize("uri", ["PYRONAME:motor", "PYROMETA:hw"])
@pytest.mark.parametrize("outcome", [Returned("PYRO"), Returned(None), StreamOpened("id")])
def test_name_server_that_answers_nonsense(uri, outcome):
    """It is a ProtocolError that names the name server."""
    desk = Desk(lambda _: outcome, lambda _: Metadata(frozenset({"lookup", "yplookup"})))
    with pytest.raises(ProtocolError, match=r"name server at PYRO:Pyro.NameServer@localhost:9090 answered a lookup"):
        desk.run(resolve(URI(uri), ClientOptions(), None))

    assert "HangUp" == desk.kinds[-1]


def test_name_server_that_raises():
    """Its error comes through, for names and for tags."""
    desk = Desk(lambda _: Raised(ValueError("broken")), lambda _: Metadata(frozenset({"lookup"})))
    for uri in ("PYRONAME:motor", "PYROMETA:hw"):
        with pytest.raises(ValueError, match="broken"):
            desk.run(resolve(URI(uri), ClientOptions(), None))


@pytest.mark.parametrize(("host", "place"), [("there", "there:9"), ("::1", "[::1]:9"), ("./u:/tmp/ns", "./u:/tmp/ns")])
def test_no_name_server(host, place):
    """The error says where one was looked for and what to do; the cause says why."""
    refused = ConnectionClosedError("cannot connect: refused")
    with pytest.raises(NamingError) as caught:
        ByHand([(Dial, refused)]).run(locate(ClientOptions(), host, 9, None))

    assert f"no name server found at {place}: cannot connect: refused" in str(caught.value)
    assert "pyronb ns" in str(caught.value)
    assert caught.value.__cause__ is refused


def looked_for(options, port=None, announced=None, broadcast=True):
    """Where a name server is looked for when there is none: hosts with ports, and ports of broadcasts."""
    refused = ConnectionClosedError("refused")

    def answer(effect):
        return next(filter(None, map(effect.accept, announced or [])), None)

    hand = ByHand()
    granted = hand.grant

    def grant(effect):
        if isinstance(effect, Dial):
            raise refused
        return answer(effect) if isinstance(effect, Broadcast) else granted(effect)

    hand.grant = grant
    with pytest.raises(NamingError) as caught:
        hand.run(locate(options, None, port, None, broadcast=broadcast))
    assert "Start one with 'pyronb ns'" in str(caught.value)
    if announced is None:
        asked = [effect for effect in hand.effects if isinstance(effect, Broadcast)]
        assert bool(asked) is (", nor by a broadcast" in str(caught.value))
    return [
        effect.place.location if isinstance(effect, Dial) else effect.port
        for effect in hand.effects
        if isinstance(effect, Dial | Broadcast)
    ]


@pytest.mark.parametrize(
    ("host", "places"),
    [
        ("localhost", ["localhost:9090", "127.0.1.1:9090", 9091, "localhost:9090"]),
        ("127.0.0.9", ["127.0.0.9:9090", "127.0.1.1:9090", 9091, "127.0.0.9:9090"]),
        ("127.0.1.1", ["127.0.1.1:9090", 9091, "127.0.1.1:9090"]),
        ("::1", ["[::1]:9090", 9091, "[::1]:9090"]),
        ("./u:/tmp/ns", ["./u:/tmp/ns", 9091, "./u:/tmp/ns"]),
        ("names.example", [9091, "names.example:9090"]),
    ],
)
def test_where_a_name_server_is_looked_for(host, places):
    """Near by where one is expected there, by a broadcast, and then where the options say."""
    options = ClientOptions(lookup=LookupOptions(host=host))

    assert places == looked_for(options)
    assert [place for place in places if place != 9091] == looked_for(options, broadcast=False)


def test_port_of_the_search():
    """A port without a host is that of the broadcast too; the last attempt is made as the options say."""
    assert ["localhost:5", "127.0.1.1:5", 5, "localhost:9090"] == looked_for(ClientOptions(), port=5)


def test_no_broadcast_in_ipv6():
    """There is no such thing."""
    assert 9091 not in looked_for(ClientOptions(ip_version=6))


def test_announced_name_server():
    """It is asked; whatever else comes is dropped."""
    hostile = [
        b"",
        b"\xff\xfe",
        b"PYRO:Pyro.NameServer@" + b"a" * 100 + b":1",
        b"PYRO:another@evil.example:1",
        b"PYRONAME:Pyro.NameServer@evil.example:1",
        b"PYRO:Pyro.NameServer@./u:/tmp/evil",
        b"PYRO:Pyro.NameServer@evil.example:99999",
    ]
    options = ClientOptions(lookup=LookupOptions(host="names.example"))

    assert [9091, "there:7"] == looked_for(options, announced=[*hostile, b"PYRO:Pyro.NameServer@there:7"])
    assert [9091, "names.example:9090"] == looked_for(options, announced=hostile)


def test_name_server_is_asked_in_serpent():
    """Whatever the serializer for other calls is."""
    desk = names(TABLE)
    desk.run(resolve(URI("PYRONAME:motor"), ClientOptions(serializer="json"), None))

    assert 1 == bytes(desk.asked(Send)[0].buffers[0])[7]


# Given sockets


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


def test_raw_reply():
    """The message itself is given, not what is in it."""
    desk = Desk(echo)
    link = connected(desk)
    link.raw = True
    outcome = desk.run(invoke(link, Call("", "add", (1,), {})))

    assert isinstance(outcome, Returned)
    assert b"1" in bytes(outcome.value.payload)


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


def test_call_needs_a_connection():
    """A call over a link whose machine was closed underneath is not sent."""
    link = connected(Desk(echo))
    link.connection.close()

    assert CLOSED == link.connection.state
    assert not link.connected


def test_options_are_where_a_link_starts_from():
    """Timeout, retries and serializer of the options are the link's own to change."""
    link = link_to(timeout=1.0, max_retries=2, serializer="json")
    link.timeout, link.max_retries, link.serializer_name = 5.0, 0, "marshal"
    twin = link.twin()

    assert (5.0, 0, "marshal") == (twin.timeout, twin.max_retries, twin.serializer_name)
    assert (1.0, 2, "json") == (link.options.timeout, link.options.max_retries, link.options.serializer)
    assert replace(link.options) == link.options


def test_machines_are_new_for_each_connection():
    """Bytes of an old connection never reach a new one."""
    desk = Desk(echo)
    link = connected(desk)
    old = link.connection
    desk.run(reconnect(link, 1))

    assert isinstance(link.connection, ClientConnection)
    assert link.connection is not old


def test_call_of_a_lower_level():
    """One call over a connected link, with a deadline of the caller's."""
    desk = Desk(echo)
    link = connected(desk)

    assert Returned([1]) == desk.run(call(link, Call("other", "add", (1,), {}), 4.0))
    assert ("other", 4.0) == (desk.calls[0].object_id, desk.asked(Reply)[0].deadline)


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
