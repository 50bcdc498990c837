"""Both engines before real clients of both families, at the same time."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import pytest

from pyronb.server.exposure import expose, oneway
from tests.interop.conftest import ask_real_client, peer
from tests.interop.ours import our_daemon
from tests.interop.peers import checks, pyro4_checks
from tests.support.serving import ENGINES, serving
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(
    find_spec("Pyro4") is None or find_spec("Pyro5") is None, reason="needs the real Pyro4 and the real Pyro5"
)

SCRIPTS = {"pyro4_client.py": pyro4_checks.chosen(), "pyro5_client.py": checks.CHECKS}
# The method behind this one calls its own daemon, for which one thread is not enough.
NEEDS_THREADS = {"blobs"}
# The one thing is set to something and back, which the other client must not do at the same moment.
SET_THE_THING = {"attributes"}


@expose
class Waiting:
    """Its methods are coroutines."""

    def __init__(self):
        self.fired = []

    async def add(self, a, b=10):
        await asyncio.sleep(0)
        return a + b

    async def fail(self, text):
        await asyncio.sleep(0)
        raise ValueError(text)

    async def count(self, to):
        for number in range(to):
            await asyncio.sleep(0)
            yield number

    @oneway
    async def fire(self, value):
        self.fired.append(value)


@pytest.mark.timeout(240)  # Each client makes hundreds of connections, and a busy machine has others to serve.
@pytest.mark.parametrize("engine", ENGINES)
def test_real_clients_of_both_families_at_once(engine):
    """All checks of each, while the other one makes its own; those that set the thing come last, in turn."""
    left_out = NEEDS_THREADS if engine == "multiplex" else set()
    with our_daemon(engine=engine) as daemon, ThreadPoolExecutor() as pool:
        options = {"uri": str(daemon.uriFor("thing")), "serializers": list(checks.ALL)}

        def ask(script):
            only = [name for name in SCRIPTS[script] if name not in left_out | SET_THE_THING]
            return ask_real_client({**options, "only": only}, script)

        results = list(pool.map(ask, SCRIPTS))
        for script, found in zip(SCRIPTS, results, strict=True):
            found.update(ask_real_client({**options, "only": sorted(SET_THE_THING)}, script))

    for script, found in zip(SCRIPTS, results, strict=True):
        failed = [f"{name}: {result}" for name, result in found.items() if result != "ok"]
        assert found
        assert not failed, f"{script}\n" + "\n".join(failed)


@pytest.mark.parametrize("engine", ENGINES)
def test_real_clients_call_coroutines(engine):
    """They cannot tell them from other methods."""
    waiting = Waiting()
    with serving(engine=engine) as daemon:
        uri = str(daemon.register(waiting))
        for family in ("pyro4", "pyro5"):
            with peer("async_client.py", {"family": family, "uri": uri}) as got:
                assert json.loads(got) == {
                    "call": 3,
                    "stream": [0, 1, 2],
                    "batch": [7, 15],
                    "error": "boom",
                    "traceback": True,
                    "after": 0,
                }
        eventually(lambda: waiting.fired == ["fired"] * 2)
