"""Clients that mean harm to a name server: no lookup is delayed, no registration is lost, nothing stays behind."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack

import pytest

from pyronb.dialects import DIALECTS
from pyronb.rpc.call import Raised
from pyronb.wire.message import CONNECTOK
from tests.support.harm import return_large_blocks, unharmed
from tests.support.serving import ENGINES, RawClient, connect, naming
from tests.support.waiting import scaled

NAMES = "Pyro.NameServer"
KNOWN = {"bench.scope": "PYRO:scope@localhost:1", "bench.pump": "PYRO:pump@localhost:2"}

SERIALIZERS = ("serpent", "json", "marshal", "msgpack")
dialects = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda dialect: dialect.family)


def finds(daemon):
    """A healthy client looks up soon (`tests.support.harm.is_well`), and everything that was registered is there."""
    began = time.monotonic()
    with connect(daemon.uriFor(NAMES), timeout=scaled(5), connect_timeout=scaled(5)) as names:
        assert str(names.lookup("bench.scope")) == KNOWN["bench.scope"]
        assert names.list(prefix="bench.") == KNOWN
        assert names.count() == len(KNOWN) + 1
    assert time.monotonic() - began < scaled(3)


@pytest.fixture(params=ENGINES)
def daemon(request, where):
    return_large_blocks()
    with naming(where, engine=request.param) as daemon:
        for name, uri in KNOWN.items():
            daemon.nameserver.register(name, uri, metadata={"class:Thing"})
        for dialect in DIALECTS.values():  # load what is loaded late
            for serializer in SERIALIZERS:
                with RawClient(daemon.locationStr, serializer, dialect) as client:
                    client.greet(NAMES)
                    client.call(NAMES, "lookup", "absent")
        with unharmed(daemon, finds):
            yield daemon


@dialects
def test_random_bytes(daemon, dialect):
    """Whatever they are, and however they are cut; in the midst of a greeting, too."""
    for seed in range(30):
        noise = random.Random(seed)
        with RawClient(daemon.locationStr, dialect=dialect) as client:
            client.send((b"" if seed % 3 else client.greeting(NAMES)[: noise.randrange(80)]) + noise.randbytes(500))


@dialects
def test_silent_clients(daemon, dialect):
    """Two hundred of them, half of which greet."""
    with ExitStack() as stack:
        for number in range(200):
            client = stack.enter_context(RawClient(daemon.locationStr, dialect=dialect))
            if number % 2:
                assert client.greet(NAMES)[0] == CONNECTOK
        finds(daemon)


HARMFUL = [
    ("register", 3, "PYRO:x@localhost:1"),
    ("register", "", ""),
    ("register", "x", "nonsense"),
    ("register", "x", ["PYRO:x@localhost:1"]),
    ("register", "x" * 100_000, "PYRO:x@localhost:1"),
    ("register", "x", "PYRO:" + "x" * 100_000 + "@localhost:1"),
    ("register", "x", "PYRO:x@localhost:1", False, "tags"),
    ("register", "x", "PYRO:x@localhost:1", False, [1, 2]),
    ("register", "x", "PYRO:x@localhost:1", False, [str(number) for number in range(100_000)]),
    ("register", "bench.scope", "PYRO:other@localhost:1", True),
    ("set_metadata", "absent", ["tag"]),
    ("set_metadata", "bench.scope", 3),
    ("lookup", None),
    ("lookup", {"a": 1}),
    ("lookup", "' OR 1=1 --"),
    ("list", None, "("),
    ("list", None, "(?P<a>" * 500),
    ("list", "a", "b"),
    ("list", 3),
    ("remove", 3),
    ("remove", None, None, "["),
    ("changes", 3, 4),
    ("changes", "x", "y"),
    ("_storage",),
    ("storage",),
    ("__class__",),
    ("lookup.__globals__",),
    ("_found", "bench."),
    ("_warn", "a", "b", "c"),
]


@dialects
@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_harmful_calls_are_errors(daemon, dialect, serializer):
    """Each is told to its caller, whose connection goes on."""
    with RawClient(daemon.locationStr, serializer, dialect) as client:
        assert client.greet(NAMES)[0] == CONNECTOK
        for method, *args in HARMFUL:
            assert isinstance(client.call(NAMES, method, *args), Raised), (method, str(args)[:80])
        assert client.call(NAMES, "remove", NAMES).value == 0
        assert client.call(NAMES, "remove", None, "").value == 0
        assert client.call(NAMES, "remove", "x' OR 'x'='x").value == 0
        assert client.call(NAMES, "remove", None, "%").value == 0
        assert client.call(NAMES, "count").value == len(KNOWN) + 1


@dialects
def test_clients_that_die_in_mid_registration(daemon, dialect):
    """What was not said completely is not registered, and what was is there though nobody waits for the answer."""
    with RawClient(daemon.locationStr, dialect=dialect) as client:
        greeting = client.greeting(NAMES)
        request = client.request(NAMES, "register", "bench.scope", "PYRO:stolen@localhost:1", True)
    for at in range(0, len(request), 9):
        with RawClient(daemon.locationStr, dialect=dialect) as client:
            client.send(greeting + request[:at])
