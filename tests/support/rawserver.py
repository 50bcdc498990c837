"""A server that says whatever it is told, and hears whatever comes; a function attends to each of its clients."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

from pyronb.dialects import DIALECTS, PYRO5, Dialect
from pyronb.options import WireOptions
from pyronb.serializers.catalog import Catalog
from pyronb.wire.connection import LAYOUTS
from pyronb.wire.message import CONNECTOK, Message

META = {"methods": ["add"], "oneway": [], "attrs": []}


class RawServer:
    """One connection at the server's end. What it says is in the dialect of what it heard last."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.speak(PYRO5)

    def speak(self, dialect: Dialect) -> None:
        """Go on in this dialect."""
        self.dialect = dialect
        self.layout = LAYOUTS[dialect]
        self.catalog = Catalog(dialect, WireOptions(), pyronb_peer=False)

    def exactly(self, count: int) -> bytes:
        """Read so many bytes; a client that is gone ends the function that attends to it."""
        data = bytearray()
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return bytes(data)

    def hear(self) -> Message:
        """Read one message."""
        preamble = self.exactly(6)
        self.speak(DIALECTS[int.from_bytes(preamble[4:], "big")])
        layout = self.layout
        header = layout.unpack_header(preamble + self.exactly(layout.header_size - len(preamble)))
        annotations = layout.unpack_annotations(memoryview(self.exactly(header.annotations_size)))
        return layout.unpack_message(header, annotations, self.exactly(header.payload_size), None)

    def packed(
        self,
        kind: int,
        payload: bytes,
        seq: int = 0,
        flags: int = 0,
        number: int = 1,
        annotations: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Give the bytes of a message, whose serializer is serpent if nothing else is said."""
        message = Message(kind, number, flags, seq, payload, annotations or {})
        return b"".join(bytes(buffer) for buffer in self.layout.pack(message))

    def say(self, *args: Any, **more: Any) -> None:
        """Send a message, of the arguments of `packed`."""
        self.socket.sendall(self.packed(*args, **more))

    def accept(self, meta: Any = None, **more: Any) -> Message:
        """Hear a greeting, accept it in serpent, and give it; `more` are further keys of the answer."""
        greeting = self.hear()
        payload = repr({"handshake": "hello", "meta": META if meta is None else meta, **more}).encode()
        self.say(CONNECTOK, payload, seq=greeting.seq, flags=self.dialect.metadata_flag)
        return greeting
