"""Any chunking gives the same events: both machines, both dialects, signed or not, by the long way and the short ones.

A conversation is said as one piece, in pieces of any sizes, with the short-cut for bare messages before the machine as
the engines have it, and with large messages received into their own memory. What comes out must be the same.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import ProtocolError, SecurityError
from pyronb.wire.bare import bare_head
from pyronb.wire.connection import LAYOUTS, ClientConnection, ServerConnection
from pyronb.wire.events import Broken, Greeted
from pyronb.wire.message import CONNECT, CONNECTOK, INVOKE, PING, RESULT, Message
from tests.support.pair import joined
from tests.wire.test_pyro5 import NAMES

DIALECTS = {"502": PYRO5, "48": PYRO4}
HEADS = {bare_head(kind, number): (kind, number) for kind in (INVOKE, RESULT) for number in range(8)}
LIMIT = 600_000


class Everything(set):
    """A set of all numbers."""

    def __contains__(self, number):
        return True


class Listener:
    """A machine in mid-conversation that hears chunks in one of several ways, and notes the events."""

    def __init__(self, *, server, dialect, key=None):
        self.dialect = dialect
        self.machine = (
            ServerConnection(max_message_size=LIMIT, key=key)
            if server
            else ClientConnection(dialect, max_message_size=LIMIT, key=key)
        )
        if not server:
            self.machine.open()
            self.machine.calls_made = Everything()
        self.heard = []

    def note(self):
        while (event := self.machine.next_event()) is not None:
            if isinstance(event, Broken):
                assert isinstance(event.error, ProtocolError | SecurityError)
                self.heard.append((str(event.error), event.answerable))
                continue
            message = event.message
            annotations = {name: bytes(value) for name, value in message.annotations.items()}
            head = (message.type, message.serializer_id, message.flags, message.seq)
            self.heard.append((*head, bytes(message.payload), annotations, message.correlation_id))
            if isinstance(event, Greeted):
                self.machine.accept(Message(CONNECTOK, 1, 0, 0, b"welcome"))

    def plainly(self, chunk):
        """Take a chunk as it comes."""
        self.machine.receive(chunk)
        self.note()

    def by_short_cut(self, chunk):
        """Try whether it is a bare message first, as engines and proxies do."""
        bare = self.machine.take_bare(chunk)
        if bare is None or bare[0] not in HEADS:
            self.plainly(chunk)
            return
        kind, number = HEADS[bare[0]]
        self.heard.append((kind, number, 0, bare[1], bytes(bare[2]), {}, None))

    def into_place(self, chunk):
        """Put what belongs to a large message where it belongs, as engines and drivers do."""
        while (rest := self.machine.rest) is not None and chunk:
            count = min(len(rest), len(chunk))
            rest[:count] = chunk[:count]
            self.machine.filled(count)
            self.note()
            chunk = chunk[count:]
        if chunk:
            self.plainly(chunk)


@st.composite
def conversations(draw):
    """Give a dialect, a key and the bytes of what one end says, mostly well."""
    server = draw(st.booleans())
    name = draw(st.sampled_from(sorted(DIALECTS)))
    dialect = DIALECTS[name]
    key = draw(st.sampled_from([None, b"secret"])) if dialect is PYRO4 else None
    layout = LAYOUTS[dialect]
    sizes = st.sampled_from([0, 1, 20, 20, 20, 5_000, 33_000, 130_000, 140_000, 400_000])
    said = [(b"", Message(CONNECT, 1, 0, 0, b"greeting"))] if server else []
    for _ in range(draw(st.integers(0, 6))):
        message = Message(
            draw(st.sampled_from([INVOKE, INVOKE, INVOKE, PING] if server else [RESULT, RESULT, RESULT, PING])),
            draw(st.integers(0, 9)),
            draw(st.sampled_from([0, 0, 0, 1, 2, 4, 8, 0xFF80])),
            draw(st.integers(0, 0xFFFF)),
            draw(st.binary(min_size=1, max_size=9)) * draw(sizes),
            draw(st.just({}) | st.dictionaries(NAMES.filter(lambda each: each != "HMAC"), st.binary(max_size=30))),
            draw(st.none() | st.binary(min_size=16, max_size=16)),
        )
        said.append((draw(st.just(b"") | st.just(b"") | st.just(b"") | st.binary(max_size=50)), message))
    data = b"".join(foreign + joined(layout.pack(message, key)) for foreign, message in said)
    if draw(st.booleans()) and data:
        changed = bytearray(data)
        changed[draw(st.integers(0, len(data) - 1) | st.integers(0, min(len(data), 100) - 1))] = draw(
            st.integers(0, 255)
        )
        data = bytes(changed)
    return server, dialect, key, data[: draw(st.just(len(data)) | st.integers(0, len(data)))]


def cuts(data, sizes):
    """Cut bytes into chunks of these sizes; the last one goes on."""
    at = 0
    for size in sizes:
        if at < len(data):
            yield data[at : at + size]
        at += size
    step = max(sizes[-1], 5_000)
    yield from (data[at : at + step] for at in range(at, len(data), step))


SIZES = st.lists(st.sampled_from([1, 2, 5, 6, 7, 23, 24, 39, 40, 41, 60, 64, 1_000, 65_536, 200_000]), min_size=1)


@settings(max_examples=250)
@given(conversations(), SIZES)
def test_any_chunking_in_any_way_gives_the_same_events(conversation, sizes):
    """What breaks the protocol included."""
    server, dialect, key, data = conversation
    heard = []
    for way in (Listener.plainly, Listener.by_short_cut, Listener.into_place):
        for chunks in ([data], list(cuts(data, sizes))):
            listener = Listener(server=server, dialect=dialect, key=key)
            for chunk in chunks:
                way(listener, chunk)
            heard.append(listener.heard)

    assert all(each == heard[0] for each in heard[1:])


@settings(max_examples=100)
@given(st.lists(st.integers(0, 8), max_size=12), SIZES, st.data())
def test_bare_messages_cut_at_their_borders_and_elsewhere(numbers, sizes, data):
    """Whether a message comes alone, with its neighbours or in parts, each comes out once and in its turn."""
    said = [Message(RESULT, number, 0, seq, b"x" * data.draw(st.integers(0, 50))) for seq, number in enumerate(numbers)]
    layout = LAYOUTS[PYRO5]
    pieces = [joined(layout.pack(each)) for each in said]
    ways = [pieces, list(cuts(b"".join(pieces), sizes)), [b"".join(pieces)]]
    expected = [(RESULT, each.serializer_id, 0, each.seq, each.payload, {}, None) for each in said]
    for chunks in ways:
        listener = Listener(server=False, dialect=PYRO5)
        for chunk in chunks:
            listener.by_short_cut(chunk)

        assert expected == listener.heard


@settings(max_examples=300)
@given(
    st.sampled_from([PYRO5, PYRO4]),
    st.booleans(),
    st.sampled_from([None, b"secret"]),
    st.lists(st.binary(max_size=200) | st.sampled_from([b"PYRO", b"PYRO\x00\x30", b"PYRO\x01\xf6"]), max_size=8),
)
def test_no_bytes_raise_in_any_way(dialect, server, key, chunks):
    """The machine gives events, and what is wrong is told in a Broken, by one of two errors."""
    for way in (Listener.plainly, Listener.by_short_cut, Listener.into_place):
        listener = Listener(server=server, dialect=dialect, key=key if dialect is PYRO4 else None)
        for chunk in chunks:
            way(listener, chunk)
