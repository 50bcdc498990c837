"""Which serializers a daemon takes: those it was told to, and a clear refusal for all others. (S29-S32, S42-S44.)"""

from __future__ import annotations

from typing import Any

import pytest

from pyronb.config import Configuration
from pyronb.dialects import UNSAFE
from pyronb.errors import CommunicationError, NamingError, RemoteError, SerializeError
from pyronb.options import DaemonOptions
from pyronb.server.daemon import Daemon
from pyronb.server.exposure import expose
from pyronb.sync.lookup import locateNS
from pyronb.sync.proxy import Proxy
from tests.support.serving import client_options, connect, lookup_at, naming, serving


class Stalled(Exception):
    """An exception whose constructor takes other arguments than it keeps."""

    def __init__(self, motor: str, at: float) -> None:
        super().__init__(f"{motor} stalled at {at}")


@expose
class Thing:
    """What is called."""

    def echo(self, value: Any) -> Any:
        """Give back what came."""
        return value

    def kind(self, value: Any) -> str:
        """Tell what came."""
        return type(value).__name__

    def me(self) -> Any:
        """Give what is registered."""
        return self

    def fail(self) -> None:
        """Raise something from something."""
        try:
            raise KeyError("first")
        except KeyError as error:
            raise Stalled("axis", 2.5) from error


def served(daemon: Daemon) -> Any:
    """Register a thing and give its address."""
    return daemon.register(Thing(), "thing")


@pytest.mark.parametrize("name", UNSAFE)
def test_pickles_between_two_ends_of_ours(name: str) -> None:
    """Once both sides chose it: values of every type, proxies, and errors. (S41, S42.)"""
    with serving(serializers=frozenset({"serpent", name})) as daemon, connect(served(daemon), serializer=name) as proxy:
        assert {(1, "a"): [{2}, b"x"]} == proxy.echo({(1, "a"): [{2}, b"x"]})
        assert "NamingError" == proxy.kind(NamingError("x"))
        with proxy.me() as again:
            assert isinstance(again, Proxy)
            assert again == proxy
        with pytest.raises(RemoteError, match=r"Stalled: axis stalled at 2\.5") as caught:
            proxy.fail()
        assert "in fail" in "".join(caught.value._pyroTraceback)
        assert isinstance(caught.value.__cause__, KeyError)
        assert 1 == proxy.echo(1)


@pytest.mark.parametrize("name", UNSAFE)
def test_pickles_are_not_taken_unasked(name: str) -> None:
    """The error names the address, the serializer, and what is taken; the proxy can choose another. (S29, S30.)"""
    with serving() as daemon:
        uri = served(daemon)
        proxy = Proxy(uri, options=client_options(serializer=name))
        with proxy, pytest.raises(SerializeError, match=f"{uri} does not accept the serializer '{name}', only: json, "):
            proxy.echo(1)
        proxy._pyroSerializer = "json"
        with proxy:
            assert 1 == proxy.echo(1)


def test_a_daemon_that_takes_nothing_but_pickle() -> None:
    """The greeting is in serpent, which is safe to read; calls are not."""
    with serving(serializers=frozenset({"pickle"})) as daemon:
        uri = served(daemon)
        with connect(uri, serializer="pickle") as proxy:
            assert {1} == proxy.echo({1})
        with pytest.raises(SerializeError, match="'serpent', only: pickle"):
            connect(uri, serializer="serpent")
        with pytest.raises(CommunicationError, match=r"not accepted: json \(accepted: pickle"):
            connect(uri, serializer="json")


def test_a_safe_serializer_that_is_not_taken() -> None:
    """It is refused in the greeting, and when it is chosen later."""
    with serving(serializers=frozenset({"serpent"})) as daemon:
        uri = served(daemon)
        with pytest.raises(CommunicationError, match=r"rejected: .* not accepted: json \(accepted: serpent"):
            connect(uri, serializer="json")
        with connect(uri) as proxy:
            with pytest.raises(SerializeError, match="does not accept the serializer 'json', only: serpent"):
                proxy._pyroSerializer = "json"
            assert 1 == proxy.echo(1)


def test_a_proxy_that_arrives_does_not_switch_pickle_on() -> None:
    """Whoever sends a proxy does not decide what its receiver reads. (S44.)"""
    with serving() as daemon, connect(served(daemon)) as proxy:
        travelling = Proxy("PYRO:other@localhost:1")
        travelling._pyroSerializer = "pickle"
        assert "serpent" == proxy.echo(travelling)._pyroSerializer
        travelling._pyroSerializer = "json"
        assert "json" == proxy.echo(travelling)._pyroSerializer


def test_the_name_server_follows_the_same_rule() -> None:
    """It has to be told as well. (S32.)"""
    with naming() as names, pytest.raises(SerializeError, match="does not accept the serializer 'pickle'"):
        connect(names.uri, serializer="pickle")
    with naming(serializers=frozenset({"serpent", "pickle"})) as names:
        with connect(names.uri, serializer="pickle") as proxy:
            proxy.register("some.name", "PYRO:a@localhost:1")
            assert "PYRO:a@localhost:1" == str(proxy.lookup("some.name"))
            with pytest.raises(NamingError, match="unknown name"):
                proxy.lookup("absent")
        with locateNS(options=client_options(serializer="pickle", lookup=lookup_at(names.uri))) as found:
            assert "some.name" in found.list()


def test_the_settings() -> None:
    """Both sides are set apart from each other, in code or by the environment. (S41-S43.)"""
    settings = Configuration({"PYRO_SERIALIZERS_ACCEPTED": "serpent,json,marshal,pickle", "PYRONB_SERIALIZER": "dill"})
    assert frozenset({"serpent", "json", "marshal", "pickle"}) == settings.daemon_options().serializers
    assert "dill" == settings.client_options().serializer

    settings = Configuration({})
    settings.SERIALIZERS_ACCEPTED.add("cloudpickle")
    assert DaemonOptions().serializers | {"cloudpickle"} == settings.daemon_options().serializers
    assert "serpent" == settings.client_options().serializer
    settings.SERIALIZERS_ACCEPTED.add("bson")
    with pytest.raises(ValueError, match=r"SERIALIZERS_ACCEPTED names 'bson'; there is: serpent, .*, cloudpickle"):
        settings.daemon_options()
