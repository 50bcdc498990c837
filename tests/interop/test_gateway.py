"""Our gateway next to the real ones, on the same objects of real daemons in real name servers."""

from __future__ import annotations

import http.client
import json
import sys
import uuid
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from pyronb.uri import URI
from tests.interop.ours import our_daemon
from tests.interop.tools import ECHO, FAMILIES, NS, real
from tests.support.programs import free_port, running
from tests.support.serving import LOCAL, naming
from tests.support.waiting import scaled

EXPOSED = r"test\.|Pyro\.|interop"


class Web:
    """A client of one gateway."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(LOCAL, self.port, timeout=scaled(30))
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


@contextmanager
def our_gateway(ns_port, *words, **env):
    with running("gateway", "-H", LOCAL, "-p", "0", "-e", EXPOSED, "--ns", f"{LOCAL}:{ns_port}", *words, env=env) as it:
        yield Web(int(it.wait_for(r"^http://127.0.0.1:(\d+)/pyro/;")[1]))


@contextmanager
def real_gateway(family, ns_port, *words):
    port = str(free_port())
    with real(
        f"{family}.utils.httpgateway",
        *("-H", LOCAL, "-p", port, "-e", EXPOSED, *words),
        until=r"HTTP gateway running on (\S+)",
        PYRO_NS_HOST=LOCAL,
        PYRO_NS_PORT=str(ns_port),
    ):
        yield Web(int(port))


@contextmanager
def real_world(family):
    """Run a real name server with a real echo server in it; gives the port of the name server."""
    port = str(free_port())
    place = {"PYRO_NS_HOST": LOCAL, "PYRO_NS_PORT": port}
    with (
        real(NS[family], "-n", LOCAL, "-p", port, until=r"^(?:internal )?URI = (\S+)"),
        real(ECHO[family], "-H", LOCAL, "-n", until=r"^(echoserver) running", **place),
    ):
        yield port


def plain(answer, path):
    """What must be the same in an answer."""
    status, headers, body = answer
    kind = headers.get("content-type", "").partition(";")[0]
    if kind == "text/plain":
        return status, kind
    value = json.loads(body) if body else None
    if path.endswith("$meta"):
        value = {name: sorted(members) for name, members in value.items()}
    if isinstance(value, dict) and value.get("__exception__"):
        # Our own sentences, and lines of other files, are not those of Pyro.
        value = value["__class__"].rpartition(".")[2]
    return status, kind, value, "x-pyro-correlation-id" in headers or status != 200


ID = str(uuid.UUID(int=5))
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
REQUESTS = [
    ("GET", "/pyro/test.echoserver/$meta", None, {}),
    ("GET", "/pyro/test.echoserver/echo?message=hello", None, {}),
    ("GET", "/pyro/test.echoserver/echo?message=gr%C3%B6%C3%9Fe+%26+x", None, {}),
    ("GET", "/pyro/test.echoserver/echo?message=a&message=b", None, {}),
    ("POST", "/pyro/test.echoserver/echo?message=hello", None, {}),
    ("GET", "/pyro/test.echoserver/verbose", None, {}),
    ("GET", "/pyro/test.echoserver/error", None, {}),
    ("GET", "/pyro/test.echoserver/error_with_text", None, {}),
    ("GET", "/pyro/test.echoserver/echo", None, {}),
    ("GET", "/pyro/test.echoserver/echo?other=x", None, {}),
    ("GET", "/pyro/test.echoserver/absent", None, {}),
    ("GET", "/pyro/test.absent/echo?message=x", None, {}),
    ("GET", "/pyro/test.echoserver/oneway_echo?message=x", None, {}),
    ("GET", "/pyro/test.echoserver/slow", None, {"X_Pyro_Options": "oneway"}),
    ("GET", "/pyro/test.echoserver/echo?message=x", None, {"X_Pyro_Correlation_Id": ID}),
    ("GET", "/pyro/Pyro.NameServer/list?prefix=test.", None, {}),
    ("GET", "/pyro/Pyro.NameServer/lookup?name=test.echoserver", None, {}),
    ("GET", "/pyro/other/echo?message=x", None, {}),
    ("GET", "/pyro/test.echoserver", None, {}),
    ("GET", "/nothing", None, {}),
    ("DELETE", "/pyro/test.echoserver/echo", None, {}),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_requests_have_the_same_answers(family):
    """Status, kind and JSON; where the two differ on purpose, see the last lines."""
    if family == "Pyro4" and sys.version_info >= (3, 13):
        pytest.skip("Pyro4's gateway needs the module cgi, which Python 3.13 has no longer")
    with real_world(family) as ns, real_gateway(family, ns) as theirs, our_gateway(ns) as ours:
        for request in REQUESTS:
            method, path, body, headers = request
            if family == "Pyro4" and "%C3" in path:
                continue  # it reads queries as Latin-1
            expected = plain(theirs.ask(method, path, body, **headers), path)
            assert plain(ours.ask(method, path, body, **headers), path) == expected, request
        if family == "Pyro4":
            form = ("POST", "/pyro/test.echoserver/echo", "message=x+y")
            assert plain(ours.ask(*form, **FORM), "") == plain(theirs.ask(*form, **FORM), "")
        assert theirs.ask("GET", "/")[1]["location"].endswith(ours.ask("GET", "/")[1]["location"])
        # Not a number is no JSON.
        assert theirs.ask("GET", "/pyro/test.echoserver/nan")[2] == b"NaN"
        assert ours.ask("GET", "/pyro/test.echoserver/nan")[2] == b"null"
        # They do not stream.
        assert theirs.ask("GET", "/pyro/test.echoserver/generator")[0] == 500
        assert ours.ask("GET", "/pyro/test.echoserver/generator")[2] == b'"one"\n"two"\n"three"\n'


@pytest.mark.parametrize("family", FAMILIES)
def test_keys_are_the_same(family):
    """In the header and in the parameter."""
    if family == "Pyro4" and sys.version_info >= (3, 13):
        pytest.skip("Pyro4's gateway needs the module cgi, which Python 3.13 has no longer")
    with (
        real_world(family) as ns,
        real_gateway(family, ns, "-g", "secret") as theirs,
        our_gateway(ns, PYRO_HTTPGATEWAY_KEY="secret") as ours,
    ):
        for path, headers in (
            ("/pyro/test.echoserver/echo?message=x", {}),
            ("/pyro/test.echoserver/echo?message=x&$key=wrong", {}),
            ("/pyro/test.echoserver/echo?message=x&$key=secret", {}),
            ("/pyro/test.echoserver/echo?message=x", {"X_Pyro_Gateway_Key": "wrong"}),
            ("/pyro/test.echoserver/echo?message=x", {"X_Pyro_Gateway_Key": "secret"}),
        ):
            answers = [plain(web.ask("GET", path, **headers), path) for web in (ours, theirs)]
            assert answers[0] == answers[1], (path, headers)


def test_typed_arguments_for_objects_of_all_kinds():
    """A real Pyro5, a real Pyro4 and one of ours, each in our name server."""
    with naming() as names, our_daemon(more=["interop"]) as daemon:
        place = {"PYRO_NS_HOST": LOCAL, "PYRO_NS_PORT": str(names.uri.port)}
        names.nameserver.register("interop", daemon.uriFor("interop"))
        with our_gateway(names.uri.port) as web:
            for family in [family for family in ECHO if find_spec(family)]:
                with real(ECHO[family], "-H", LOCAL, "-n", until=r"^(echoserver) running", **place):
                    assert URI(names.nameserver.list("test.")["test.echoserver"])
                    for value in ({"a": [1, 2.5, None, True, "größe"]}, [], "text", 7):
                        answer = web.ask(
                            "POST",
                            "/pyro/test.echoserver/echo",
                            json.dumps({"message": value}),
                            Content_Type="application/json",
                        )
                        assert (answer[0], json.loads(answer[2])) == (200, value)
                    assert b"test.echoserver" in web.ask("GET", "/pyro/")[2]
                    page = web.ask("GET", "/pyro/?name=test.echoserver")
                    assert (page[0], b'action="test.echoserver/echo"' in page[2]) == (200, True)
            assert web.ask("GET", "/pyro/interop/$meta")[0] == 200
