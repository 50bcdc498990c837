"""The conformance checklist of the wire specification (section 33), entry by entry, in both dialects.

Each test is named for its entry. Here are the bytes of peers that are nothing but bytes; `tests/interop` holds the same
with real ones.
"""

from __future__ import annotations

import itertools
import marshal
import time
import zlib
from contextlib import ExitStack, contextmanager

import pytest

from pyronb import URI
from pyronb.dialects import DIALECTS, PYRO4, PYRO5
from pyronb.errors import CommunicationError, NamingError, PyroError, RemoteError, SecurityError
from pyronb.options import WireOptions
from pyronb.rpc.call import Raised, Returned, StreamOpened
from pyronb.rpc.codec import Codec
from pyronb.serializers.catalog import Catalog
from pyronb.server.exposure import expose, oneway
from pyronb.sync.batch import batch
from pyronb.sync.proxy import Proxy
from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, PING, RESULT, Message
from pyronb.wire.signing import sign
from tests.support.fix_daemons import answering
from tests.support.rawserver import RawServer
from tests.support.serving import ENGINES, RawClient, Usual, client_options, naming, serving
from tests.support.waiting import deadline, eventually, scaled

pytestmark = pytest.mark.usefixtures("no_leaks")

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")
dialects = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: str(dialect.version))
serializers = pytest.mark.parametrize("serializer", SERIALIZERS)


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    """Give the name of an engine, which daemons have that the test makes."""
    monkeypatch.setattr(Usual, "engine", request.param)
    return request.param


# What a client must do


@contextmanager
def peer(script, dialect=PYRO5, **options):
    """Give a proxy for a server that follows a script."""
    with answering(lambda sock: script(RawServer(sock))) as uri:
        made = client_options(protocol=dialect.version, timeout=scaled(5), **options)
        with Proxy(uri, options=made) as proxy:
            yield proxy


@dialects
@serializers
def test_client_both_headers_both_flag_tables_both_id_tables(dialect, serializer):
    """A greeting and a call carry the numbers that their dialect has for the same things."""
    heard = []

    def script(server):
        heard.append(server.accept({"methods": ["add", "fire"], "oneway": ["fire"], "attrs": []}))
        heard.append(server.hear())
        heard.append(server.hear())
        answer = server.catalog.by_name(serializer).dumps(3)
        server.say(RESULT, answer, heard[2].seq, number=dialect.serializers[serializer])
        heard.append(server.hear())
        answer = server.catalog.by_name(serializer).dumps([3])
        server.say(RESULT, answer, heard[3].seq, 8, number=dialect.serializers[serializer])
        server.hear()

    with peer(script, dialect, serializer=serializer) as proxy:
        proxy.fire()
        assert proxy.add(1, 2) == 3
        calls = batch(proxy)
        calls.add(1, 2)
        assert list(calls()) == [3]

    greeting, fired, called, batched = heard
    assert [greeting.type, fired.type, called.type, batched.type] == [CONNECT, INVOKE, INVOKE, INVOKE]
    assert {each.serializer_id for each in heard} == {dialect.serializers[serializer]}
    assert greeting.flags == (0x10 if dialect is PYRO4 else 0)
    assert [fired.flags, called.flags, batched.flags] == [0x04, 0, 0x08]
    catalog = stock_serializers(dialect)
    parts = catalog.by_name(serializer).loads_call(called.payload)
    assert (parts[0], parts[1], list(parts[2]), dict(parts[3])) == ("obj", "add", [1, 2], {})


def stock_serializers(dialect):
    """Give the serializers of a real peer."""
    return Catalog(dialect, WireOptions(), pyronb_peer=False)


@dialects
@pytest.mark.parametrize("version", range(5))
def test_client_marshal_string_decode_for_connectfail(dialect, version):
    """Whatever it talks in itself, and whichever version of marshal the daemon has."""

    def script(server):
        server.hear()
        server.say(CONNECTFAIL, marshal.dumps("no free workers", version), number=dialect.serializers["marshal"])

    with peer(script, dialect) as proxy, pytest.raises(CommunicationError, match=r"rejected: no free workers"):
        proxy._pyroBind()


@pytest.mark.parametrize(("first", "second"), [(PYRO5, PYRO4), (PYRO4, PYRO5)], ids=["502 then 48", "48 then 502"])
def test_client_detection_and_reconnect(first, second):
    """The refusal in the daemon's own protocol tells which one to greet in."""
    greeted = []

    def script(server):
        greeted.append(server.hear().flags)
        if server.dialect is not second:
            server.speak(second)
            text = marshal.dumps("invalid protocol version")
            server.say(CONNECTFAIL, text, number=second.serializers["marshal"])
            return
        meta = repr({"handshake": "hello", "meta": {"methods": ["add"], "oneway": [], "attrs": []}}).encode()
        server.say(CONNECTOK, meta, flags=second.metadata_flag)
        server.say(RESULT, b"3", server.hear().seq)
        server.hear()

    with peer(script, first) as proxy:
        assert proxy.add(1, 2) == 3
        assert greeted == [first.metadata_flag, second.metadata_flag]
        assert proxy._pyro.dialect is second


@dialects
def test_client_seq_wrap(dialect):
    """After 65535 comes 0; and a greeting has the number of the last request."""
    seqs = []

    def script(server):
        seqs.append(server.accept().seq)
        for _ in range(4):
            seqs.append(server.hear().seq)
            server.say(RESULT, b"3", seqs[-1])
        server.hear()

    with peer(script, dialect) as proxy:
        proxy._pyro.sequence = 0xFFFE
        assert [proxy.add(1, 2) for _ in range(4)] == [3] * 4
    assert seqs == [0xFFFE, 0xFFFF, 0, 1, 2]


@dialects
@pytest.mark.parametrize("names", ["{'add', 'fire'}", "['add', 'fire']", "('add', 'fire')"])
@pytest.mark.parametrize("none", ["()", "[]"])
def test_client_metadata_as_set_list_or_tuple(dialect, names, none):
    """An empty set looks like an empty tuple."""

    def script(server):
        server.hear()
        meta = f"{{'handshake': 'hello', 'meta': {{'methods': {names}, 'oneway': {none}, 'attrs': {none}}}}}"
        server.say(CONNECTOK, meta.encode(), flags=dialect.metadata_flag)
        server.hear()

    with peer(script, dialect) as proxy:
        proxy._pyroBind()
        assert set(proxy._pyroMethods) == {"add", "fire"}
        assert not proxy._pyroOneway
        assert not proxy._pyroAttrs


def error_of(dialect, name="builtins.ValueError"):
    return {"__class__": name, "__exception__": True, "args": ("boom", 7), "attributes": {"_pyroTraceback": ["text\n"]}}


@dialects
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("exception", "stream", "batch"), [*itertools.product([False, True], repeat=3)])
def test_client_exception_stream_batch_and_compressed_in_any_combination(dialect, exception, stream, batch, compressed):
    """What they mean together is what the reading of a real client makes of them; none is taken for a plain value."""
    value = [1, error_of(dialect)] if batch and not exception else error_of(dialect) if exception else [1, 2]
    payload = repr(value).encode()
    flags = (
        dialect.exception * exception
        | dialect.item_stream * stream
        | dialect.batch * batch
        | dialect.compressed * compressed
    )
    codec = Codec(dialect, stock_serializers(dialect), WireOptions())
    annotations = {"STRM": b"0890df90-b947-41f3-971b-85361d0972a8"} if stream else {}
    payload = zlib.compress(payload) if compressed else payload
    if batch and not exception:
        payload = repr([1, {"__class__": dialect.tags["batch-error"], "exception": error_of(dialect)}]).encode()
        payload = zlib.compress(payload) if compressed else payload
    outcome = codec.decode_reply(Message(RESULT, 1, flags, 1, payload, annotations))

    if stream:
        assert isinstance(outcome, StreamOpened)
        assert outcome.stream_id == "0890df90-b947-41f3-971b-85361d0972a8"
    elif exception:
        assert isinstance(outcome, Raised)
        assert (type(outcome.error), outcome.error.args) == (ValueError, ("boom", 7))
        assert outcome.error._pyroTraceback == ["text\n"]
    elif batch:
        first, last = outcome.value
        assert first == 1
        assert (type(last.exception), last.exception.args) == (ValueError, ("boom", 7))
    else:
        assert isinstance(outcome, Returned)
        assert outcome.value == [1, 2]


def test_client_hmac_optional():
    """With a key everything is signed and has to be; without, a signature that comes is refused."""
    heard = []

    def script(server):
        heard.append(signed(server))
        meta = b"{'handshake': 'hello', 'meta': {'methods': ['add'], 'oneway': [], 'attrs': []}}"
        server.say(CONNECTOK, meta, flags=0x10, annotations={"HMAC": sign(b"key", meta, {})})
        seq = signed(server)
        server.say(RESULT, b"3", seq, annotations={"HMAC": sign(b"key", b"3", {})})
        seq = signed(server)
        server.say(RESULT, b"4", seq, annotations={"HMAC": sign(b"other", b"4", {})})
        server.socket.recv(1)

    def signed(server):
        layout = server.layout
        server.speak(PYRO4)
        layout = server.layout
        header = layout.unpack_header(server.exactly(layout.header_size))
        annotations = layout.unpack_annotations(memoryview(server.exactly(header.annotations_size)))
        payload = server.exactly(header.payload_size)
        return layout.unpack_message(header, annotations, payload, b"key").seq

    with peer(script, PYRO4) as proxy:
        proxy._pyroHmacKey = b"key"
        assert proxy.add(1, 2) == 3
        with pytest.raises(SecurityError, match="hmac mismatch"):
            proxy.add(1, 2)


@dialects
def test_client_stream_continues_after_reconnect(dialect):
    """The id is what counts, not the connection."""
    asked = []

    def script(server):
        server.accept()
        while True:
            message = server.hear()
            object_id, method, args, _ = stock_serializers(dialect).by_number(1).loads_call(message.payload)
            if object_id == "obj":
                flags = dialect.exception | dialect.item_stream
                text = repr(error_of(dialect, f"{dialect.errors}.ProtocolError")).encode()
                server.say(RESULT, text, message.seq, flags, annotations={"STRM": b"the-stream"})
                continue
            asked.append((object_id, method, *args))
            if len(asked) < 4:
                server.say(RESULT, str(len(asked)).encode(), message.seq)
            else:
                end = repr(error_of(dialect, "builtins.StopIteration")).encode()
                server.say(RESULT, end, message.seq, dialect.exception)

    with peer(script, dialect) as proxy:
        stream = proxy.add(1)
        assert next(stream) == 1
        proxy._pyroReconnect(tries=1)
        assert list(stream) == [2, 3]
    assert asked == [("Pyro.Daemon", "get_next_stream_item", "the-stream")] * 4


STATES = {
    "Pyro5.core.URI": ("PYRO", "x", None, "localhost", 1234),
    "Pyro4.core.URI": ("PYRO", "x", None, "localhost", 1234),
    "Pyro5.client.Proxy": ("PYRO:x@localhost:1234", (), ("add",), (), "hello", None),
    "Pyro4.core.Proxy": ("PYRO:x@localhost:1234", (), ("add",), (), 0.0, None, "hello", 0, None),
}


@serializers
@pytest.mark.parametrize("tag", STATES)
def test_client_uri_and_proxy_class_dicts_of_both_families(tag, serializer):
    """Each is understood in either dialect, alone and inside of other things."""
    for dialect in DIALECTS.values():
        made = stock_serializers(dialect).by_name(serializer)
        record = {"__class__": tag, "state": STATES[tag]}
        for value in (record, [record]):
            got = made.loads(made.dumps(value))
            got = got[0] if isinstance(got, list) else got
            uri = got if tag.endswith("URI") else got._pyroUri
            assert isinstance(got, URI if tag.endswith("URI") else Proxy)
            assert str(uri) == "PYRO:x@localhost:1234"


@dialects
@pytest.mark.parametrize("name", ["Pyro4.errors.NamingError", "Pyro5.errors.NamingError", "NamingError"])
def test_client_other_family_class_names_mapped(dialect, name):
    """An error of the other family's, passed on by a daemon, is the one of the same name."""

    def script(server):
        server.accept()
        server.say(RESULT, repr(error_of(dialect, name)).encode(), server.hear().seq, dialect.exception)
        server.hear()

    with peer(script, dialect) as proxy, pytest.raises(NamingError) as caught:
        proxy.add(1, 2)
    assert caught.value.args == ("boom", 7)


# What a server must do


class Unheard(Exception):
    """An error that clients do not know."""


@expose
class Thing:
    def __init__(self):
        self.fired = []

    def echo(self, value=None):
        return value

    def fail(self):
        raise Unheard("lost", 3)

    def unspeakable(self):
        error = ValueError("boom")
        error.view = memoryview(b"x")
        raise error

    @oneway
    def fire(self, value=None):
        self.fired.append(value)
        raise ValueError("nobody hears")

    def count(self):
        yield from range(3)

    def _private(self):
        raise AssertionError("this cannot be reached")

    @property
    def level(self):
        return 5


@pytest.fixture
def thing():
    return Thing()


@pytest.fixture
def daemon(engine, thing):
    with serving(stream_linger=scaled(20), wire=WireOptions(max_message_size=1 << 20)) as daemon:
        daemon.register(thing, "thing")
        yield daemon


def test_server_answers_connect_of_both_dialects_on_one_port(daemon):
    """At the same time, and each in its own."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(RawClient(daemon.locationStr, dialect=dialect))
            for dialect in (PYRO5, PYRO4, PYRO5, PYRO4)
        ]
        for client in clients:
            assert client.greet("thing")[0] == CONNECTOK
        for number, client in enumerate(clients):
            assert client.call("thing", "echo", number).value == number


@dialects
@serializers
def test_server_meta_typed_per_dialect_and_serializer(daemon, dialect, serializer):
    """Sets where Pyro5 has sets, lists where Pyro4 has lists, as they are before anything is made of them."""
    with RawClient(daemon.locationStr, serializer, dialect) as client:
        kind, answer = client.greet("thing")
        meta = answer["meta"]
        expected = set if dialect is PYRO5 and serializer in ("serpent", "marshal") else list
        assert kind == CONNECTOK
        assert answer["handshake"] == "hello"
        assert {type(meta[name]) for name in ("methods", "oneway", "attrs")} == {expected}
        assert set(meta["methods"]) == {"echo", "fail", "unspeakable", "fire", "count"}
        assert (list(meta["oneway"]), list(meta["attrs"])) == (["fire"], ["level"])
        described = client.call("Pyro.Daemon", "get_metadata", "thing").value
        assert set(described["methods"]) == set(meta["methods"])


@dialects
@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    ("object_id", "method"),
    [("thing", "fire"), ("thing", "echo"), ("thing", "fail"), ("thing", "_private"), ("nobody", "fire"), ("thing", "")],
)
def test_server_no_reply_for_oneway_ever(daemon, dialect, object_id, method, batch):
    """Whatever becomes of it; the next thing that is said is the answer to the next question."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        args = ((method, (), {}),) if batch else ()
        client.send(client.request(object_id, "<batch>" if batch else method, *args, oneway=True, batch=batch))
        client.send(client.packed(Message(INVOKE, 1, dialect.oneway, 77, b"no call")))
        client.send(client.request("thing", "echo", "after"))
        message = client.message()
        assert message.seq == client.seq
        assert client.codec.decode_reply(message).value == "after"
        client.ping()


@dialects
def test_server_echoes_seq_and_serializer(daemon, dialect):
    """Of each request, on one connection, for values and for errors."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        for seq, serializer in ((0, "serpent"), (0xFFFF, "json"), (5, "marshal"), (5, "msgpack"), (4, "serpent")):
            client.serializer = client.catalog.by_name(serializer)
            for method, flags in (("echo", 0), ("fail", dialect.exception)):
                client.seq = seq - 1
                client.send(client.request("thing", method))
                message = client.message()
                assert (message.type, message.seq) == (RESULT, seq)
                assert message.serializer_id == dialect.serializers[serializer]
                assert message.flags & dialect.exception == flags


@dialects
@serializers
def test_server_exception_fallback(daemon, dialect, serializer):
    """A class that clients do not know, and an error that cannot be written, arrive as errors; nothing is lost."""
    with RawClient(daemon.locationStr, serializer, dialect) as client:
        client.greet("thing")
        unknown = client.call("thing", "fail").error
        assert "Unheard" in str(unknown)
        assert "lost" in str(unknown)
        assert "in fail" in "".join(unknown._pyroTraceback)
        assert type(unknown) in (RemoteError, PyroError)
        unspeakable = client.call("thing", "unspeakable").error
        assert "boom" in str(unspeakable)
        assert client.call("thing", "echo", 1).value == 1


@dialects
def test_server_stream_table_with_linger(daemon, dialect):
    """Another connection may go on with what a lost one began; who knows no id gets nothing."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        opened = client.call("thing", "count")
        assert isinstance(opened, StreamOpened)
        assert client.call("Pyro.Daemon", "get_next_stream_item", opened.stream_id).value == 0
    eventually(lambda: daemon._engine.clients == 0)
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        assert "terminated" in str(client.call("Pyro.Daemon", "get_next_stream_item", "unknown").error)
        rest = [client.call("Pyro.Daemon", "get_next_stream_item", opened.stream_id) for _ in range(3)]
        assert [rest[0].value, rest[1].value] == [1, 2]
        assert isinstance(rest[2].error, StopIteration)
        assert "terminated" in str(client.call("Pyro.Daemon", "get_next_stream_item", opened.stream_id).error)


@dialects
def test_server_ping(daemon, dialect):
    """After the greeting; its serializer number and sequence number come back, its payload is not read."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.send(client.packed(Message(PING, 42, 0, 0, b"ping")))
        assert client.message().type == CONNECTFAIL
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        client.send(client.packed(Message(PING, 42, 0, 9, b"anything")))
        message = client.message()
        assert (message.type, message.serializer_id, message.seq, bytes(message.payload)) == (PING, 42, 9, b"pong")


@dialects
@serializers
def test_server_refuses_private_and_unexposed_names(daemon, dialect, serializer):
    """With the texts that real daemons give, and dotted names are only names."""
    with RawClient(daemon.locationStr, serializer, dialect) as client:
        client.greet("thing")
        for method, text in (
            ("_private", "attempt to access private attribute '_private'"),
            ("__class__", "attempt to access private attribute '__class__'"),
            ("fired", "attempt to access unexposed attribute 'fired'"),
            ("echo.__func__", "echo.__func__"),
        ):
            error = client.call("thing", method).error
            assert isinstance(error, AttributeError), (method, error)
            assert text in str(error)
        assert isinstance(client.call("thing", "__getattr__", "fired").error, AttributeError)
        assert client.call("thing", "__getattr__", "level").value == 5


@dialects
def test_server_caps_the_inflated_size(daemon, dialect):
    """A call that inflates beyond MAX_MESSAGE_SIZE is not read."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        bomb = zlib.compress(b"[" * (1 << 21), 9)
        client.send(client.packed(Message(INVOKE, 1, dialect.compressed, 3, bomb)))
        assert "MAX_MESSAGE_SIZE" in str(client.codec.decode_reply(client.message()).error)
        assert client.call("thing", "echo", 1).value == 1


@dialects
def test_server_handshake_off_the_accept_thread(daemon, dialect):
    """Clients that connect and stay silent keep nobody out."""
    with ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(RawClient(daemon.locationStr))
        began = time.monotonic()
        with RawClient(daemon.locationStr, dialect=dialect) as client:
            assert client.greet("thing")[0] == CONNECTOK
        assert time.monotonic() - began < scaled(5)


@dialects
def test_server_pyro_daemon_object(daemon, dialect):
    """With the methods of both families', over a connection that was made for another object."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        client.greet("thing")
        assert set(client.call("Pyro.Daemon", "registered").value) == {"Pyro.Daemon", "thing"}
        assert client.call("Pyro.Daemon", "ping").value is None
        assert daemon.locationStr in client.call("Pyro.Daemon", "info").value
        assert "unknown object" in str(client.call("Pyro.Daemon", "get_metadata", "nobody").error)
        if dialect is PYRO4:
            meta = client.call("Pyro.Daemon", "get_metadata", "thing", True).value
            assert {type(each) for each in meta.values()} == {list}
        assert "Pyro.Daemon" in client.call("Pyro.Daemon", "info").value
        opened = client.call("thing", "count")
        client.send(client.request("Pyro.Daemon", "close_stream", opened.stream_id, oneway=True))
        limit = deadline(5)
        while not isinstance(client.call("Pyro.Daemon", "get_next_stream_item", opened.stream_id), Raised):
            assert not limit.passed


@dialects
@serializers
def test_server_name_server_result_types_per_dialect(engine, dialect, serializer):
    """Tags are sets for Pyro5 and lists for Pyro4, and each finds its own way of asking for them."""
    collection = set if dialect is PYRO5 and serializer in ("serpent", "marshal") else list
    with naming() as daemon, RawClient(daemon.locationStr, serializer, dialect) as client:

        def ask(method, *args):
            return client.call("Pyro.NameServer", method, *args).value

        client.greet("Pyro.NameServer")
        assert ask("register", "a", "PYRO:a@localhost:1", False, ["x", "y"]) is None
        assert ask("register", "b", "PYRO:b@localhost:2") is None
        assert ask("count") == 3
        assert ask("ping") is None
        assert isinstance(ask("lookup", "a"), URI)
        uri, tags = ask("lookup", "a", True)
        assert isinstance(uri, URI) or serializer == "marshal"
        assert (type(tags), set(tags)) == (collection, {"x", "y"})
        assert ask("list", "a") == {"a": "PYRO:a@localhost:1"}
        if dialect is PYRO5:
            told = ask("list", None, None, True)
            found = ask("yplookup", ["x"])
            assert ask("yplookup", ["x"], None, False) == {"a": "PYRO:a@localhost:1"}
            assert ask("yplookup") == {}
        else:
            told = ask("list", None, None, None, None, True)
            found = ask("list", None, None, ["x"], None, True)
            assert ask("list", None, None, ["x"]) == {"a": "PYRO:a@localhost:1"}
        assert set(told) == {"a", "b", "Pyro.NameServer"}
        uri, tags = told["a"]
        assert (uri, type(tags), set(tags)) == ("PYRO:a@localhost:1", collection, {"x", "y"})
        assert not told["b"][1]
        assert list(found) == ["a"]
        assert ask("remove", "a") == 1
        assert ask("remove", "Pyro.NameServer") == 0
