"""TLS: contexts made of options, sessions, and streams that carry them. (Wire specification, section 24.)

A session is a machine as those of `wire` are: bytes of the network go in, plain bytes and bytes for the network come
out, and it has no socket. A `TLSStream` so waits as every stream does, its handshake happens inside its receiving, and
no decrypted byte is ever left where a selector would not see it.

This module is loaded where TLS is first used (`net/stream.py`), for ``ssl`` takes longer to load than most of pyronb.
"""

from __future__ import annotations

import contextlib
import functools
import ssl
import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, cast

from pyronb.dialects import PYRO5
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, PyroError, TimeoutError
from pyronb.net.deadline import after, remaining
from pyronb.net.stream import SocketStream
from pyronb.options import TLSOptions, WireOptions
from pyronb.rpc.handshake import encode_refusal
from pyronb.serializers.catalog import catalog_for
from pyronb.wire.connection import ServerConnection
from pyronb.wire.layout import PREAMBLE_SIZE, TAG
from pyronb.wire.message import Buffer

__all__ = ["GivenTLSStream", "Session", "TLSStream", "client_context", "connected", "explained", "server_context"]

_RECORDS = range(20, 24)
"""First bytes of what may come over TLS: change of cipher, alert, handshake, data."""
_PIECE = 1 << 20
"""Bytes that are encrypted before the result is sent, so that a large message is not held twice."""
_RECORD = 1 << 14
"""Most bytes of one record."""
_CERTIFICATES = {".pem", ".crt", ".cer"}
_PARTING = 0.1
"""Seconds for telling the peer that nothing more comes."""
_SHORTEST = 0.001
"""Seconds of the shortest time-out of a socket; zero would mean "do not block"."""

_TLS_ONLY = "this daemon talks TLS only; switch it on with SSL (and name its authority in SSL_CACERTS)"

# How OpenSSL numbers what is wrong with a certificate.
_EXPIRED = 10
_OTHER_NAME = {62, 64}
_NOT_TRUSTED = {2, 18, 19, 20, 21}


# Contexts


def client_context(options: TLSOptions) -> ssl.SSLContext:
    """Give the context of a client: it checks the daemon's certificate and name, always.

    The same options give the same context, until one of the files changes.

    Raises:
        PyroError: a file is missing or cannot be used; the message names it and the item of the configuration.
    """
    return _context(options, "CLIENT", _stamps(options))


def server_context(options: TLSOptions) -> ssl.SSLContext:
    """Give the context of a daemon: it shows its certificate, and asks for the client's where the options say so.

    The same options give the same context, until one of the files changes.

    Raises:
        PyroError: there is no certificate, or a file is missing or cannot be used.
    """
    if not options.certificate:
        raise PyroError("a daemon needs a certificate to talk TLS: SSL is on, and SSL_SERVERCERT names no file")
    return _context(options, "SERVER", _stamps(options))


def _stamps(options: TLSOptions) -> tuple[object, ...]:
    """Tell when the files were last changed; a certificate that was renewed is used without a restart."""
    stamps: list[object] = []
    for path in (options.certificate, options.key, options.authorities):
        try:
            status = Path(path).stat() if path else None
        except OSError:
            status = None
        stamps.append(status and (status.st_mtime_ns, status.st_size, status.st_ino))
    return tuple(stamps)


@functools.lru_cache(maxsize=64)
def _context(options: TLSOptions, side: str, stamps: tuple[object, ...]) -> ssl.SSLContext:
    del stamps  # they are there for the cache
    server = side == "SERVER"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH if server else ssl.Purpose.SERVER_AUTH)
    if options.certificate:
        _load_certificate(context, options, side)
    if options.authorities:
        _load_authorities(context, options.authorities)
    if server:
        context.verify_mode = ssl.CERT_REQUIRED if options.require_client else ssl.CERT_NONE
    return context


def _load_certificate(context: ssl.SSLContext, options: TLSOptions, side: str) -> None:
    certificate, key = options.certificate, options.key or options.certificate
    _check_readable(certificate, f"SSL_{side}CERT")
    _check_readable(key, f"SSL_{side}KEY")
    try:
        # A function, for without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, options.key or None, lambda: options.password)
    except (OSError, ValueError) as error:
        raise PyroError(_why_not_loaded(options, side, key, error)) from error


def _why_not_loaded(options: TLSOptions, side: str, key: str, error: Exception) -> str:
    if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
        return f"the key in {key!r} (SSL_{side}KEY) is not that of the certificate in {options.certificate!r}"
    if b"ENCRYPTED" in Path(key).read_bytes():
        item = f"SSL_{side}KEYPASSWD"
        wrong = f"{item} is not its password" if options.password else f"give it in {item}"
        return f"the key in {key!r} (SSL_{side}KEY) is locked with a password; {wrong}"
    return f"no certificate with its key, as PEM, is in {options.certificate!r} (SSL_{side}CERT) and {key!r}: {error}"


def _load_authorities(context: ssl.SSLContext, authorities: str) -> None:
    if Path(authorities).is_dir():
        _load_folder(context, Path(authorities))
        return
    _check_readable(authorities, "SSL_CACERTS")
    try:
        context.load_verify_locations(cafile=authorities)
    except OSError as error:
        raise PyroError(f"no certificates, as PEM, are in {authorities!r} (SSL_CACERTS): {error}") from error


def _load_folder(context: ssl.SSLContext, folder: Path) -> None:
    """Trust the certificates in a folder, under the names that OpenSSL gives them or under any others."""
    context.load_verify_locations(capath=str(folder))
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _CERTIFICATES:
            # There may also be keys.
            with contextlib.suppress(OSError):
                context.load_verify_locations(cafile=str(file))


def _check_readable(path: str, item: str) -> None:
    try:
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PyroError(f"cannot read {path!r} (configuration item {item}): {reason}") from error


# What went wrong


def explained(error: ssl.SSLError, name: str | None) -> CommunicationError:
    """Give the exception of ours that says what an error of TLS means.

    Args:
        error: what OpenSSL found.
        name: the daemon's host as the client knows it; None at the daemon's end.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return CommunicationError(_why_not_trusted(error, name))
    reason = error.reason or str(error)
    ours = name is not None
    alert = reason.partition("_ALERT_")[2]
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return CommunicationError("the client shows no certificate, and SSL_REQUIRECLIENTCERT asks for one")
    if ours and alert in {"CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE"}:
        return CommunicationError("the daemon takes only clients that show a certificate; name ours in SSL_CLIENTCERT")
    if alert == "UNKNOWN_CA" or "CERTIFICATE" in alert:
        said = alert.lower().replace("_", " ")
        if ours:
            return CommunicationError(f"the daemon does not trust our certificate, SSL_CLIENTCERT (it says: {said})")
        return CommunicationError(f"the client does not trust our certificate, SSL_SERVERCERT (it says: {said})")
    return ProtocolError(f"TLS failed: {reason.lower().replace('_', ' ')}")


def _why_not_trusted(error: ssl.SSLCertVerificationError, name: str | None) -> str:
    whose = "the client's certificate" if name is None else "the daemon's certificate"
    why, code = error.verify_message, error.verify_code
    if code == _EXPIRED:
        return f"{whose} has expired; it needs a new one"
    if code in _OTHER_NAME:
        return f"{whose} is not for {name!r}: {why}; use a name that is in the certificate"
    if code in _NOT_TRUSTED:
        return f"{whose} is not trusted here: {why}; name the authority that signed it in SSL_CACERTS"
    return f"{whose} is not accepted: {why}"


# Sessions


class Session:
    """TLS on one connection, without the socket.

    Args:
        context: how to show and check certificates.
        name: the daemon's host, at the client's end; None at the daemon's end.
    """

    __slots__ = ("_clear", "_context", "_first", "_incoming", "_lock", "_name", "_outgoing", "_tls", "ended", "open")

    def __init__(self, context: ssl.SSLContext, name: str | None) -> None:
        self._name = name
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=name is None, server_hostname=name)
        # OpenSSL bears no two threads on one connection, and one may read while another writes.
        self._lock = threading.Lock()
        self._first: bytes | None = b""
        self._clear = b""
        self.open = False
        """Whether the handshake is done."""
        self.ended = False
        """Whether the peer has said that nothing more comes."""

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the network in and give the plain bytes that came with them.

        Raises:
            CommunicationError: the peer cannot be talked to; what `outgoing` gives should still be sent.
        """
        if self._first is not None and data:
            data = self._check_first(data)
        with self._lock:
            self._incoming.write(data)
            try:
                if not self.open:
                    self._tls.do_handshake()
                    self.open = True
                return self._read_all()
            except ssl.SSLWantReadError:
                return b""
            except ssl.SSLError as error:
                raise explained(error, self._name) from error
            except ValueError as error:  # for example when OpenSSL cannot make sense of a name
                raise ProtocolError(f"TLS failed: {error}") from error

    def _read_all(self) -> bytes:
        pieces = []
        try:
            while piece := self._tls.read(_PIECE):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(pieces)

    def _check_first(self, data: bytes) -> bytes:
        """Make sure that the peer talks TLS at all, which its first byte tells."""
        assert self._first is not None
        if not self._first and data[0] in _RECORDS:
            self._first = None
            return data
        self._first += data
        if self._name is not None:
            raise ProtocolError("the daemon does not talk TLS; switch SSL off here, or on over there")
        if TAG.startswith(self._first[: len(TAG)]) and len(self._first) < PREAMBLE_SIZE:
            return b""  # a Pyro client, which the next bytes will tell more about
        if self._first.startswith(TAG):
            self._clear = _refusal(self._first)
        raise ProtocolError(f"the client does not talk TLS (it sent {self._first[:PREAMBLE_SIZE]!r})")

    @property
    def pending(self) -> bool:
        """Whether `outgoing` would give anything."""
        return bool(self._clear) or self._outgoing.pending > 0

    def outgoing(self) -> bytes:
        """Give what is to be sent now; whoever has it must send it before anybody asks again."""
        with self._lock:
            clear, self._clear = self._clear, b""
            return clear or (self._outgoing.read() if self._outgoing.pending else b"")

    def encrypt(self, buffers: Sequence[Buffer]) -> Iterator[bytes]:
        """Give what is to be sent for these buffers, in pieces; each is as what `outgoing` gives.

        Raises:
            ProtocolError: the handshake is not done, or the connection is broken.
        """
        for buffer in buffers:
            view = memoryview(buffer).cast("B")
            for at in range(0, len(view), _RECORD):
                with self._lock:
                    try:
                        self._tls.write(view[at : at + _RECORD])
                    except ssl.SSLError as error:
                        raise ProtocolError(f"TLS failed: {error.reason or error}") from error
                if self._outgoing.pending >= _PIECE:
                    yield self.outgoing()
        if last := self.outgoing():
            yield last

    def finish(self) -> None:
        """Say that nothing more comes, for `outgoing` to give."""
        with self._lock, contextlib.suppress(ssl.SSLError, ValueError):
            if self.open:
                self._tls.unwrap()

    def getpeercert(self) -> dict[str, Any] | None:
        """Give the peer's certificate as a map; None before the handshake, and when it showed none."""
        return self._tls.getpeercert() or None if self.open else None


def _refusal(first: bytes) -> bytes:
    """Give what a client without TLS can read: a CONNECTFAIL in the protocol that it speaks."""
    connection = ServerConnection()
    connection.receive(first)
    connection.next_event()  # learns the protocol
    serializer = catalog_for(connection.dialect or PYRO5, WireOptions(), pyronb_peer=False).by_name("marshal")
    return b"".join(connection.refuse(encode_refusal(serializer, _TLS_ONLY)))


def server_session(options: TLSOptions) -> Session:
    """Begin a session at a daemon's end; raises as `server_context`."""
    return Session(server_context(options), None)


# Streams


class _Encrypted(SocketStream):
    """What both kinds of stream share: there is no short way to the socket."""

    __slots__ = ()

    direct = False

    def exchange(self, message: bytes, limit: float | None) -> bytes:
        """Send a small message and give what arrives next; as for `SocketStream`."""
        self.send([message], None if limit is None else after(limit))
        return self.receive(None if limit is None else after(limit))

    def send_small(self, message: Buffer) -> bool:
        """Send a small message, which mostly takes no waiting; as for `SocketStream`."""
        return self.send_within(_SHORTEST, [message])


class TLSStream(_Encrypted):
    """A stream whose bytes are encrypted on the socket.

    At the daemon's end the handshake happens inside the first receiving; at the client's end `connected` does it.

    Args:
        sock: as for `SocketStream`.
        session: the session.
        stall: as for `SocketStream`.
    """

    __slots__ = ("_pieces", "_plain", "_sending", "_session")

    def __init__(self, sock: Any, session: Session, *, stall: float | None = None) -> None:
        super().__init__(sock, stall=stall)
        self._session = session
        self._plain = b""
        # What `send_within` has to go on with, after what was encrypted already.
        self._pieces: Iterator[Buffer] | None = None
        # Records must leave in the order in which they were made, though one thread may receive while another sends.
        self._sending = threading.Lock()

    def greet(self, deadline: float | None) -> None:
        """Do the client's handshake.

        Raises:
            CommunicationError: the daemon is not trusted, or does not trust us.
            TimeoutError: the deadline passed.
        """
        self._feed(b"", deadline)
        while not self._session.open:
            self._feed(super().receive(deadline), deadline)

    def _feed(self, data: bytes, deadline: float | None = None) -> None:
        try:
            self._plain += self._session.feed(data)
        except CommunicationError:
            # It may still hear why, and did not have to.
            with contextlib.suppress(CommunicationError):
                self._flush(deadline)
            raise
        self._flush(deadline)

    def _flush(self, deadline: float | None) -> None:
        # Where another thread is sending, these leave with what it sends; and so after a record that is unfinished.
        while self._session.pending and not super().unfinished and self._sending.acquire(blocking=False):
            try:
                super().send([self._session.outgoing()], deadline)
            finally:
                self._sending.release()

    @property
    def pending(self) -> bool:
        """Whether bytes were received that `receive` has not given yet, of which no selector tells."""
        return bool(self._plain)

    @property
    def readable(self) -> bool:
        """Whether receiving would not have to wait long; as for `SocketStream`."""
        return bool(self._plain) or self._session.ended or super().readable

    def receive(self, deadline: float | None = None, *, missing: int = 0) -> bytes:
        """Wait for bytes and give all that are there; as for `SocketStream`."""
        while not self._plain:
            if self._session.ended:
                raise ConnectionClosedError("receiving: the peer closed the connection")
            self._feed(super().receive(deadline, missing=missing))
        data, self._plain = self._plain, b""
        return data

    def receive_within(self, seconds: float, *, missing: int = 0) -> bytes | None:
        """Wait a moment, or a little more, for bytes; as for `SocketStream`."""
        until = after(seconds)
        while not (self._plain or self._session.ended):
            # The same time-out each time need not be set each time.
            data = super().receive_within(seconds, missing=missing)
            if data is None:
                return None
            self._feed(data)
            if not self._plain and not remaining(until):
                return None
        return self.receive()

    def send(self, buffers: Sequence[Buffer], deadline: float | None = None) -> None:
        """Send buffers one after the other; as for `SocketStream`."""
        try:
            with self._sending:
                for data in self._session.encrypt(buffers):
                    super().send([data], deadline)
        except ConnectionClosedError:
            self._hear_last_words()
            raise
        self._flush(deadline)

    @property
    def unfinished(self) -> bool:
        """Whether `send_within` has to go on."""
        return self._pieces is not None

    def send_within(self, seconds: float, buffers: Sequence[Buffer] = ()) -> bool:
        """Send buffers for a moment, or go on with what is unsent; as for `SocketStream`."""
        until = after(seconds)
        try:
            with self._sending:
                if buffers or self._pieces is None:
                    # Whoever owns a buffer may write to it before the rest of it is encrypted.
                    kept = [buffer if memoryview(buffer).readonly else bytes(buffer) for buffer in buffers]
                    pieces = self._session.encrypt(kept)
                    self._pieces = pieces if self._pieces is None else chain(self._pieces, pieces)
                all_sent = super().send_within(seconds)
                while all_sent:
                    piece = next(self._pieces, None)
                    if piece is None:
                        self._pieces = None
                        break
                    # When the time is over, what the system takes at once still goes out.
                    all_sent = super().send_within(seconds if remaining(until) else 0, [piece])
        except ConnectionClosedError:
            self._hear_last_words()
            raise
        if all_sent:
            self._flush(None)
        return all_sent

    def _hear_last_words(self) -> None:
        """Raise what the peer said about our certificate before it hung up, if that has arrived."""
        with contextlib.suppress(ConnectionClosedError, TimeoutError):
            self._feed(super().receive(after(_PARTING)))

    def finish_sending(self) -> None:
        """Tell the peer that nothing more comes."""
        self._session.finish()
        with contextlib.suppress(CommunicationError):
            self._flush(after(_PARTING))
        super().finish_sending()

    def getpeercert(self) -> dict[str, Any] | None:
        """Give the peer's certificate as a map, as ``ssl`` makes it; None when it showed none."""
        return self._session.getpeercert()

    def release(self) -> tuple[Any, Any]:
        """Give the connection away; as for `SocketStream`."""
        return super().release()[0], self._session


class GivenTLSStream(_Encrypted):
    """A stream over a TLS socket that somebody else made, as ``ssl`` has them."""

    __slots__ = ()

    socket: ssl.SSLSocket
    _two_limits = False

    def __init__(self, sock: ssl.SSLSocket, *, stall: float | None = None, keep_open: bool = False) -> None:
        super().__init__(cast(ssl.SSLSocket, _Whole(sock)), stall=stall, keep_open=keep_open)

    def _set_limit(self, option: int, limit: float | None) -> None:
        # The system's own time-outs do not reach through OpenSSL.
        del option
        self.socket.settimeout(None if limit is None else max(limit, _SHORTEST))

    def _send_some(self, views: Sequence[memoryview]) -> int:
        return self.socket.send(views[0])

    @property
    def readable(self) -> bool:
        """Only receiving tells: OpenSSL does not let anybody peek."""
        return True

    def getpeercert(self) -> dict[str, Any] | None:
        """Give the peer's certificate as a map, as ``ssl`` makes it; None when it showed none."""
        return self.socket.getpeercert() or None


class _Whole:
    """A TLS socket that gives all that was decrypted on the way, for a selector would not tell of the rest."""

    __slots__ = ("_sock",)

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        data = self._sock.recv(size)
        while data and (more := self._sock.pending()):
            data += self._sock.recv(more)
        return data


def connected(sock: Any, options: TLSOptions, host: str, deadline: float | None) -> TLSStream:
    """Do the client's handshake on a connected socket, and give the stream.

    Raises:
        CommunicationError: the daemon is not trusted, does not trust us, or does not talk TLS.
        TimeoutError: the deadline passed.
        PyroError: the options cannot be used.
    """
    # The number of a network card is no part of the name in a certificate.
    stream = TLSStream(sock, Session(client_context(options), host.partition("%")[0]))
    stream.greet(deadline)
    return stream
