"""Trouble: slow methods, interrupts, lost connections, many threads, and servers that make no sense."""

from __future__ import annotations

import copy
import signal
import socket
import threading
import time

import pytest

from pyronb import errors
from pyronb.errors import CommunicationError, ConnectionClosedError, ProtocolError
from pyronb.sync.proxy import Proxy
from tests.support.fix_daemons import Bench, answering
from tests.support.programs import free_port
from tests.support.serving import LAYOUT, LOCAL, client_options, connect, serving
from tests.support.waiting import eventually, scaled


def in_threads(count, work):
    """Run work(number) in so many threads at once; what one raised is raised here."""
    failed = []

    def run(number):
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(30))
        assert not thread.is_alive()
    if failed:
        raise failed[0]


# Timeouts


def test_timeout(proxy, bench, dials):
    """A method that takes too long is a TimeoutError that names the call, in time; the proxy then works again."""
    proxy._pyroBind()
    proxy._pyroTimeout = 0.1
    began = time.monotonic()
    with pytest.raises(errors.TimeoutError) as caught:
        proxy.wait("late")

    assert time.monotonic() - began < scaled(5)
    assert isinstance(caught.value, TimeoutError)
    assert f"no answer in time (while calling 'wait' of 'bench' at {proxy._pyroUri}; " in str(caught.value)
    proxy._pyroTimeout = scaled(10)
    # The late reply belongs to a connection that is no more.
    bench.go.set()
    assert [3, "mine"] == [proxy.add(1, 2), proxy.give("mine")]
    assert 2 == len(dials)


def test_timeout_of_attributes_and_oneway(proxy):
    """In time nothing is different."""
    proxy._pyroTimeout = scaled(5)
    proxy.value = 6

    assert 6 == proxy.value
    assert proxy.fire(1) is None


def test_retries(proxy, bench):
    """The method runs again, as often as allowed (wire specification, section 29)."""
    proxy._pyroBind()
    proxy._pyroTimeout, proxy._pyroMaxRetries = 0.1, 2
    with pytest.raises(errors.TimeoutError):
        proxy.wait()

    assert all(bench.entered.acquire(timeout=5) for _ in range(3))
    assert not bench.entered.acquire(timeout=0.05)


# Interrupts


@pytest.fixture
def interrupting():
    """Give a function that interrupts the main thread as Ctrl-C would, once something is true."""
    helpers = []

    def interrupt_when(condition):
        def run():
            condition()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        helpers.append(threading.Thread(target=run))
        helpers[-1].start()

    yield interrupt_when
    for helper in helpers:
        helper.join(scaled(10))


def test_interrupt(proxy, bench, dials, interrupting):
    """Ctrl-C during a call comes through at once; the reply that is owed is never taken for another's."""
    proxy._pyroBind()
    interrupting(lambda: bench.entered.acquire(timeout=10))
    with pytest.raises(KeyboardInterrupt):
        proxy.wait("owed")

    assert not proxy._pyro.connected
    bench.go.set()
    assert ["mine", 3] == [proxy.give("mine"), proxy.add(1, 2)]
    assert 2 == len(dials)


def test_interrupt_while_sending(interrupting):
    """The same when the message is only half sent."""
    began, silent = threading.Event(), threading.Event()

    def greet_and_stop_reading(sock):
        accept_client(sock)
        sock.recv(1)
        began.set()
        silent.wait(scaled(20))

    with answering(greet_and_stop_reading) as uri, Proxy(uri, options=client_options()) as proxy:
        proxy._pyroBind()
        interrupting(lambda: began.wait(scaled(20)))
        with pytest.raises(KeyboardInterrupt):
            proxy.add("0" * 50_000_000)

        assert not proxy._pyro.connected
        silent.set()


def test_interrupt_while_connecting(interrupting):
    """A server that says nothing does not hold Ctrl-C up, and nothing half-made is left."""
    came, end = threading.Event(), threading.Event()

    def say_nothing(sock):
        # The greeting is there, so the client waits for its answer; earlier it might still be inside the system's
        # own connecting, where Python itself would leave the socket to the collector, with a warning.
        receive_message(sock)
        came.set()
        end.wait(scaled(20))

    with answering(say_nothing) as uri:
        proxy = Proxy(uri, options=client_options())
        interrupting(lambda: came.wait(10))
        with pytest.raises(KeyboardInterrupt):
            proxy.add(1, 2)

        assert (None, None) == (proxy._pyro.stream, proxy._pyro.connection)
        end.set()


# Lost connections


def test_restarted_server(bench, dials):
    """The call that finds the connection gone fails, the one after it connects to the new server."""
    port = free_port()
    with serving(port=port) as daemon:
        uri = daemon.register(bench, "bench")
        proxy = connect(uri)
    with serving(port=port) as daemon:
        daemon.register(bench, "bench")
        with pytest.raises(ConnectionClosedError, match=f"while calling 'add' of 'bench' at {uri}"):
            proxy.add(1, 2)

        assert 3 == proxy.add(1, 2)
        assert 2 == len(dials)
        proxy._pyroRelease()


def test_restarted_server_with_a_retry(bench):
    """With a retry the caller notices nothing."""
    port = free_port()
    with serving(port=port) as daemon:
        uri = daemon.register(bench, "bench")
        proxy = connect(uri, max_retries=1)
    with serving(port=port) as daemon:
        daemon.register(bench, "bench")

        assert 3 == proxy.add(1, 2)
        proxy._pyroRelease()


def test_reconnect(bench, monkeypatch):
    """It tries again and again, with pauses, until the server is back."""
    from pyronb.sync import driver

    port = free_port()
    with serving(port=port) as daemon:
        uri = daemon.register(bench, "bench")
        proxy = connect(uri)
    again = []

    def restart(effect):
        if not again:
            again.append(serving(port=port))
            again[0].__enter__().register(bench, "bench")

    monkeypatch.setitem(driver._GRANTS, driver.Pause, restart)
    proxy._pyroReconnect(tries=3)
    try:
        assert proxy._pyro.connected
        assert 3 == proxy.add(1, 2)
        proxy._pyroRelease()
    finally:
        again[0].__exit__(None, None, None)


def test_reconnect_gives_up(proxy, daemon):
    """After so many attempts; the error names the address."""
    proxy._pyroBind()
    daemon.close()
    with pytest.raises(ConnectionClosedError, match=f"failed to reconnect to {proxy._pyroUri}: .*refused"):
        proxy._pyroReconnect(tries=1)


def test_nobody_there():
    """The error names the address; trying again is possible."""
    with socket.create_server((LOCAL, 0)) as sock:
        port = sock.getsockname()[1]
    proxy = Proxy(f"PYRO:obj@{LOCAL}:{port}")
    for use in (proxy._pyroBind, lambda: proxy.add(1), lambda: hasattr(proxy, "add"), proxy._pyroPing):
        with pytest.raises(ConnectionClosedError, match=f"PYRO:obj@{LOCAL}:{port}"):
            use()


def test_server_that_goes_in_mid_call(bench):
    """The call fails at once, although the method still runs."""
    with serving() as daemon:
        proxy = connect(daemon.register(bench, "bench"))

        def close():
            bench.entered.acquire(timeout=10)
            bench.go.set() if daemon.close() else None

        closer = threading.Thread(target=close)
        closer.start()
        with pytest.raises(ConnectionClosedError, match="while calling 'wait' of 'bench'"):
            proxy.wait()
        bench.go.set()
        closer.join(scaled(10))


# Threads


def test_sharing(proxy):
    """Many threads on one proxy: each gets the answers to its own calls, never another's."""

    def work(number):
        for turn in range(50):
            text = f"{number} {turn}"
            assert text == proxy.give(text)
            if turn % 10 == 0:
                assert [0, 1] == list(proxy.count(2))
                assert 5 == proxy.value

    in_threads(8, work)


def test_sharing_with_troubles(proxy):
    """Also when some of them release, fail and time out all the time."""
    proxy._pyroBind()

    def work(number):
        for turn in range(30):
            text = f"{number} {turn}"
            try:
                if number == 0:
                    proxy._pyroRelease()
                elif number == 1:
                    with pytest.raises(ValueError, match=text):
                        proxy.fail(text)
                elif number == 2:
                    proxy._pyroPing(scaled(5))
                elif number == 3:
                    copy.copy(proxy)
                    repr(proxy), dir(proxy), proxy._pyroMethods
                else:
                    assert text == proxy.give(text)
            except CommunicationError as error:
                raise AssertionError(f"{number} {turn}") from error

    in_threads(7, work)


def test_first_use_from_many_threads(proxy, dials):
    """They share one connection."""
    start = threading.Barrier(6)

    def work(number):
        start.wait(scaled(5))
        assert number == proxy.give(number)

    in_threads(6, work)

    assert 1 == len(dials)


def test_copies_run_in_parallel(proxy, bench):
    """Each copy has its own connection, so calls on them overlap."""
    proxy._pyroBind()

    def work(number):
        with copy.copy(proxy) as own:
            assert number == own.meet(number)

    def let_go():
        assert all(bench.entered.acquire(timeout=10) for _ in range(4))
        bench.go.set()

    helper = threading.Thread(target=let_go)
    helper.start()
    in_threads(4, work)
    helper.join(scaled(5))


def test_calls_on_one_proxy_take_turns(proxy, bench):
    """A second thread's call waits until the first one has its answer."""
    first = threading.Thread(target=proxy.wait)
    second = threading.Thread(target=proxy.fire, args=("second",))
    first.start()
    assert bench.entered.acquire(timeout=5)
    second.start()

    assert not bench.entered.acquire(timeout=0.05)
    bench.go.set()
    assert bench.entered.acquire(timeout=5)
    first.join(scaled(5))
    second.join(scaled(5))


def test_proxy_of_a_proxy_in_one_server(daemon, proxy):
    """A served method may call another object of its own daemon: a worker that waits blocks no other."""
    assert {"annotations": [], "id": "None"} == proxy.call_on(str(daemon.register(Bench())))


# Servers that make no sense


def accept_client(sock):
    """Read a greeting and accept it as a real Pyro would, with one method `add`."""
    from tests.support.byhand import acceptance

    receive_message(sock)
    sock.sendall(b"".join(LAYOUT.pack(acceptance())))


def receive_message(sock):
    """Read one message and give its header; raises what ends the server's side when the client is gone."""

    def exactly(count):
        data = b""
        while len(data) < count:
            piece = sock.recv(count - len(data))
            if not piece:
                raise ConnectionResetError
            data += piece
        return data

    header = LAYOUT.unpack_header(exactly(LAYOUT.header_size))
    exactly(header.payload_size + header.annotations_size)
    return header


GARBAGE = {
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100, ProtocolError, "not a Pyro peer"),
    "short http": (b"HTTP/1.1", ProtocolError, "not a Pyro peer"),
    "older pyro": (b"PYRO\x00\x2f" + b"x" * 46, ProtocolError, "invalid protocol version: 47; spoken here: 502"),
    "tls alert": (b"\x15\x03\x01\x00\x02\x02\x46", ProtocolError, "talks TLS"),
    "half a header": (b"PYRO\x01\xf6\x02", ConnectionClosedError, "closed the connection"),
    "nothing": (b"", ConnectionClosedError, "closed the connection"),
    "huge": (b"PYRO\x01\xf6\x02\x01" + b"\0" * 4 + b"\xff" * 8 + b"\0" * 18 + b"\x4d\xc5", ProtocolError, "too large"),
    "strange answer": (
        b"PYRO\x01\xf6\x02\x01" + b"\0" * 4 + b"\0\0\0\x01\0\0\0\0" + b"\0" * 18 + b"\x4d\xc5" + b"5",
        ProtocolError,
        "should be a map, not int",
    ),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_server_that_answers_garbage(kind):
    """Each kind is an error of its own that names the address, at once; nothing is left open."""
    data, error, text = GARBAGE[kind]

    def answer(sock):
        receive_message(sock)
        sock.sendall(data)

    began = time.monotonic()
    with answering(answer) as uri:
        proxy = Proxy(uri, options=client_options())
        with pytest.raises(error) as caught:
            proxy.add(1, 2)

        assert (None, None) == (proxy._pyro.stream, proxy._pyro.connection)
    assert text in str(caught.value)
    assert f"(while connecting to {uri})" in str(caught.value)
    assert time.monotonic() - began < scaled(5)


def test_server_that_hangs_up_at_once():
    """The error names the address."""
    with answering(lambda sock: None) as uri:
        proxy = Proxy(uri, options=client_options())
        with pytest.raises(ConnectionClosedError, match=f"while connecting to {uri}"):
            proxy._pyroBind()


def test_server_that_is_silent():
    """The limit for connecting holds, and the error names the address."""
    end = threading.Event()
    with answering(lambda sock: end.wait(scaled(20))) as uri:
        began = time.monotonic()
        with pytest.raises(errors.TimeoutError, match=rf"while connecting to {uri}; CONNECT_TIMEOUT .* 0\.1 s"):
            Proxy(uri, options=client_options(connect_timeout=0.1))._pyroBind()

        assert time.monotonic() - began < scaled(5)
        end.set()


def test_server_that_drips():
    """Bytes that come one by one do not stretch the limit."""
    end = threading.Event()

    def drip(sock):
        for byte in b"PYRO\x01\xf6\x02\x01" + b"\0" * 4 + b"\0\0\x10\0" + b"\0" * 22 + b"\x4d\xc5" + b" " * 5000:
            sock.sendall(bytes([byte]))
            if end.wait(0.01):
                return

    with answering(drip) as uri:
        began = time.monotonic()
        with pytest.raises(errors.TimeoutError, match="while connecting"):
            Proxy(uri, options=client_options(connect_timeout=0.2))._pyroBind()

        assert time.monotonic() - began < scaled(5)
        end.set()


def reply_with(seq, payload, flags=0):
    """Give the bytes of a reply."""
    from pyronb.wire.message import RESULT, Message

    return b"".join(LAYOUT.pack(Message(RESULT, 1, flags, seq & 0xFFFF, payload)))


def annotated(seq):
    """Give a reply whose annotation is longer than it may be."""
    data = bytearray(reply_with(seq, b""))
    data[16:20] = (12).to_bytes(4, "big")
    return bytes(data) + b"ABCD\0\0\0\xffabcd"


REPLIES = {
    "another number": (lambda seq: reply_with(seq + 1, b"5"), "reply sequence out of sync"),
    "another type": (lambda seq: b"PYRO\x01\xf6\x01\x01" + bytes(30) + b"\x4d\xc5", "unexpected message of type 1"),
    "garbage": (lambda seq: b"GARBAGE" * 10, "not a Pyro peer"),
    "wrong annotations": (annotated, "annotation reaches past the end"),
}


@pytest.mark.parametrize("kind", REPLIES)
def test_server_that_replies_garbage(kind):
    """The call is an error that names it; the connection is closed, and the next call makes a new one."""
    make, text = REPLIES[kind]
    clients = []

    def serve(sock):
        clients.append(sock)
        accept_client(sock)
        seq = receive_message(sock).seq
        sock.sendall(make(seq) if len(clients) == 1 else reply_with(seq, b"5"))
        receive_message(sock)

    with answering(serve) as uri, Proxy(uri, options=client_options()) as proxy:
        with pytest.raises(ProtocolError, match=text) as caught:
            proxy.add(1, 2)

        assert f"(while calling 'add' of 'obj' at {uri})" in str(caught.value)
        assert not proxy._pyro.connected
        assert 5 == proxy.add(1, 2)
        assert 2 == len(clients)


UNREADABLE = {
    "no literal": (b"add(1)", 0, "not valid serpent"),
    "unknown class": (b"{'__class__': 'some.Thing'}", 0, "unsupported serialized class: some.Thing"),
    "forbidden class": (b"{'__class__': '__main__.Thing'}", 0, "double underscores"),
    "no exception": (b"5", 1, "reported an exception and sent a int"),
    "not compressed": (b"plain text", 2, "cannot be inflated"),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_reply_that_cannot_be_read(kind):
    """The whole reply was read, so the connection survives; the error names the call."""
    payload, flags, text = UNREADABLE[kind]
    served = []

    def serve(sock):
        accept_client(sock)
        while True:
            seq = receive_message(sock).seq
            served.append(seq)
            sock.sendall(reply_with(seq, payload, flags) if len(served) == 1 else reply_with(seq, b"5"))

    with answering(serve) as uri, Proxy(uri, options=client_options()) as proxy:
        with pytest.raises(errors.PyroError, match=text) as caught:
            proxy.add(1, 2)

        assert f"(while calling 'add' of 'obj' at {uri})" in str(caught.value)
        assert 5 == proxy.add(1, 2)
        assert [1, 2] == served


def test_late_replies_are_dropped_by_their_number():
    """A reply to a call that was interrupted at an unlucky moment is not taken for the next one's."""

    def serve(sock):
        accept_client(sock)
        receive_message(sock)
        seq = receive_message(sock).seq
        sock.sendall(reply_with(seq - 1, b"'late'") + reply_with(seq, b"'mine'"))
        receive_message(sock)

    with answering(serve) as uri, Proxy(uri, options=client_options()) as proxy:
        proxy._pyroBind()
        link = proxy._pyro
        # The message has left, and then nobody waits for its reply.
        from pyronb.rpc.call import Call

        link.sequence = link.connection.next_sequence()
        link.stream.send(
            link.connection.call(link.codec.encode_call(Call("obj", "add"), link.serializer, link.sequence))
        )

        assert "mine" == proxy.add(1, 2)


def test_nothing_stays_open(daemon):
    """However often proxies come and go."""
    for _ in range(20):
        with connect(daemon.uriFor("bench")) as proxy:
            proxy.add(1, 2)

    assert eventually(lambda: daemon._engine.clients == 0)
