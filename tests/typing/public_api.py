"""What a type checker makes of a program that uses the public names; `make types` reads it, and nobody runs it."""

from __future__ import annotations

import copy
from typing import Any

from typing_extensions import assert_type

import pyronb as Pyro4
import pyronb.aio


@pyronb.expose
@pyronb.behavior(instance_mode="single")
class Thing:
    """Keeps its types under the decorators."""

    @property
    def velocity(self) -> int:
        """An attribute."""
        return 1

    @pyronb.oneway
    def fire(self, times: int) -> None:
        """A oneway method."""

    @pyronb.callback
    def add(self, a: int, b: int) -> int:
        """A method that logs its errors too."""
        return a + b

    @pyronb.expose()
    @staticmethod
    def name() -> str:
        """A static method."""
        return "thing"


assert_type(Thing().velocity, int)
assert_type(Thing().add(1, 2), int)
assert_type(Thing.name(), str)


class Door(pyronb.Daemon):
    """Overrides a hook."""

    def validateHandshake(self, conn: Any, data: Any) -> Any:
        """Greet in words of its own."""
        return "hi", data


with Door(host="localhost", port=0) as daemon:
    uri = daemon.register(Thing, "thing", force=True)
    assert_type(uri, pyronb.URI)
    assert_type(daemon.proxyFor("thing"), pyronb.Proxy)

with pyronb.Proxy(uri) as proxy:
    assert_type(proxy, pyronb.Proxy)
    assert_type(copy.copy(proxy), pyronb.Proxy)
    assert_type(proxy.add(1, 2), Any)
    assert_type(proxy._pyroTimeout, "float | None")
    proxy.velocity = 3
    proxy._pyroMaxRetries = 2
    proxy._pyroSerializer = "json"
    batch = pyronb.batch(proxy)
    batch.add(1, 2)
    for result in batch():
        assert_type(result, Any)
    future = pyronb.asyncproxy(proxy).add(1, 2).then(print).iferror(print)
    assert_type(future, pyronb.FutureResult)
    assert_type(future.progress, pyronb.Progress | None)
    assert_type(future.cancel(), bool)
    future.add_progress_callback(lambda progress: print(progress.fraction, progress.rate, progress.remaining))
    proxy._pyroCall(timeout=2, output=True, on_progress=print).add(1, 2)
    assert_type(future.wait(1.0), bool)

assert_type(pyronb.Future(print).delay(2), bool)
assert_type(pyronb.locateNS("localhost", 9090, broadcast=False), pyronb.Proxy)
assert_type(pyronb.resolve("PYRONAME:thing"), pyronb.URI)
assert_type(pyronb.config.asDict(), dict[str, Any])
assert_type(pyronb.getPyroTraceback(), list[str])
pyronb.config.COMMTIMEOUT = 2

try:
    proxy.add()
except Pyro4.errors.ConnectionClosedError:
    proxy._pyroReconnect(3)
except pyronb.errors.RemoteError as error:
    assert_type(error.class_name, str)

# The modules that Pyro4 has.
Pyro4.util.SerializerBase.register_dict_to_class("Thing", lambda name, values: Thing())
assert_type(Pyro4.naming.type_meta(Thing), set[str])
assert_type(Pyro4.futures.FutureResult().value, Any)
Pyro4.core.DaemonObject(daemon).ping()


pyronb.progress(1, 2.5, "counting")
assert_type(pyronb.cancelled(), bool)
for letter in pyronb.track("abc"):
    assert_type(letter, str)


async def in_the_other_room() -> None:
    """The same words, awaited."""
    async with pyronb.aio.Proxy(uri) as thing:
        assert_type(thing, pyronb.aio.Proxy)
        assert_type(await thing.add(1, 2), Any)
        await thing._pyroSet("velocity", 3)
    assert_type(await pyronb.aio.locateNS(), pyronb.aio.Proxy)
