"""Two connection machines joined in memory: what one says, the other hears, in chunks of any size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyronb.dialects import PYRO5
from pyronb.wire.connection import ClientConnection, ServerConnection
from pyronb.wire.events import Event
from pyronb.wire.message import CONNECT, CONNECTOK, INVOKE, RESULT, Buffer, Message


def joined(buffers: Sequence[Buffer]) -> bytes:
    """Give the bytes of what is to be sent."""
    return b"".join(bytes(buffer) for buffer in buffers)


def pieces(data: bytes, size: int | None = None) -> Iterable[bytes]:
    """Cut bytes into chunks of this size; None gives one chunk."""
    step = size or max(len(data), 1)
    return (data[at : at + step] for at in range(0, len(data), step))


def heard(connection: ClientConnection | ServerConnection, data: bytes, size: int | None = None) -> list[Event]:
    """Feed bytes to a machine, chunk by chunk, and give all events that come out."""
    events: list[Event] = []
    for chunk in pieces(data, size):
        connection.receive(chunk)
        while (event := connection.next_event()) is not None:
            events.append(event)
    return events


class Pair:
    """A client machine and a server machine, joined in memory.

    Args:
        chunk: size of the chunks in which bytes arrive; None lets each message arrive whole.
        max_message_size: the limit of both.
    """

    def __init__(self, *, chunk: int | None = None, max_message_size: int = 0) -> None:
        self.chunk = chunk
        self.client = ClientConnection(PYRO5, max_message_size=max_message_size)
        self.server = ServerConnection(max_message_size=max_message_size)

    def to_server(self, buffers: Sequence[Buffer]) -> list[Event]:
        """Carry what the client says, and give what the server makes of it."""
        return heard(self.server, joined(buffers), self.chunk)

    def to_client(self, buffers: Sequence[Buffer]) -> list[Event]:
        """Carry what the server says, and give what the client makes of it."""
        return heard(self.client, joined(buffers), self.chunk)

    @property
    def states(self) -> tuple[str, str]:
        """Tell the states of client and server."""
        return self.client.state, self.server.state

    def open(self) -> Pair:
        """Greet and accept; both are open then."""
        self.to_server(self.client.greet(message(CONNECT)))
        self.to_client(self.server.accept(message(CONNECTOK)))
        return self


def message(kind: int, seq: int = 0, payload: bytes = b"payload", **fields: object) -> Message:
    """Give a message in serializer 1, without flags."""
    made = Message(kind, 1, 0, seq, payload)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def invoke(seq: int, payload: bytes = b"call") -> Message:
    """Give a request."""
    return message(INVOKE, seq, payload)


def result(seq: int, payload: bytes = b"result") -> Message:
    """Give a reply."""
    return message(RESULT, seq, payload)
