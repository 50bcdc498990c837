"""Contexts for TLS, and streams over it."""

from __future__ import annotations

import contextlib
import inspect
import re
import select
import socket
import ssl
import threading

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError, PyroError, TimeoutError
from pyronb.net.deadline import after
from pyronb.net.stream import SocketStream, check_tls, dial, given, server_session, stream_over
from pyronb.net.tls import GivenTLSStream, Session, TLSStream, client_context, server_context
from pyronb.options import TLSOptions
from pyronb.uri import URI
from tests.support.fix_certs import PASSWORD, yesterday
from tests.support.waiting import scaled

pytestmark = pytest.mark.usefixtures("no_leaks")


class Daemon:
    """One accepted client at a time, served in a thread: it echoes, and keeps what went wrong."""

    def __init__(self, tls):
        self.tls = tls
        self.error = None
        self.certificate = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(scaled(10))
        self.uri = URI(f"PYRO:x@127.0.0.1:{self.listener.getsockname()[1]}")
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(TimeoutError):
            sock = self.listener.accept()[0]
        stream = stream_over(sock, server_session(self.tls), stall=scaled(5))
        try:
            while True:
                data = stream.receive(after(scaled(10)))
                self.certificate = stream.getpeercert()
                stream.send([data])
        except CommunicationError as error:
            self.error = error
        finally:
            stream.finish_sending()
            stream.close()

    def end(self):
        self.thread.join(scaled(10))
        self.listener.close()
        assert not self.thread.is_alive()
        return self.error


@contextlib.contextmanager
def echoing(tls):
    """Give a daemon that echoes what one client sends."""
    daemon = Daemon(tls)
    try:
        yield daemon
    finally:
        daemon.end()


def receive(stream, count):
    """Receive so many bytes."""
    data = b""
    while len(data) < count:
        data += stream.receive(after(scaled(10)), missing=count - len(data))
    return data


# Contexts


def test_contexts_are_kept(certificates):
    """The same options give the same context; other ones, another."""
    first = client_context(certificates.client())

    assert first is client_context(certificates.client())
    assert first is not client_context(certificates.client(certificate=certificates.file("client")))
    assert server_context(certificates.daemon()) is server_context(certificates.daemon())


def test_a_renewed_certificate_is_used(certificates):
    """When a file has changed, a new context is made of it."""
    file = certificates.issue("renewed", "localhost")
    first = server_context(TLSOptions(certificate=file))
    certificates.issue("renewed", "localhost", "another.example")

    assert first is not server_context(TLSOptions(certificate=file))


def test_clients_always_check(certificates):
    """The daemon's certificate and its name, whatever the options say."""
    context = client_context(TLSOptions())

    assert (ssl.CERT_REQUIRED, True) == (context.verify_mode, context.check_hostname)


def test_authorities_in_a_folder(certificates, tmp_path):
    """Those in a folder are trusted under any name; what else is there does no harm."""
    assert client_context(TLSOptions(authorities=str(tmp_path)))
    (tmp_path / "ours.crt").write_bytes(certificates.authority.cert_pem.bytes())
    (tmp_path / "key.pem").write_text("no certificate")
    (tmp_path / "notes.txt").write_text("notes")
    with echoing(certificates.daemon()) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=TLSOptions(authorities=str(tmp_path)))
        assert b"x" == stream.exchange(b"x", scaled(10))
        stream.close()


def test_key_with_a_password(certificates):
    """It opens the key."""
    certificate, key = certificates.split("locked", "localhost", password=PASSWORD)

    assert server_context(TLSOptions(certificate=certificate, key=key, password=PASSWORD))


@pytest.mark.parametrize(
    ("password", "says"), [("", "give it in SSL_SERVERKEYPASSWD"), ("wrong", "SSL_SERVERKEYPASSWD is not its password")]
)
def test_locked_key(certificates, password, says):
    """Without its password nobody is asked on a terminal: it is an error that says what to set."""
    certificate, key = certificates.split("locked", "localhost", password=PASSWORD)
    with pytest.raises(PyroError, match=says):
        server_context(TLSOptions(certificate=certificate, key=key, password=password))


def test_files_that_cannot_be_used(certificates, tmp_path):
    """The message names the file and the item of the configuration."""
    other = certificates.split("other", "localhost")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    missing = str(tmp_path / "missing.pem")
    wrong = [
        (TLSOptions(), "SSL_SERVERCERT names no file"),
        (TLSOptions(certificate=missing), rf"cannot read '{missing}' .*SSL_SERVERCERT"),
        (TLSOptions(certificate=other[0], key=missing), rf"cannot read '{missing}' .*SSL_SERVERKEY"),
        (TLSOptions(certificate=str(text)), r"no certificate with its key, as PEM, is in .*SSL_SERVERCERT"),
        (TLSOptions(certificate=certificates.file("client"), key=other[1]), r"is not that of the certificate"),
        (certificates.daemon(authorities=missing), rf"cannot read '{missing}' .*SSL_CACERTS"),
        (certificates.daemon(authorities=str(text)), "no certificates, as PEM, are in .*SSL_CACERTS"),
    ]
    for options, says in wrong:
        with pytest.raises(PyroError, match=says):
            check_tls(options)
    with pytest.raises(PyroError, match="SSL_CLIENTCERT"):
        client_context(TLSOptions(certificate=missing))


# Sessions, in memory


def joined(certificates, **server):
    """Give the two ends of a session, which have said nothing yet."""
    client = Session(client_context(certificates.client()), "localhost")
    return client, Session(server_context(certificates.daemon(**server)), None)


def carried(sender, receiver, size):
    """Carry what one end says to the other, in pieces of this size, and give the plain bytes that come out."""
    data = sender.outgoing()
    return b"".join(receiver.feed(data[at : at + size]) for at in range(0, len(data), size))


@given_any(size=st.sampled_from([1, 2, 3, 5, 17, 1000, 1 << 20]), payload=st.binary(max_size=40_000))
def test_any_chunking(certificates, size, payload):
    """However the bytes are cut, the same comes out, and nothing stays inside."""
    client, server = joined(certificates)
    client.feed(b"")
    while not (client.open and server.open):
        assert b"" == carried(client, server, size) + carried(server, client, size)
    for one, other in ((client, server), (server, client)):
        said = b"".join(one.encrypt([payload, b"end"]))
        heard = b"".join(other.feed(said[at : at + size]) for at in range(0, len(said), size))
        assert payload + b"end" == heard
    client.finish()
    carried(client, server, size)

    assert server.ended


@given_any(noise=st.lists(st.binary(min_size=1, max_size=50), max_size=10))
def test_any_noise(certificates, noise):
    """Strangers cause errors of ours and no others."""
    for session in joined(certificates):
        with contextlib.suppress(CommunicationError):
            for data in noise:
                assert b"" == session.feed(data)


@given_any(at=st.integers(0, 5000), flip=st.integers(1, 255), turn=st.integers(0, 3))
def test_any_broken_handshake(certificates, at, flip, turn):
    """A byte that changes on the way never gets through, and what it causes is an error of ours."""
    client, server = joined(certificates)
    client.feed(b"")
    ends = [client, server] * 2
    with contextlib.suppress(CommunicationError):
        for number, sender in enumerate(ends):
            data = bytearray(sender.outgoing())
            if number == turn and data:
                data[at % len(data)] ^= flip
            receiver = server if sender is client else client
            assert b"" == receiver.feed(bytes(data))


# Streams


def test_bytes_of_any_size(certificates):
    """What is sent arrives, large and small, and nothing is left that a selector would not tell of."""
    large = bytes(range(256)) * 20_000
    with echoing(certificates.daemon()) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client())
        stream.send([b"a", b"", bytearray(b"b"), memoryview(b"c")])
        assert b"abc" == receive(stream, 3)
        # Large messages both ways at once would fill both directions of the network.
        sender = threading.Thread(target=stream.send, args=([large],))
        sender.start()
        assert large == receive(stream, len(large))
        sender.join()
        assert not stream.pending
        assert {"localhost"} == {value for kind, value in stream.getpeercert()["subjectAltName"] if kind == "DNS"}
        stream.close()

    assert daemon.certificate is None


def test_both_show_certificates(certificates):
    """With mutual TLS each end can look at the other's certificate."""
    with echoing(certificates.daemon(require_client=True)) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client(certificate=certificates.file("client")))
        assert b"x" == stream.exchange(b"x", scaled(10))
        stream.close()

    assert (("email", "client@example.org"),) == daemon.certificate["subjectAltName"]


def test_send_small(certificates):
    """It goes out encrypted, as everything does."""
    with echoing(certificates.daemon()) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client())
        sent = stream.send_small(b"small")
        while not sent:
            sent = stream.send_within(0.01)
        assert b"small" == receive(stream, 5)
        stream.close()


def test_sending_more_while_some_is_unsent(certificates):
    """It follows, however little time there is; what leaves at once is not taken for unfinished."""
    large = bytes(range(256)) * 40_000
    with echoing(certificates.daemon()) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client())
        assert stream.send_within(0, [b"a", b"b"])
        assert not stream.unfinished
        assert b"ab" == receive(stream, 2)
        sent = stream.send_within(0, [bytearray(large), b"between"])
        assert not sent
        sent = stream.send_within(0, [b"last"])
        received = []
        reader = threading.Thread(target=lambda: received.append(receive(stream, len(large) + 11)))
        reader.start()
        while not sent:
            sent = stream.send_within(0.001)
        reader.join(scaled(10))
        stream.close()

    assert [large + b"betweenlast"] == received


def test_no_short_way_to_the_socket():
    """All that reads or writes bytes is done in another way over TLS, or is only for streams that say so."""
    touches = re.compile(r"self\.socket\.(send|recv)")
    direct = {"receive_into", "receive_into_within", "exchange_within"}
    ways = {
        name
        for name, function in vars(SocketStream).items()
        if inspect.isfunction(function) and touches.search(inspect.getsource(function))
    }
    inner = {"_send_at_once", "_send_some"}  # are called by others, with what was encrypted

    assert {"receive", "exchange", "send_small"} <= ways
    assert SocketStream.direct
    for kind in (TLSStream, GivenTLSStream):
        assert not kind.direct
    assert [] == [name for name in ways - direct - inner if getattr(TLSStream, name) is getattr(SocketStream, name)]


def test_receive_within(certificates):
    """A moment without bytes gives None, in the middle of the handshake too; the peer's end is told."""
    ours, theirs = socket.socketpair()
    daemon = stream_over(theirs, server_session(certificates.daemon()), stall=scaled(5))
    assert daemon.receive_within(0.01) is None
    client = TLSStream(ours, Session(client_context(certificates.client()), "localhost"))
    greeting = threading.Thread(target=client.greet, args=(after(scaled(5)),))
    greeting.start()
    while greeting.is_alive():
        assert daemon.receive_within(0.01) is None
    client.send([b"hello"])
    assert select.select([daemon], [], [], scaled(5))[0]
    assert b"hello" == daemon.receive_within(scaled(5))
    client.finish_sending()
    with pytest.raises(ConnectionClosedError, match="closed the connection"):
        daemon.receive_within(scaled(5))
    client.close()
    daemon.close()


@pytest.mark.parametrize(
    ("names", "more", "says"),
    [
        (["localhost", "127.0.0.1"], {"not_after": yesterday()}, "the daemon's certificate has expired"),
        (["elsewhere.example"], {}, "certificate is not for '127.0.0.1'.*use a name that is in the certificate"),
    ],
)
def test_bad_certificates_of_daemons(certificates, names, more, says):
    """What is wrong with it is said, and what can be done."""
    file = certificates.issue("bad", *names, **more)
    with (
        echoing(certificates.daemon(certificate=file)) as daemon,
        pytest.raises(CommunicationError, match=says) as caught,
    ):
        dial(daemon.uri, after(scaled(10)), tls=certificates.client())

    assert str(caught.value).startswith(f"cannot connect to {daemon.uri}")


def test_unknown_authority(certificates):
    """Both ends say who does not trust whom."""
    with (
        echoing(certificates.daemon()) as daemon,
        pytest.raises(CommunicationError, match=r"is not trusted here.*SSL_CACERTS"),
    ):
        dial(daemon.uri, after(scaled(10)), tls=TLSOptions())

    assert "the client does not trust our certificate" in str(daemon.error)


def test_client_without_certificate(certificates):
    """It hears with its first receiving that it has to show one."""
    with echoing(certificates.daemon(require_client=True)) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client())
        with pytest.raises(CommunicationError, match="name ours in SSL_CLIENTCERT"):
            stream.receive(after(scaled(10)))
        stream.close()

    assert "SSL_REQUIRECLIENTCERT" in str(daemon.error)


def test_client_with_a_bad_certificate(certificates):
    """Both ends say that it was not taken."""
    file = certificates.issue("late", "late@example.org", not_after=yesterday())
    with echoing(certificates.daemon(require_client=True)) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client(certificate=file))
        with pytest.raises(CommunicationError, match="does not trust our certificate, SSL_CLIENTCERT"):
            stream.receive(after(scaled(10)))
        stream.close()

    assert "the client's certificate has expired" in str(daemon.error)


def test_client_of_a_daemon_without_tls():
    """It hears at once, from the first byte."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with listener.accept()[0] as sock:
                sock.recv(1000)
                sock.sendall(b"PYRO")

        thread = threading.Thread(target=serve)
        thread.start()
        place = URI(f"PYRO:x@127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(ProtocolError, match="the daemon does not talk TLS; switch SSL off here"):
            dial(place, after(scaled(10)), tls=TLSOptions())
        thread.join()


def test_both_directions_at_once(certificates):
    """One thread may receive while another sends, whatever either is doing at the moment."""
    with echoing(certificates.daemon()) as daemon:
        stream = dial(daemon.uri, after(scaled(10)), tls=certificates.client())
        parts = [bytes([number]) * size for number in range(60) for size in (1, 10_000, 200_000)]

        def send():
            for part in parts:
                stream.send([part])

        sender = threading.Thread(target=send)
        sender.start()
        assert b"".join(parts) == receive(stream, sum(map(len, parts)))
        sender.join()
        stream.close()


@pytest.mark.parametrize("size", [1, 3, 100])
def test_client_without_tls(certificates, size):
    """A Pyro client can read why it is refused, however its greeting is cut; others are hung up on."""
    ours, theirs = socket.socketpair()
    daemon = stream_over(theirs, server_session(certificates.daemon()), stall=scaled(5))
    greeting = b"PYRO\x00\x30" + bytes(30)
    for at in range(0, len(greeting), size):
        ours.sendall(greeting[at : at + size])
    with pytest.raises(ProtocolError, match="the client does not talk TLS"):
        daemon.receive(after(scaled(5)))
    daemon.close()
    ours.settimeout(scaled(5))
    answer = ours.recv(1000)

    assert b"PYRO\x00\x30" == answer[:6]
    assert b"this daemon talks TLS only" in answer
    ours.close()


def test_stranger_on_a_daemon_with_tls(certificates):
    """Who is no Pyro client either gets no answer."""
    ours, theirs = socket.socketpair()
    daemon = stream_over(theirs, server_session(certificates.daemon()), stall=scaled(5))
    ours.sendall(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ProtocolError, match="the client does not talk TLS"):
        daemon.receive(after(scaled(5)))
    daemon.close()

    assert b"" == ours.recv(100)
    ours.close()


def test_garbage_after_the_greeting(certificates):
    """A broken record ends the connection with an error of ours."""
    ours, theirs = socket.socketpair()
    daemon = stream_over(theirs, server_session(certificates.daemon()), stall=scaled(5))
    ours.sendall(b"\x16\x03\x01\x00\x05garbage")
    with pytest.raises(ProtocolError, match="TLS failed"):
        daemon.receive(after(scaled(5)))
    daemon.close()
    ours.close()


def test_silent_daemon(certificates):
    """A handshake that gets no answer ends at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = URI(f"PYRO:x@127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(TimeoutError, match="cannot connect"):
            dial(place, after(0.1), tls=TLSOptions())


def test_sending_before_the_handshake(certificates):
    """There is nobody yet who could read it."""
    ours, theirs = socket.socketpair()
    stream = stream_over(ours, server_session(certificates.daemon()), stall=1)
    with pytest.raises(ProtocolError, match="TLS failed"):
        stream.send([b"x"])
    stream.finish_sending()
    stream.close()

    assert b"" == theirs.recv(10)
    theirs.close()


# Sockets of `ssl` that the user made


@pytest.fixture
def wrapped(certificates):
    """Give two sockets of `ssl` that are connected to each other."""
    ours, theirs = socket.socketpair()
    made = []

    def serve():
        made.append(server_context(certificates.daemon()).wrap_socket(theirs, server_side=True))

    thread = threading.Thread(target=serve)
    thread.start()
    client = client_context(certificates.client()).wrap_socket(ours, server_hostname="localhost")
    thread.join()
    yield client, made[0]
    client.close()
    made[0].close()


def test_given_socket(wrapped):
    """It works as any other, time-outs too, and is left open."""
    stream, other = given(wrapped[0]), given(wrapped[1])
    stream.send([b"one", b"two"])
    assert b"onetwo" == receive(other, 6)
    assert other.receive_within(0.01) is None
    with pytest.raises(TimeoutError):
        other.receive(after(0.01))
    large = bytes(100_000)
    sender = threading.Thread(target=stream.send, args=([large],))
    sender.start()
    assert large == receive(other, len(large))
    sender.join()
    assert not wrapped[1].pending()
    assert stream.getpeercert()["subjectAltName"]
    assert other.getpeercert() is None
    stream.close()
    other.close()

    assert wrapped[0].fileno() >= 0


def test_given_socket_leaves_nothing_behind(wrapped):
    """All that was decrypted is given at once, for a selector would not tell of the rest."""
    wrapped[0].sendall(b"x" * 10_000)
    stream = given(wrapped[1])

    assert 10_000 == len(receive(stream, 10_000))
    assert not stream.pending


def test_given_plain_socket():
    """It needs no TLS."""
    ours, theirs = socket.socketpair()
    stream = given(ours)

    assert type(stream) is SocketStream
    assert stream.getpeercert() is None
    ours.close()
    theirs.close()
