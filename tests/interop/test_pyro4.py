"""pyronb and the real Pyro4, each as client, daemon and name server of the other; and Pyro5 beside them."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

import pyronb
from pyronb.errors import SerializeError
from pyronb.sync.lookup import locateNS, resolve
from pyronb.uri import URI
from tests.interop.conftest import ask_real_client, peer
from tests.interop.ours import API, SETTINGS, compression, label, our_daemon, world
from tests.interop.peers import checks, pyro4_checks
from tests.support.paths import ROOT
from tests.support.serving import LOCAL, client_options, connect, naming
from tests.support.waiting import scaled

pytestmark = pytest.mark.skipif(find_spec("Pyro4") is None, reason="Pyro4 is not installed")

needs_pyro5 = pytest.mark.skipif(find_spec("Pyro5") is None, reason="Pyro5 is not installed")

CHECKS = pyro4_checks.chosen()
WITHOUT_METADATA = pyro4_checks.chosen(metadata=False)
SOME = ["calls", "attributes", "streams", "errors", "batches", "oneway", "pings", "autoproxies", "unknown_objects"]
SIGNED = [*SOME, "chunks", "correlation", "annotations", "unicode", "types"]


def ask_pyro4(options):
    """Have a real Pyro4 client run its checks, and give what became of them."""
    return ask_real_client(options, "pyro4_client.py")


def assert_ok(results):
    """Fail with the tracebacks of the checks that failed, or because there are no results."""
    failed = [f"{name}: {result}" for name, result in results.items() if result != "ok"]
    assert results
    assert not failed, "\n".join(failed)


def run_checks(world, only):
    """Run checks by our client."""
    for name in only:
        if pyro4_checks.applies(name, world.serializer, real=False):
            CHECKS[name](world)


def cases(names, *, real):
    return [
        pytest.param(setting, name, id=f"{label(setting)}-{name}")
        for setting in SETTINGS
        for name in names
        if pyro4_checks.applies(name, setting[0], real=real)
    ]


@pytest.fixture(scope="module")
def real_ns():
    """Give the address of a real Pyro4 name server."""
    with peer("pyro4_ns.py") as uri:
        yield URI(uri)


# A real Pyro4 client and our daemon, in our name server


@pytest.fixture(scope="module")
def what_real_clients_found():
    """Run all checks of real clients, with and without metadata; by setting."""
    found = {}

    def collect(options, compressed):
        for key, result in ask_pyro4(options).items():
            serializer, _, name = key.partition(" ")
            found[(serializer, compressed), name] = result

    with naming() as names, our_daemon() as plain, our_daemon(compression=True) as squeezed, ThreadPoolExecutor() as do:
        for compressed, daemon in ((False, plain), (True, squeezed)):
            name = f"interop.{label(('thing', compressed))}"
            names.nameserver.register(name, daemon.uriFor("thing"))
            for metadata in (True, False):
                options = {
                    "uri": f"PYRONAME:{name}@{names.locationStr}",
                    "serializers": [serializer for serializer, mode in SETTINGS if mode == compressed],
                    "compression": compressed,
                    "metadata": metadata,
                }
                do.submit(collect, options, compressed)
    return found


@pytest.mark.parametrize(("setting", "name"), cases([*CHECKS, *WITHOUT_METADATA], real=True))
def test_a_real_client_on_our_daemon(what_real_clients_found, setting, name):
    """It finds the object by name and cannot tell the difference, with its METADATA on or off."""
    result = what_real_clients_found[setting, name]

    assert result == "ok", result


# Our client and a real Pyro4 daemon, in a real Pyro4 name server


@pytest.fixture(scope="module")
def real_daemons(real_ns):
    """Start a real daemon without and one with compression, and give their names."""
    ns = [real_ns.host, real_ns.port]
    with (
        peer("pyro4_daemon.py", {"ns": ns, "name": "real.plain"}),
        peer("pyro4_daemon.py", {"ns": ns, "name": "real.compressed", "compression": True}),
    ):
        yield {False: f"PYRONAME:real.plain@{real_ns.location}", True: f"PYRONAME:real.compressed@{real_ns.location}"}


@pytest.mark.parametrize(("setting", "name"), cases(CHECKS, real=False))
def test_our_client_on_a_real_daemon(real_daemons, setting, name, no_leaks):
    """It finds out by itself what is spoken there, and can do all that it can with a daemon of ours."""
    serializer, compressed = setting
    with compression(compressed):
        CHECKS[name](world(real_daemons[compressed], serializer, real_peer=True, pyro4=True))


def test_a_real_daemon_is_given_no_iterators(real_daemons):
    """It could not ask for the items; the error says so, and what to do, and the connection goes on."""
    with connect(real_daemons[False]) as proxy, Path(__file__).open("rb") as file:
        for items in (iter([1, 2]), (item for item in "ab"), file):
            with pytest.raises(SerializeError, match="Pyro4: send a list of the items, or call a method for each"):
                proxy.echo(items)

        assert [1, 2] == proxy.echo([1, 2])


def test_our_client_on_a_multiplexed_real_daemon():
    """That kind reads a greeting in the thread that does everything else too."""
    with peer("pyro4_daemon.py", {"servertype": "multiplex"}) as uri:
        run_checks(world(uri, real_peer=True, pyro4=True), SOME)


def test_our_client_tells_what_it_found(real_daemons):
    """The proxy says to whom it is connected."""
    with connect(real_daemons[False]) as proxy:
        assert proxy._pyro.peer == "Pyro4"
        assert "Pyro4" in repr(proxy)


def test_a_connected_proxy_can_be_kept_and_copied(real_daemons):
    """What it knows of Pyro4 goes along, or is found out anew."""
    with connect(real_daemons[False], serializer="json") as proxy:
        for other in (copy.copy(proxy), pickle.loads(pickle.dumps(proxy))):
            with other:
                assert other == proxy
                assert other.add(1, 2) == 3


# Pickles, which each daemon takes only because it was told to

PICKLED = [*SOME, "unicode", "blobs", "uris", "autoproxies", "callbacks", "annotations"]


def test_a_real_client_pickles_for_our_daemon():
    """Pickle, dill and cloudpickle, as real Pyro4 writes them."""
    with our_daemon(accept=checks.PICKLES) as daemon:
        uri = str(daemon.uriFor("thing"))
        assert_ok(ask_pyro4({"uri": uri, "serializers": checks.PICKLES, "only": PICKLED}))


@pytest.mark.parametrize("serializer", checks.PICKLES)
def test_our_client_pickles_for_a_real_daemon(serializer):
    """Pickle, dill and cloudpickle, as real Pyro4 reads them."""
    with peer("pyro4_daemon.py", {"accept": checks.PICKLES}) as uri:
        run_checks(world(uri, serializer, real_peer=True, pyro4=True), PICKLED)


@pytest.mark.parametrize("serializer", checks.PICKLES)
@pytest.mark.parametrize("key", [None, "secret"], ids=["502", "48"])
def test_our_client_pickles_for_our_daemon(serializer, key):
    """Protocol 502 has no numbers for them, so both ends use their own; with a key both speak protocol 48."""
    with our_daemon(accept=checks.PICKLES, key=key) as daemon:
        run_checks(world(daemon.uriFor("thing"), serializer, key=key), PICKLED if key is None else SOME)


def test_a_real_client_pickles_unasked():
    """It learns what is accepted."""
    with our_daemon() as daemon:
        uri = str(daemon.uriFor("thing"))
        results = ask_pyro4({"uri": uri, "serializers": checks.PICKLES, "only": ["calls"]})
    for serializer in checks.PICKLES:
        assert (
            f"not accepted: {serializer} (accepted: json, marshal, msgpack, native, serpent"
            in results[f"{serializer} calls"]
        )


# Messages that are signed with a shared key

KEYS = [pytest.param("größe", id="text"), pytest.param("secret", id="ascii")]


@pytest.mark.parametrize("key", KEYS)
def test_a_real_client_with_the_key_of_our_daemon(key):
    """All messages of all kinds are signed, in both directions."""
    with our_daemon(key=key, compression=True) as daemon:
        options = {"serializers": ["serpent", "msgpack"], "key": key, "compression": True, "only": SIGNED}
        assert_ok(ask_pyro4(options | {"uri": str(daemon.uriFor("thing"))}))


@pytest.mark.parametrize("key", KEYS)
def test_our_client_with_the_key_of_a_real_daemon(key):
    """All messages of all kinds are signed, in both directions."""
    with peer("pyro4_daemon.py", {"key": key, "compression": True}) as uri, compression(True):
        for serializer in ("serpent", "json"):
            run_checks(world(uri, serializer, real_peer=True, pyro4=True, key=key), SIGNED)


def test_our_client_with_the_key_of_our_daemon():
    """Both then speak the protocol that knows keys."""
    with our_daemon(key=b"secret") as daemon:
        run_checks(world(daemon.uriFor("thing"), key=b"secret"), SOME)


@pytest.mark.parametrize("key", [None, "other"])
def test_a_real_client_without_the_key_of_our_daemon(key):
    """It is refused at once, and the daemon goes on."""
    with our_daemon(key="secret") as daemon:
        uri = str(daemon.uriFor("thing"))
        results = ask_pyro4({"uri": uri, "serializers": ["serpent"], "key": key, "only": ["calls"]})
        assert "hmac" in results["serpent calls"], results
        run_checks(world(uri, key="secret"), ["calls"])


@pytest.mark.parametrize(
    ("real_key", "our_key"),
    [("secret", None), ("secret", "other"), (None, "secret")],
    ids=["none", "other", "needless"],
)
def test_our_client_without_the_key_of_a_real_daemon(real_key, our_key):
    """It has an error that speaks of the key."""
    with peer("pyro4_daemon.py", {"key": real_key}) as uri:
        proxy = pyronb.Proxy(uri, options=client_options())
        proxy._pyroHmacKey = our_key
        with (
            proxy,
            pytest.raises((pyronb.errors.CommunicationError, pyronb.errors.SecurityError), match="hmac") as caught,
        ):
            proxy.add(1, 2)
        assert str(uri) in str(caught.value)


@pytest.mark.parametrize(("serializer", "number"), [("pickle", 4), ("dill", 5)])
def test_serializer_that_a_real_daemon_does_not_accept(serializer, number):
    """It tells a number; the error has the name too, and what to do."""
    with peer("pyro4_daemon.py") as uri:
        proxy = pyronb.Proxy(uri, options=client_options(serializer=serializer))
        with pytest.raises(
            pyronb.errors.CommunicationError,
            match=rf"{uri} rejected: .* not accepted: {number} \(which is {serializer}; .* _pyroSerializer\)",
        ):
            proxy._pyroBind()


@needs_pyro5
def test_a_real_pyro5_client_on_our_daemon_with_a_key():
    """It cannot sign, so it is not served."""
    with our_daemon(key="secret") as daemon:
        options = {"uri": str(daemon.uriFor("thing")), "serializers": ["serpent"], "only": ["calls"]}
        results = ask_real_client(options)
        assert results["serpent calls"] != "ok"
        assert "CommunicationError" in results["serpent calls"] or "ProtocolError" in results["serpent calls"]
        run_checks(world(daemon.uriFor("thing"), key="secret"), ["calls"])


@needs_pyro5
def test_our_client_with_a_key_on_a_real_pyro5_daemon():
    """Nothing is sent unsigned that was meant to be signed."""
    with peer("pyro5_daemon.py") as uri:
        proxy = pyronb.Proxy(uri, options=client_options())
        proxy._pyroHmacKey = "secret"
        with proxy, pytest.raises(pyronb.errors.SecurityError, match="key"):
            proxy.add(1, 2)
        proxy._pyroHmacKey = None
        with proxy:
            assert proxy.add(1, 2) == 3


def test_a_real_client_finds_by_name_where_everybody_has_a_key():
    """It uses its key for the name server too."""
    with naming() as names, our_daemon(key="secret") as daemon:
        names.nameserver.register("interop.keyed", daemon.uriFor("thing"), metadata={"keyed"})
        names._pyroHmacKey = "secret"
        for uri in (f"PYRONAME:interop.keyed@{names.locationStr}", f"PYROMETA:keyed@{names.locationStr}"):
            assert_ok(ask_pyro4({"uri": uri, "serializers": ["serpent"], "key": "secret", "only": ["calls"]}))


def test_our_client_finds_by_name_where_everybody_has_a_key():
    """It uses its key for the name server too, as a real client does."""
    with peer("pyro4_ns.py", {"key": "secret"}) as ns:
        place = URI(ns)
        options = {"key": "secret", "ns": [place.host, place.port], "name": "real.keyed"}
        with peer("pyro4_daemon.py", options):
            for uri in (f"PYRONAME:real.keyed@{place.location}", f"PYROMETA:real.keyed@{place.location}"):
                run_checks(world(uri, real_peer=True, pyro4=True, key="secret"), ["calls"])


def test_a_proxy_with_a_key_arrives_without_it():
    """A key on the wire could be read by everybody, so ours does not send it."""
    with peer("pyro4_daemon.py") as uri, connect(uri) as proxy:
        travelling = pyronb.Proxy("PYRO:keyed@localhost:1")
        travelling._pyroHmacKey = "secret"
        assert proxy.echo(travelling)._pyroHmacKey is None


# Name servers


def test_a_real_client_asks_our_name_server():
    """Every method, in every serializer, in the words of Pyro4."""
    with naming() as names:
        results = ask_pyro4({"ns": [names.uri.host, names.uri.port]})

    assert list(results) == list(checks.ALL)
    assert_ok(results)


@pytest.mark.parametrize("serializer", checks.ALL)
def test_our_client_asks_a_real_name_server(real_ns, serializer):
    """Every method, in every serializer."""
    with connect(real_ns, serializer=serializer) as names:
        pyro4_checks.nameserver(world("", serializer, real_peer=True, pyro4=True), names)


def test_our_nsc_asks_a_real_name_server(real_ns):
    """Each word of it."""

    def nsc(*words):
        command = [sys.executable, "-m", "pyronb", "nsc", "-n", real_ns.host, "-p", str(real_ns.port), *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=scaled(30), cwd=ROOT, check=False)
        return done.returncode, done.stdout + done.stderr

    assert nsc("register", "nsc.a", "PYRO:a@localhost:1", "tag") == (0, "Registered nsc.a\n")
    assert nsc("lookup", "nsc.a") == (0, "PYRO:a@localhost:1\nmetadata: tag\n")
    assert nsc("list", "nsc.") == (0, "nsc.a --> PYRO:a@localhost:1\n    metadata: tag\n1 name starting with 'nsc.'\n")
    code, text = nsc("list")
    assert code == 0
    assert "class:Pyro4.naming.NameServer" in text
    assert nsc("remove", "nsc.a") == (0, "Removed nsc.a\n")
    assert nsc("ping")[0] == 0
    code, text = nsc("lookup", "nsc.a")
    assert (code, text.count("\n")) == (1, 1)
    assert "unknown name: nsc.a" in text


def test_a_real_nsc_asks_our_name_server():
    """Each word of it."""
    with naming() as names:

        def nsc(*words):
            command = [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "Pyro4.nsc",
                "-n",
                LOCAL,
                "-p",
                str(names.uri.port),
                *words,
            ]
            environment = {name: text for name, text in os.environ.items() if not name.startswith("PYRO")}
            done = subprocess.run(
                command, input="y\n", capture_output=True, text=True, timeout=scaled(30), env=environment, check=False
            )
            return done.stdout + done.stderr

        assert nsc("register", "nsc.a", "PYRO:a@localhost:1") == "Registered nsc.a\n"
        assert nsc("setmeta", "nsc.a", "tag") == "Metadata updated\n"
        assert nsc("lookup", "nsc.a") == "PYRO:a@localhost:1\nmetadata: ['tag']\n"
        for words in (["list"], ["list", "nsc."], ["listmatching", r"nsc\.a"]):
            assert "nsc.a --> PYRO:a@localhost:1\n    metadata: ['tag']" in nsc(*words)
        for words in (["listmeta_all", "tag"], ["listmeta_any", "tag", "absent"]):
            assert "nsc.a --> PYRO:a@localhost:1" in nsc(*words)
        assert "nsc.a" not in nsc("listmeta_all", "tag", "absent")
        assert "1 items removed" in nsc("removematching", "nsc.*")
        assert names.nameserver.list("nsc.") == {}
        assert "unknown name: nsc.a" in nsc("lookup", "nsc.a")
        assert "ping ok" in nsc("ping")


def test_crosswise(real_ns):
    """A real daemon in our name server for our client; our daemon in a real name server for a real client."""
    with naming() as names, our_daemon() as daemon:
        with peer("pyro4_daemon.py", {"ns": [names.uri.host, names.uri.port], "name": "cross.real"}) as direct:
            in_ours = names.uri.location
            for uri in (f"PYRONAME:cross.real@{in_ours}", f"PYROMETA:interop,cross.real@{in_ours}"):
                assert resolve(uri) == URI(direct)
                run_checks(world(uri, real_peer=True, pyro4=True), ["calls", "attributes"])
                assert_ok(ask_pyro4({"uri": uri, "serializers": ["serpent", "json"], "only": ["calls", "attributes"]}))
        ours = daemon.uriFor("thing")
        with locateNS(real_ns.host, real_ns.port, options=client_options()) as real:
            real.register("cross.ours", ours, metadata=["interop", "mine"])
        for uri in (f"PYRONAME:cross.ours@{real_ns.location}", f"PYROMETA:interop,mine@{real_ns.location}"):
            assert resolve(uri) == ours
            assert_ok(ask_pyro4({"uri": uri, "serializers": ["serpent", "json"], "only": ["calls", "attributes"]}))
            run_checks(world(uri), ["calls", "attributes"])


def test_looking_for_what_a_real_name_server_does_not_know(real_ns):
    """The same errors as with a name server of ours."""
    for uri in (f"PYRONAME:cross.absent@{real_ns.location}", f"PYROMETA:cross.absent@{real_ns.location}"):
        with pytest.raises(pyronb.errors.NamingError, match=r"cross\.absent"):
            resolve(uri, options=client_options())


# Everybody at once


@needs_pyro5
@pytest.mark.parametrize("compressed", [False, True])
def test_one_daemon_for_all(compressed):
    """One daemon and one name server for real clients of both families and for ours, at the same time."""
    asked = {"thing4": ask_pyro4, "thing5": ask_real_client}
    with naming() as names, our_daemon(compression=compressed, more=asked) as daemon, ThreadPoolExecutor() as do:
        for name in (*asked, "thing"):
            names.nameserver.register(f"interop.{name}", daemon.uriFor(name), metadata={name})
        options = {
            "serializers": list(checks.ALL),
            "only": [name for name in CHECKS if name not in {"daemon_object", "twenty_megabytes"}],
            "compression": compressed,
        }
        real = [
            do.submit(ask, options | {"uri": f"PYROMETA:{name}@{names.locationStr}"}) for name, ask in asked.items()
        ]
        with compression(compressed):
            while not all(each.done() for each in real):
                for serializer in checks.ALL:
                    ours = world(f"PYRONAME:interop.thing@{names.locationStr}", serializer)
                    run_checks(ours, ["calls", "attributes", "errors", "streams", "batches", "types"])
        for each in real:
            assert_ok(each.result())


@needs_pyro5
@pytest.mark.parametrize("serializer", ["serpent", "json", "msgpack"])
def test_what_one_family_leaves_the_other_finds(serializer):
    """Addresses and proxies are written anew for whoever asks."""

    @pyronb.expose
    class Box:
        kept = None

        def put(self, what):
            self.kept = what

        def get(self):
            return self.kept

    with our_daemon() as daemon, ThreadPoolExecutor() as do:
        boxes = {family: str(daemon.register(Box(), family)) for family in ("Pyro4", "Pyro5")}
        options = {"thing": str(daemon.uriFor("thing")), "serializer": serializer}

        def ask(family, box, *, leave):
            with peer("passing.py", options | {"family": family, "box": boxes[box], "leave": leave}) as heard:
                return heard

        assert list(do.map(lambda family: ask(family, family, leave=True), boxes)) == ["left"] * 2
        for address in boxes.values():
            with connect(address, serializer=serializer) as box:
                found = box.get()
                assert isinstance(found["uri"], API.URI)
                with found["proxies"][0] as proxy:
                    assert proxy.add(2, 3) == 5
        pairs = [(family, box) for family in boxes for box in boxes]
        assert list(do.map(lambda pair: ask(*pair, leave=False), pairs)) == ["5"] * 4


@needs_pyro5
@pytest.mark.parametrize("order", [("pyro4", "pyro5"), ("pyro5", "pyro4")], ids="-then-".join)
def test_a_place_changes_its_protocol(order):
    """What was found out about a place is found out anew when somebody else answers there."""
    before, after = order
    with peer(f"{before}_daemon.py") as uri:
        proxy = pyronb.Proxy(uri, options=client_options(serializer="json"))
        assert proxy.add(1, 2) == 3
        proxy._pyroRelease()
    with proxy, peer(f"{after}_daemon.py", {"port": URI(uri).port}):
        assert proxy.add(1, 2) == 3
        assert list(proxy.count(3)) == [0, 1, 2]
        assert proxy._pyro.peer.lower() == after


@needs_pyro5
def test_a_proxy_of_a_real_pyro4_daemon_travels_to_a_real_pyro5_daemon():
    """Each is told in its own words, and the proxy comes back as one of the same object."""
    with peer("pyro4_daemon.py") as one, peer("pyro5_daemon.py") as other:
        for host, guest in ((one, other), (other, one)):
            with connect(host) as proxy, connect(guest) as travelling:
                with proxy.echo(travelling) as returned:
                    assert returned == travelling
                    assert returned.add(2, 3) == 5
                assert proxy.echo(URI(guest)) == URI(guest)


# Other ways to connect


def test_unix_sockets(tmp_path):
    """In both directions."""
    with our_daemon(unixsocket=str(tmp_path / "ours.sock")) as daemon:
        uri = str(daemon.uriFor("thing"))
        assert_ok(ask_pyro4({"uri": uri, "serializers": ["serpent"], "only": SOME}))
    with peer("pyro4_daemon.py", {"unixsocket": str(tmp_path / "theirs.sock")}) as uri:
        assert uri == f"PYRO:thing@./u:{tmp_path / 'theirs.sock'}"
        run_checks(world(uri, real_peer=True, pyro4=True), SOME)


def test_many_real_clients_at_once():
    """Each of them has a conversation of its own."""
    more = [f"thing{number}" for number in range(4)]
    with our_daemon(more=more) as daemon, ThreadPoolExecutor() as do:
        options = {"serializers": ["serpent"], "only": SOME}
        for results in do.map(lambda name: ask_pyro4(options | {"uri": str(daemon.uriFor(name))}), more):
            assert_ok(results)
