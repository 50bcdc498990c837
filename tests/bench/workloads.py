"""What is measured. A workload is a function that measures once and checks the answers, and a row in the table."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import importlib.util
import json
import pickle
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.bench.figures import Metric, fairness, percentile
from tests.bench.peers import PEERS
from tests.bench.peers.base import Connection, table_of
from tests.bench.peers.floor import ECHO, HEADER
from tests.bench.peers.pyros import OBJECT

SMALL = (42, "hello world")
DICT = {
    "id": 42,
    "name": "experiment",
    "tags": ["a", "b", "c"],
    "rows": [
        {
            "key": f"row{number}",
            "value": number * 1.5,
            "count": number,
            "flags": [True, False, None],
            "note": "a little text here",
            "position": {"x": number, "y": -number},
        }
        for number in range(16)
    ],
}
MANY = 1000
SERIALIZERS = ("serpent", "json", "marshal", "msgpack")


@dataclass(frozen=True)
class Job:
    """One measurement: who, with whom, and for how long.

    Attributes:
        peer: the client's library.
        address: of its server; None when it needs none.
        serializer: name of the serializer; empty for libraries that have but one.
        seconds: how long to measure, about.
        scale: `full`, `quick`, or `tiny` for tests.
        server_pid: process of the server.
    """

    peer: str
    address: Any
    serializer: str
    seconds: float
    scale: str
    server_pid: int

    def connect(self) -> Connection:
        return PEERS[self.peer].connect(self.address, self.serializer)

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        connection = self.connect()
        try:
            yield connection
        finally:
            connection.close()

    def sized(self, full: int, quick: int, tiny: int) -> int:
        return {"full": full, "quick": quick, "tiny": tiny}[self.scale]

    def value(self, value: Any) -> Any:
        """Give the value, or bytes of its length for a peer that knows but bytes."""
        return json.dumps(value).encode() if self.peer == "raw" else value

    def processor_time(self) -> float:
        """Tell the seconds of processor time that both ends have taken so far."""
        own = time.process_time()
        if not self.server_pid:
            return own
        if sys.platform == "linux":
            # The clock of that process, in the form that the system's own `clock_getcpuclockid` gives it.
            return own + time.clock_gettime(~self.server_pid << 3 | 2)
        spent = importlib.import_module("psutil").Process(self.server_pid).cpu_times()
        return own + spent.user + spent.system

    def rate(self, action: Callable[[], Any], least: int = 1) -> float:
        """Tell how often per second this can be done, after a time to warm up."""
        return self.measured(action, least)[0]

    def measured(self, action: Callable[[], Any], least: int = 1) -> tuple[float, float]:
        """Tell that, and the seconds of processor time that each took; others on the machine disturb these less."""
        begin = time.perf_counter()
        done = 0
        while done < least or time.perf_counter() - begin < self.seconds / 4:
            action()
            done += 1
        # So many at a time that looking at the clock costs nothing.
        chunk = max(1, int(done / (time.perf_counter() - begin) * self.seconds / 20))
        spent = self.processor_time()
        begin = time.perf_counter()
        done = 0
        while True:
            for _ in range(chunk):
                action()
            done += chunk
            elapsed = time.perf_counter() - begin
            if elapsed >= self.seconds:
                return done / elapsed, (self.processor_time() - spent) / done


def check(expected: Any, actual: Any) -> None:
    """See that an answer is right; some serializers make lists of tuples."""
    if json.dumps(expected, default=str) != json.dumps(actual, default=str):
        raise AssertionError(f"wrong answer: {str(actual)[:200]} instead of {str(expected)[:200]}")


def echo(value: Any) -> Callable[[Job], dict[str, float]]:
    """Call after call."""

    def measure(job: Job) -> dict[str, float]:
        sent = job.value(value)
        with job.connected() as connection:
            check(sent, connection.echo(sent))
            rate, spent = job.measured(lambda: connection.echo(sent))
            check(sent, connection.echo(sent))
        return {"calls/s": rate, "cpu us": spent * 1e6}

    return measure


def many(method: str) -> Callable[[Job], dict[str, float]]:
    """A thousand calls at once: in a batch, or all on their way before the first is answered."""

    def measure(job: Job) -> dict[str, float]:
        count = job.sized(MANY, MANY, 10)
        values = [job.value((number, "hello world")) for number in range(count)]
        with job.connected() as connection:
            act = getattr(connection, method)
            check(values, act(values))
            rate, spent = job.measured(lambda: act(values))
            return {"calls/s": count * rate, "cpu us": spent * 1e6 / count}

    return measure


def transfer(megabytes: int, *, floats: bool) -> Callable[[Job], dict[str, float]]:
    """Large bytes, there and back; arrays of floats as their bytes, where they cannot go as they are."""

    def measure(job: Job) -> dict[str, float]:
        size = job.sized(megabytes * 1_000_000, megabytes * 1_000_000, 8000)
        arrays = floats and (job.serializer == "native" or job.peer == "dask")
        # Imported by none but those who need it, for it changes what marshal looks out for.
        data: Any = importlib.import_module("numpy").zeros(size // 8) if floats else bytes(size)

        def put() -> int:
            return connection.put(data.tobytes() if floats and not arrays else data)

        def get() -> Any:
            if arrays:
                return connection.floats(size // 8)
            received = as_bytes(connection.get(size))
            return memoryview(received).cast("d") if floats else received

        with job.connected() as connection:
            check(size, put())
            check(len(data), len(get()))
            return {"put MB/s": size / 1e6 * job.rate(put), "get MB/s": size / 1e6 * job.rate(get)}

    return measure


def frames(job: Job) -> dict[str, float]:
    """A table of pandas with columns of several types, there and back; the floor carries as many bytes."""
    frame = table_of(job.sized(1_000_000, 100_000, 50))
    size = len(frame)
    raw = job.peer == "raw"
    data: Any = pickle.dumps(frame, 5) if raw else frame

    def put() -> int:
        return connection.put(data) if raw else connection.put_frame(data)

    def get() -> int:
        return len(connection.get(len(data)) if raw else connection.frame(size))

    with job.connected() as connection:
        check(len(data) if raw else size, put())
        check(len(data) if raw else size, get())
        return {"put rows/s": size * job.rate(put), "get rows/s": size * job.rate(get)}


def as_bytes(received: Any) -> Any:
    """Give the bytes that arrived; serpent carries them as base64."""
    return importlib.import_module("serpent").tobytes(received) if isinstance(received, dict) else received


def fan_in(clients: int) -> Callable[[Job], dict[str, float]]:
    """Many clients at once, each in a thread with a connection of its own."""

    def measure(job: Job) -> dict[str, float]:
        sent = job.value(SMALL)
        count = min(clients, job.sized(clients, clients, 4))
        waits: list[list[float]] = [[] for _ in range(count)]
        failed: list[Exception] = []
        until = [float("inf")]
        ready = threading.Barrier(count + 1)

        def work(own: list[float]) -> None:
            try:
                with job.connected() as connection:
                    check(sent, connection.echo(sent))
                    ready.wait(60)
                    last = time.perf_counter()
                    while last < until[0] or not own:
                        connection.echo(sent)
                        now = time.perf_counter()
                        own.append(now - last)
                        last = now
            except Exception as error:
                failed.append(error)
                ready.abort()

        threads = [threading.Thread(target=work, args=(own,)) for own in waits]
        for thread in threads:
            thread.start()
        with contextlib.suppress(threading.BrokenBarrierError):
            ready.wait(60)
        begin = time.perf_counter()
        until[0] = begin + max(job.seconds, 0.002 * clients)
        for thread in threads:
            thread.join(120)
        if failed:
            raise next((error for error in failed if not isinstance(error, threading.BrokenBarrierError)), failed[0])
        elapsed = time.perf_counter() - begin
        every = [wait for own in waits for wait in own]
        return {
            "calls/s": len(every) / elapsed,
            "p99 us": percentile(every, 0.99) * 1e6,
            "fairness": fairness([len(own) for own in waits]),
        }

    return measure


def server_alone(job: Job) -> dict[str, float]:
    """64 connections that one thread drives with prepared bytes, so that it is the server that is measured."""
    count = job.sized(64, 64, 4)
    prepared = [prepare(job) for _ in range(count)]
    request, length = prepared[0][1], prepared[0][2]
    selector = selectors.DefaultSelector()
    sent: dict[socket.socket, float] = {}
    missing: dict[socket.socket, int] = {}
    waits: list[float] = []
    for connection, _, _ in prepared:
        selector.register(connection, selectors.EVENT_READ)
        missing[connection] = length
        sent[connection] = time.perf_counter()
        connection.sendall(request)
    begin = time.perf_counter()
    warm = begin + job.seconds / 4
    end = warm + job.seconds
    now = begin
    while now < end or not waits:
        if not (ready := selector.select(30)):
            raise TimeoutError("the server does not answer")
        for key, _ in ready:
            connection: Any = key.fileobj
            piece = connection.recv(65536)
            if not piece:
                raise ConnectionError("the server hung up")
            missing[connection] -= len(piece)
            if missing[connection] > 0:
                continue
            now = time.perf_counter()
            if now > warm:
                waits.append(now - sent[connection])
            missing[connection] = length
            sent[connection] = now
            connection.sendall(request)
        now = time.perf_counter()
    selector.close()
    for connection, _, _ in prepared:
        connection.close()
    return {"calls/s": len(waits) / (now - warm), "p99 us": percentile(waits, 0.99) * 1e6}


def prepare(job: Job) -> tuple[socket.socket, bytes, int]:
    """Give a connection on which one call was answered, the bytes of such a call, and the length of its answer."""
    if job.peer == "raw":
        sent = job.value(SMALL)
        connection: Any = socket.create_connection(("127.0.0.1", job.address))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, HEADER.pack(len(sent), ECHO) + sent, HEADER.size + len(sent)
    serving = importlib.import_module("tests.support.serving")
    client = serving.RawClient(job.address.rpartition("@")[2], job.serializer)
    client.greet(OBJECT)
    check(SMALL, client.call(OBJECT, "echo", SMALL).value)
    client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = client.request(OBJECT, "echo", SMALL)
    client.send(request)
    length = len(client.socket.recv(65536))
    return client.socket, request, length


def connects(job: Job) -> dict[str, float]:
    """Connect, call once, hang up."""
    sent = job.value(SMALL)

    def act() -> None:
        with job.connected() as connection:
            check(sent, connection.echo(sent))

    rate, spent = job.measured(act)
    return {"connects/s": rate, "cpu us": spent * 1e6}


def idle(job: Job) -> dict[str, float]:
    """What a connection costs the server that does nothing; servers are as they are shipped."""
    psutil = importlib.import_module("psutil")
    server = psutil.Process(job.server_pid)
    kept: list[Connection] = []
    with job.connected() as connection:
        connection.echo(job.value(SMALL))
    before = server.memory_info().rss
    try:
        for _ in range(job.sized(1000, 400, 5)):
            try:
                kept.append(job.connect())
            except Exception:
                if not kept:
                    raise
                break
        # When the last one is served, all are.
        kept[-1].echo(job.value(SMALL))
        return {
            "KiB each": max(server.memory_info().rss - before, 1) / 1024 / len(kept),
            "threads": server.num_threads(),
            "accepted": len(kept),
        }
    finally:
        for connection in kept:
            connection.close()


def names(job: Job) -> dict[str, float]:
    """A name server with 10,000 names."""
    count = job.sized(10_000, 1000, 200)
    ns = PEERS[job.peer].proxy(job.address, job.serializer)
    known = [f"bench.group{number // 100:02d}.object{number % 100:02d}" for number in range(count)]
    begin = time.perf_counter()
    for name in known:
        ns.register(name, "PYRO:object@localhost:9999")
    registering = time.perf_counter() - begin
    turn = iter(range(1 << 60))
    check("localhost", ns.lookup(known[7]).host)
    hits = [("prefix ms", {"prefix": "bench.group01."}, 100), ("regex ms", {"regex": r"bench\.group01\..*"}, 100)]
    found = {"register/s": count / registering, "lookup/s": job.rate(lambda: ns.lookup(known[next(turn) % count]))}
    for metric, query, expected in [*hits, ("all ms", {"prefix": "bench."}, count)]:
        check(expected, len(ns.list(**query)))
        found[metric] = 1000 / job.rate(lambda query=query: ns.list(**query))
    ns._pyroRelease()
    return found


def items(job: Job) -> dict[str, float]:
    """Iterate over what a generator of the server makes."""
    count = job.sized(10_000, 2000, 50)
    with job.connected() as connection:
        check(list(range(20)), list(connection.items(20)))
        begin, spent = time.perf_counter(), job.processor_time()
        check(sum(range(count)), sum(connection.items(count)))
        return {
            "items/s": count / (time.perf_counter() - begin),
            "cpu us": (job.processor_time() - spent) * 1e6 / count,
        }


IMPORT = """
import sys, time
before, begin = len(sys.modules), time.perf_counter()
import {module}
print(time.perf_counter() - begin, len(sys.modules) - before)
"""


def imports(job: Job) -> dict[str, float]:
    """Import it in an interpreter that has nothing yet."""
    module = {"Pyro5": "Pyro5.api"}.get(job.peer, job.peer)
    program = [sys.executable, "-c", IMPORT.format(module=module)]
    subprocess.run(program, check=True, capture_output=True)
    best, modules = 1e9, 0
    for _ in range(job.sized(3, 2, 1)):
        ran = subprocess.run(program, check=True, capture_output=True, text=True)
        seconds, modules = float(ran.stdout.split()[0]), int(ran.stdout.split()[1])
        best = min(best, seconds)
    return {"ms": best * 1000, "modules": modules}


def in_asyncio(job: Job) -> dict[str, float]:
    """One call after the other through `pyronb.aio`, and a thousand at once through `asyncio.gather`.

    The others have no such thing, and show what they do without it.
    """
    if job.peer != "pyronb":
        return {"calls/s": echo(SMALL)(job)["calls/s"], "gathered/s": many("outstanding")(job)["calls/s"]}
    aio = importlib.import_module("pyronb.aio")

    async def measure() -> dict[str, float]:
        proxy = aio.Proxy(job.address)
        proxy._pyroSerializer = job.serializer
        await proxy._pyroBind()
        try:
            check(SMALL, await proxy.echo(SMALL))
            single = await often(lambda: proxy.echo(SMALL))
            values = [(number, "hello world") for number in range(job.sized(MANY, MANY, 10))]
            check(values, await asyncio.gather(*map(proxy.echo, values)))
            together = await often(lambda: asyncio.gather(*map(proxy.echo, values)))
            return {"calls/s": single, "gathered/s": together * len(values)}
        finally:
            await proxy._pyroRelease()

    async def often(act: Callable[[], Any]) -> float:
        begin, done = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - begin) < job.seconds or not done:
            await act()
            done += 1
        return done / elapsed

    return asyncio.run(measure())


@dataclass(frozen=True)
class Contender:
    """Who takes part in a workload, and how.

    Attributes:
        client: library of the client.
        serializer: empty for those who have but one.
        server: library of the server, where it is another one.
        kind: of server, see the peers.
        again: a second time, to see the noise.
    """

    client: str
    serializer: str = ""
    server: str = ""
    kind: str = "thread"
    again: bool = False

    @property
    def label(self) -> str:
        ends = self.client if self.server in ("", self.client) else f"{self.client} -> {self.server}"
        kind = "" if self.kind in ("thread", "shipped") else self.kind
        return " ".join(filter(None, [ends, "again" if self.again else "", self.serializer, kind]))


RAW = Contender("raw")
RPYC = Contender("rpyc")
MANAGER = Contender("manager")
DASK = Contender("dask")
AGAIN = Contender("Pyro5", "msgpack", again=True)
CALLS = Metric("calls/s")
CPU = Metric("cpu us", more=False)
"""Processor time of both ends, for each call or item."""


def each(client: str, *serializers: str, **more: Any) -> tuple[Contender, ...]:
    """One contender for each serializer."""
    return tuple(Contender(client, serializer, **more) for serializer in serializers or SERIALIZERS)


@dataclass(frozen=True)
class Workload:
    """One row of the table.

    Attributes:
        name: by which it is chosen.
        about: what is measured, in a sentence.
        measure: measures once.
        contenders: who takes part.
        metrics: what is told.
        places: where client and server run.
        long: left out of a quick run.
        own_servers: its servers are used for nothing else.
        needs: a module that must be there.
        rounds: most rounds that make sense.
    """

    name: str
    about: str
    measure: Callable[[Job], dict[str, float]]
    contenders: tuple[Contender, ...]
    metrics: tuple[Metric, ...] = (CALLS, CPU)
    places: tuple[str, ...] = ("same",)
    long: bool = False
    own_servers: bool = False
    needs: str = "pyronb"
    rounds: int = 99
    served: bool = field(default=True)

    @property
    def there(self) -> bool:
        """Whether pyronb has what it needs."""
        try:
            return importlib.util.find_spec(self.needs) is not None
        except ModuleNotFoundError:
            return False


ALL = (*each("pyronb", *SERIALIZERS, "native"), *each("Pyro5"), *each("Pyro4", "serpent", "msgpack"), RPYC, MANAGER)
STOCK_SERVER = each("pyronb", "serpent", "msgpack", server="Pyro5")
BULK = (
    RAW,
    *each("pyronb", "serpent", "marshal", "msgpack", "native"),
    *each("Pyro5", "serpent", "marshal", "msgpack"),
)
MBS = (Metric("put MB/s"), Metric("get MB/s"))
CROWD = (
    RAW,
    *each("pyronb", "serpent", "msgpack"),
    *each("pyronb", "serpent", "msgpack", kind="multiplex"),
    *each("Pyro5", "serpent", "msgpack"),
    *each("Pyro5", "serpent", "msgpack", kind="multiplex"),
)
CROWD_METRICS = (CALLS, Metric("p99 us", more=False), Metric("fairness", compared=False))
NAMES = (
    Metric("register/s"),
    Metric("lookup/s"),
    *(Metric(name, more=False) for name in ("prefix ms", "regex ms", "all ms")),
)

TABLE = (
    Workload("small", "echo of a small tuple", echo(SMALL), (RAW, *ALL, DASK, AGAIN), places=("same", "split")),
    Workload("dict", "echo of a nested dict of 2 KB", echo(DICT), (RAW, *ALL, AGAIN)),
    Workload(
        "stock",
        "echo of a small tuple, with a real Pyro5 at one end",
        echo(SMALL),
        (
            *each("Pyro5", "serpent", "msgpack"),
            *STOCK_SERVER,
            *each("Pyro5", "serpent", "msgpack", server="pyronb"),
        ),
    ),
    Workload(
        "batch",
        "1,000 small calls in a batch",
        many("batch"),
        (
            RAW,
            *each("pyronb", *SERIALIZERS, "native"),
            *each("Pyro5", "serpent", "json", "msgpack"),
            *each("Pyro4", "serpent"),
        ),
    ),
    Workload(
        "outstanding",
        "1,000 small calls on their way at once (Pyro5: 8 threads)",
        many("outstanding"),
        (RAW, *each("pyronb"), *STOCK_SERVER, *each("Pyro5"), RPYC),
        places=("same", "split"),
    ),
    Workload(
        "asyncio",
        "small calls through pyronb.aio, one by one and 1,000 gathered (the others: without asyncio)",
        in_asyncio,
        (RAW, *each("pyronb"), *each("Pyro5")),
        metrics=(CALLS, Metric("gathered/s")),
        needs="pyronb.aio.proxy",
    ),
    Workload("bytes-8mb", "8 MB of bytes each way", transfer(8, floats=False), BULK, MBS, ("split",)),
    Workload("bytes-80mb", "80 MB of bytes each way", transfer(80, floats=False), BULK, MBS, ("split",), long=True),
    Workload(
        "floats-8mb", "8 MB of float64 each way", transfer(8, floats=True), (*BULK, DASK), MBS, ("split",), long=True
    ),
    Workload(
        "floats-80mb", "80 MB of float64 each way", transfer(80, floats=True), (*BULK, DASK), MBS, ("split",), long=True
    ),
    Workload(
        "frame",
        "a pandas table of 1,000,000 rows and five types each way (rpyc, manager: pickled)",
        frames,
        (RAW, *each("pyronb", "native"), RPYC, MANAGER, DASK),
        (Metric("put rows/s"), Metric("get rows/s")),
        ("split",),
        long=True,
        needs="pandas",
    ),
    *(
        Workload(
            f"fan-in-{count}",
            f"{count} clients at once, a thread for each",
            fan_in(count),
            (*CROWD, MANAGER) if count == 8 else CROWD,
            CROWD_METRICS,
            ("split",),
            long=count == 256,
        )
        for count in (8, 64, 256)
    ),
    Workload(
        "server-alone", "64 connections, driven by one thread", server_alone, CROWD, CROWD_METRICS[:2], ("split",)
    ),
    Workload(
        "connect",
        "connect, call, hang up",
        connects,
        (RAW, *each("pyronb", "serpent", "msgpack"), *each("Pyro5", "serpent", "msgpack"), RPYC),
        metrics=(Metric("connects/s"), CPU),
    ),
    Workload(
        "idle",
        "1,000 connections that do nothing, on servers as they are shipped",
        idle,
        (
            RAW,
            *each("pyronb", "msgpack", kind="shipped"),
            *each("pyronb", "msgpack", kind="multiplex"),
            *each("Pyro5", "msgpack", kind="shipped"),
            *each("Pyro5", "msgpack", kind="multiplex"),
        ),
        metrics=(
            Metric("KiB each", more=False),
            Metric("threads", compared=False),
            Metric("accepted", compared=False),
        ),
        own_servers=True,
        rounds=1,
    ),
    *(
        Workload(
            f"names-{kind}",
            f"a name server with 10,000 names, stored in {'memory' if kind == 'memory' else 'SQLite'}",
            names,
            tuple(Contender(peer, "serpent", kind=kind) for peer in ("pyronb", "Pyro5", "Pyro4")),
            metrics=NAMES,
            rounds=3,
        )
        for kind in ("memory", "sql")
    ),
    Workload(
        "items",
        "iterate over 10,000 items of a remote generator",
        items,
        (
            RAW,
            *each("pyronb", "serpent", "msgpack"),
            *STOCK_SERVER,
            *each("Pyro5", "serpent", "msgpack"),
            RPYC,
            MANAGER,
        ),
        metrics=(Metric("items/s"), CPU),
    ),
    Workload(
        "import",
        "import in a new interpreter",
        imports,
        (Contender("pyronb"), Contender("Pyro5"), Contender("Pyro4"), RPYC),
        metrics=(Metric("ms", more=False), Metric("modules", more=False)),
        served=False,
    ),
)
WORKLOADS = {workload.name: workload for workload in TABLE}
