"""The floor: a bare socket. A message is a length, a letter and bytes; nothing is serialized, nothing is checked."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

from tests.bench.peers.base import LOCAL, Connection, Peer

HEADER = struct.Struct(">IB")
ECHO, PUT, GET, ITEMS = b"epgi"
NUMBER = struct.Struct(">Q")


class Raw(Peer):
    """Sockets, and a thread for each connection."""

    name = "raw"
    needs = "socket"

    def serve(self, kind: str) -> Any:
        listener = socket.create_server((LOCAL, 0), backlog=1024)
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        return listener.getsockname()[1]

    def connect(self, address: Any, serializer: str) -> Connection:
        return RawConnection(address)


def accept(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def answer(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = Reader(connection)
    with connection:
        while (message := reader.message()) is not None:
            kind, data = message
            if kind == ECHO:
                # What has arrived together is answered together.
                replies = [HEADER.pack(len(data), ECHO) + data]
                while reader.buffered():
                    _, data = reader.message()
                    replies.append(HEADER.pack(len(data), ECHO) + data)
                connection.sendall(b"".join(replies))
            elif kind == PUT:
                connection.sendall(HEADER.pack(NUMBER.size, PUT) + NUMBER.pack(len(data)))
            elif kind == GET:
                send_large(connection, GET, bytes(NUMBER.unpack(data)[0]))
            else:
                count = NUMBER.unpack(data)[0]
                connection.sendall(b"".join(HEADER.pack(8, ITEMS) + NUMBER.pack(number) for number in range(count)))


def send_large(connection: socket.socket, kind: int, data: bytes) -> None:
    connection.sendall(HEADER.pack(len(data), kind))
    connection.sendall(data)


class Reader:
    """Messages out of a socket; large ones go straight into memory of their own."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.data = b""

    def message(self) -> tuple[int, bytes] | None:
        """Wait for a message; None when the other side has hung up."""
        while len(self.data) < HEADER.size:
            if not (piece := self.connection.recv(65536)):
                return None
            self.data += piece
        size, kind = HEADER.unpack_from(self.data)
        end = HEADER.size + size
        if end <= len(self.data):
            payload, self.data = self.data[HEADER.size : end], self.data[end:]
            return kind, payload
        payload = bytearray(size)
        have = len(self.data) - HEADER.size
        payload[:have] = self.data[HEADER.size :]
        self.data = b""
        rest = memoryview(payload)[have:]
        while rest:
            count = self.connection.recv_into(rest)
            if not count:
                return None
            rest = rest[count:]
        return kind, payload

    def buffered(self) -> bool:
        """Whether a whole message is there already."""
        return len(self.data) >= HEADER.size and len(self.data) >= HEADER.size + HEADER.unpack_from(self.data)[0]


class RawConnection(Connection):
    """One socket; texts and tuples have been made bytes by the workload, for a socket knows nothing else."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((LOCAL, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.socket)

    def ask(self, kind: int, data: bytes) -> bytes:
        self.socket.sendall(HEADER.pack(len(data), kind) + data)
        return self.reader.message()[1]

    def echo(self, value: bytes) -> bytes:
        return self.ask(ECHO, value)

    def put(self, data: bytes) -> int:
        send_large(self.socket, PUT, data)
        return NUMBER.unpack(self.reader.message()[1])[0]

    def get(self, size: int) -> bytes:
        return self.ask(GET, NUMBER.pack(size))

    def items(self, count: int) -> Iterable[int]:
        self.socket.sendall(HEADER.pack(NUMBER.size, ITEMS) + NUMBER.pack(count))
        for _ in range(count):
            yield NUMBER.unpack(self.reader.message()[1])[0]

    def batch(self, values: Sequence[bytes]) -> list[bytes]:
        joined = self.echo(b"".join(values))
        ends = list(accumulate(map(len, values)))
        return [bytes(joined[start:end]) for start, end in zip([0, *ends], ends, strict=False)]

    def outstanding(self, values: Sequence[bytes]) -> list[bytes]:
        sender = threading.Thread(
            target=self.socket.sendall, args=(b"".join(HEADER.pack(len(value), ECHO) + value for value in values),)
        )
        sender.start()
        received = [self.reader.message()[1] for _ in values]
        sender.join()
        return received

    def close(self) -> None:
        self.socket.close()
