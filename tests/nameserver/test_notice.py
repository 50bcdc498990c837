"""An address that is of no use to others is warned about where it is registered, on both ends."""

from __future__ import annotations

import logging
import warnings

import pytest

from pyronb.nameserver.names import NameServer, is_local
from pyronb.nameserver.storage.memory import MemoryStorage
from pyronb.sync.lookup import locateNS
from pyronb.uri import URI
from tests.support.serving import RawClient, client_options, connect, naming

PLACE = URI("PYRO:Pyro.NameServer@192.0.2.7:9090")
LOCAL = [
    "PYRO:a@localhost:1",
    "PYRO:a@127.0.0.1:1",
    "PYRO:a@127.8.9.10:1",
    "PYRO:a@[::1]:1",
    "PYRO:a@[::ffff:7f00:1]:1",
    "PYRO:a@0.0.0.0:1",
    "PYRO:a@[::]:1",
    "PYRO:a@./u:/tmp/a.sock",
    "PYRO:a@box.localhost:1",
]
ELSEWHERE = [
    "PYRO:a@192.0.2.8:1",
    "PYRO:a@[fe80::1%3]:1",
    "PYRO:a@box.example:1",
    "PYRO:a@localhost.example:1",
    "PYRONAME:other",
    "PYRONAME:other@localhost",
    "PYROMETA:tag",
]


@pytest.mark.parametrize("uri", LOCAL + ELSEWHERE)
def test_which_addresses_are_local(uri):
    """Without asking anybody."""
    assert is_local(URI(uri)) == (uri not in ELSEWHERE)


@pytest.mark.parametrize(
    ("place", "uri", "warned"), [(PLACE, LOCAL[0], True), (PLACE, ELSEWHERE[0], False), (None, LOCAL[0], False)]
)
def test_the_name_server_logs_it(caplog, place, uri, warned):
    """If it serves the network; it registers the name all the same."""
    names = NameServer(MemoryStorage(), place)
    with caplog.at_level(logging.WARNING, "pyronb"):
        names.register("motor", uri)

    assert names.lookup("motor") == URI(uri)
    assert ("'motor' was registered as 'PYRO:a@localhost:1'" in caplog.text) == warned
    assert ("give its daemon a host that others can reach, or NATHOST" in caplog.text) == warned


@pytest.fixture
def on_the_network():
    with naming() as daemon:
        daemon.nameserver._place = PLACE
        yield daemon


@pytest.mark.parametrize("serializer", ["serpent", "marshal"])
def test_a_client_of_ours_is_warned(on_the_network, serializer, recwarn):
    """At its own line, each time with the name; the connection goes on."""
    with connect(on_the_network.uri, serializer=serializer) as names:
        for _ in range(2):
            with pytest.warns(UserWarning, match="'motor' was registered as 'PYRO:a@127.0.0.1:1', which") as told:
                names.register("motor", "PYRO:a@127.0.0.1:1")
            assert told[0].filename == __file__
            assert str(on_the_network.uri) in str(told[0].message)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            names.register("motor", ELSEWHERE[0])
            assert names.lookup("motor") == URI(ELSEWHERE[0])
            with pytest.raises(UserWarning):
                names.register("motor", LOCAL[0])
            assert names.lookup("motor") == URI(LOCAL[0])


def test_a_real_client_hears_nothing(on_the_network, caplog):
    """There is nothing in its reply that was not there before; the log has it."""
    with RawClient(on_the_network.locationStr) as client, caplog.at_level(logging.WARNING, "pyronb"):
        client.greet("Pyro.NameServer")
        outcome = client.call("Pyro.NameServer", "register", "motor", LOCAL[0])
        assert outcome.annotations == {}
    assert "client ('127.0.0.1'," in caplog.text


def test_among_ourselves_nothing_is_said():
    """A name server that only this machine can reach has addresses of this machine."""
    with naming() as daemon, locateNS(daemon.uri.host, daemon.uri.port, options=client_options()) as names:
        names.register("motor", LOCAL[0])
        assert names.lookup("motor") == URI(LOCAL[0])
