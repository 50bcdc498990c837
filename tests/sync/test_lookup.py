"""Finding objects by name, with a real name server."""

from __future__ import annotations

import threading
import time

import pytest

from pyronb.config import config
from pyronb.errors import NamingError, PyroError
from pyronb.sync.lookup import locateNS, resolve
from pyronb.sync.proxy import Proxy
from pyronb.uri import URI
from tests.support.serving import LOCAL, client_options, lookup_at, naming
from tests.support.waiting import eventually, scaled


@pytest.fixture
def names():
    """Give a running name server."""
    with naming() as running:
        yield running


@pytest.fixture
def options(names):
    """Give the options with which it is found."""
    return client_options(lookup=lookup_at(names.uri))


@pytest.fixture
def motor(names, daemon):
    """Give the address of the bench, which is registered as lab.motor."""
    uri = daemon.uriFor("bench")
    names.nameserver.register("lab.motor", uri, metadata={"hw", "fast"})
    return uri


def test_locate(names, motor):
    """A connected proxy for the name server comes, which can be used as any other."""
    with locateNS(names.uri.host, names.uri.port) as ns:
        assert ns._pyro.connected
        assert motor == ns.lookup("lab.motor")
        assert {"lab.motor", "Pyro.NameServer"} == set(ns.list())
        with pytest.raises(NamingError, match="unknown name: nobody"):
            ns.lookup("nobody")


def test_locate_by_configuration(names, monkeypatch):
    """Without arguments the configuration says where; options go before it."""
    monkeypatch.setitem(config._values, "NS_HOST", names.uri.host)
    monkeypatch.setitem(config._values, "NS_PORT", names.uri.port)
    with locateNS() as ns:
        assert 1 == ns.count()
    monkeypatch.setitem(config._values, "NS_PORT", 1)
    with locateNS(options=client_options(lookup=lookup_at(names.uri))) as ns:
        assert 1 == ns.count()


def test_no_name_server(names):
    """The error says where one was looked for."""
    names.close()
    with pytest.raises(NamingError, match=f"no name server found at {LOCAL}:{names.uri.port}"):
        locateNS(LOCAL, names.uri.port)


def test_no_name_server_but_something_else(daemon):
    """A daemon without a name server is none."""
    host, _, port = daemon.locationStr.partition(":")
    with pytest.raises(NamingError, match=f"no name server found at {host}:{port}: .*unknown object"):
        locateNS(host, int(port))


def test_resolve(motor, options):
    """A name leads to its address; a direct address is given back."""
    assert motor == resolve("PYRONAME:lab.motor", options=options)
    assert motor == resolve(URI("PYROMETA:hw,fast"), options=options)
    assert URI("PYRO:x@y:1") == resolve("PYRO:x@y:1", options=options)


@pytest.mark.parametrize("uri", ["PYRONAME:nobody", "PYROMETA:hw,slow"])
def test_resolve_what_nobody_knows(motor, options, uri):
    """It is a NamingError, which is a LookupError."""
    with pytest.raises(LookupError, match=r"nobody|slow"):
        resolve(uri, options=options)


def test_resolve_nonsense(options):
    """It is a PyroError before anybody is asked."""
    with pytest.raises(PyroError, match="invalid uri"):
        resolve("nonsense", options=options)


def test_name_that_appears(names, daemon, options):
    """With a delay it is waited for."""
    uri = daemon.uriFor("bench")
    timer = threading.Timer(0.1, names.nameserver.register, ("lab.late", uri))
    timer.start()

    assert uri == resolve("PYRONAME:lab.late", delay_time=scaled(10), options=options)
    timer.join()


def test_name_that_does_not_appear(names, options):
    """The delay ends."""
    began = time.monotonic()
    with pytest.raises(NamingError, match="unknown name"):
        resolve("PYRONAME:nobody", delay_time=0.3, options=options)

    assert 0.25 < time.monotonic() - began < scaled(5)


@pytest.mark.parametrize("uri", ["PYRONAME:lab.motor", "PYROMETA:hw"])
def test_proxy_by_name(motor, options, uri):
    """It is looked up when the proxy connects, and both addresses are in errors."""
    with Proxy(uri, options=options) as proxy:
        assert 3 == proxy.add(1, 2)
        assert URI(uri) == proxy._pyroUri
        with pytest.raises(AttributeError, match=rf"{uri} \({motor.location}\)"):
            _ = proxy.nope


def test_name_that_moves(names, motor, options, bench, daemon):
    """It is looked up again when the proxy connects again; one that was bound keeps its address."""
    with Proxy("PYRONAME:lab.motor", options=options) as proxy, Proxy("PYRONAME:lab.motor", options=options) as bound:
        bound._pyroBind()
        proxy.add(1, 2)
        from tests.support.fix_daemons import Bench

        other = daemon.register(Bench(), "other")
        names.nameserver.register("lab.motor", other)
        proxy._pyroRelease()
        bound._pyroRelease()
        proxy.value, bound.value = 1, 2

        assert (1, 2) == (proxy.value, bound.value)
        assert (2, motor) == (bench.level, bound._pyroUri)
        assert URI("PYRONAME:lab.motor") == proxy._pyroUri


def test_nothing_stays_open(names, motor, options):
    """Looking up leaves no connection to the name server."""
    with Proxy("PYRONAME:lab.motor", options=options) as proxy:
        proxy.add(1, 2)
        with pytest.raises(NamingError):
            resolve("PYRONAME:nobody", options=options)

        assert eventually(lambda: names._engine.clients == 0)
