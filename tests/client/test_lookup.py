"""Finding by name, driven by hand: what name servers are asked, and where one is looked for."""

from __future__ import annotations

import pytest

from pyronb.client.calling import invoke
from pyronb.client.connecting import connect, hang_up
from pyronb.client.effects import After, Broadcast, Choose, Dial, HangUp, Pause, Send
from pyronb.client.lookup import locate, resolve
from pyronb.errors import (
    ConnectionClosedError,
    NamingError,
    ProtocolError,
)
from pyronb.options import ClientOptions, LookupOptions
from pyronb.rpc.call import NAMESERVER_ID, Call, Raised, Returned, StreamOpened
from pyronb.rpc.metadata import Metadata
from pyronb.uri import URI
from tests.support.byhand import HERE, ByHand, Desk, echo, link_to


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


def test_dropped_lookup_is_quiet():
    """The same while a name is looked up."""
    desk = Desk(lambda _: Returned(URI(HERE)), lambda _: Metadata(frozenset({"lookup"})))
    procedure = resolve(URI("PYRONAME:thing@names:9"), ClientOptions(), None)
    effect = next(procedure)
    while not (isinstance(effect, Send) and effect.link.connected):
        effect = procedure.send(desk.grant(effect))
    procedure.close()

    assert not isinstance(effect, HangUp)


# Finding a name server


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
