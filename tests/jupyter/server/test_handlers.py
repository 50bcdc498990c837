"""The HTTP face, in a real Jupyter server: who may ask, what is a bad request, and what comes back."""

from __future__ import annotations

import asyncio
import json

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from pyronb.jupyter.models import NamesModel, ObjectModel
from tests.jupyter.server.peers import (
    HOST,
    HOSTILE,
    Motor,
    NameServerLike,
    address_of,
    at_most,
    free_port,
    listening,
    nameserver,
    register,
    serving,
    silent,
)

EXTENSION = "pyronb"


@pytest.fixture
def address():
    """Where the server looks for its name server; tests choose another by parametrizing it indirectly."""
    return f"{HOST}:{free_port()}"


@pytest.fixture
def jp_server_config(address):
    return {
        "ServerApp": {"jpserver_extensions": {EXTENSION: True}, "allow_unauthenticated_access": False},
        "PyronbServer": {"name_server": address, "timeout": 1.0, "cache_seconds": 0.0},
    }


@pytest.fixture
def manager(jp_serverapp):
    """The manager that the server made."""
    return jp_serverapp.extension_manager.extension_points["pyronb"].app.manager


def body(response):
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return json.loads(response.body)


async def failure(request):
    with pytest.raises(HTTPClientError) as caught:
        await request
    return caught.value.response


# Answers


async def test_names(jp_fetch, address):
    """The answer is a NamesModel, under the base URL."""
    with nameserver(int(address.partition(":")[2])) as daemon:
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1", {HOSTILE})
        response = await jp_fetch("pyronb", "api", "names")

    model = body(response)
    assert response.code == 200
    assert set(model) == set(NamesModel.__annotations__)
    assert model["state"] == "ok"
    assert model["nameserver"]["address"] == address
    assert model["names"][1] == {"name": "lab.motor", "uri": "PYRO:motor@127.0.0.1:1", "tags": [HOSTILE]}


async def test_object(jp_fetch, address):
    """The answer is an ObjectModel; names with odd characters arrive whole."""
    name = "lab/motor &=%é\u2603"
    with nameserver(int(address.partition(":")[2])) as daemon, serving({"motor": Motor()}) as other:
        register(daemon, name, f"PYRO:motor@{address_of(other)}")
        model = body(await jp_fetch("pyronb", "api", "object", params={"name": name}))

    assert set(model) == set(ObjectModel.__annotations__)
    assert (model["state"], model["name"], model["doc"]) == ("ok", name, "Moves the stage.")


async def test_name_server_that_is_gone(jp_fetch, address):
    """What became of asking is a state, not a status."""
    names = await jp_fetch("pyronb", "api", "names")
    thing = await jp_fetch("pyronb", "api", "object", params={"name": "x"})

    assert names.code == thing.code == 200
    assert body(names)["state"] == body(thing)["state"] == "unreachable"
    assert "PyronbServer.name_server" in body(names)["hint"]


async def test_fresh(jp_fetch, manager):
    """`fresh=1` asks past the memory."""
    asked = []
    real = manager.names
    manager.names = lambda *, fresh: (asked.append(fresh), real(fresh=fresh))[1]
    for query in ({}, {"fresh": "0"}, {"fresh": "1"}, {"fresh": ""}):
        await jp_fetch("pyronb", "api", "names", params=query)

    assert asked == [False, False, True, False]


async def test_other_parameters_do_nothing(jp_fetch, address):
    """The name server comes from the configuration and never from a request."""
    with serving({"Pyro.NameServer": NameServerLike()}) as other:
        host, _, port = address_of(other).partition(":")
        query = {"host": host, "port": port, "ns": address_of(other), "name_server": address_of(other)}
        model = body(await jp_fetch("pyronb", "api", "names", params=query))

    assert model["nameserver"]["address"] == address
    assert model["state"] == "unreachable"


async def test_server_goes_on_while_a_peer_is_silent(jp_fetch, manager):
    """A silent name server holds up its own answer, and nothing else."""
    with listening(silent) as silent_address:
        manager.address = silent_address
        asking = asyncio.ensure_future(jp_fetch("pyronb", "api", "names"))
        with at_most(0.8):
            await jp_fetch("api", "status")
        assert not asking.done()

        assert body(await asking)["state"] == "unreachable"


async def test_fifty_browsers(jp_fetch, manager):
    """However many tabs poll, there is one question under way."""
    like = NameServerLike({"lab.motor": ["PYRO:a@b:1", []]})
    with serving({"Pyro.NameServer": like}) as daemon:
        manager.address, manager.cache_seconds = address_of(daemon), 60.0
        answers = await asyncio.gather(*[jp_fetch("pyronb", "api", "names") for _ in range(50)])

    assert [body(answer)["total"] for answer in answers] == [1] * 50
    assert like.calls == 1


async def test_polling_is_no_activity(jp_fetch, jp_serverapp):
    """A server that is shut down when nobody works is not kept alive by an open panel."""
    before = jp_serverapp.web_app.settings.get("api_last_activity")
    await jp_fetch("pyronb", "api", "names")

    assert before == jp_serverapp.web_app.settings.get("api_last_activity")


# Requests that are refused


@pytest.mark.parametrize(
    ("path", "query", "complaint"),
    [
        ("object", {}, "missing"),
        ("object", {"name": ""}, "missing"),
        ("object", {"name": "x" * 501}, "longer than 500"),
        ("object", [("name", "a"), ("name", "b")], "more than once"),
        ("object", {"name": b"\xff"}, "UTF-8"),
        ("names", {"fresh": "yes"}, "0 or 1"),
    ],
)
async def test_bad_requests(jp_fetch, path, query, complaint):
    """A wrong parameter is status 400 and a sentence."""
    response = await failure(jp_fetch("pyronb", "api", path, params=query))

    assert response.code == 400
    assert list(body(response)) == ["message"]
    assert complaint in body(response)["message"]


@pytest.mark.parametrize("path", ["names", "object?name=x"])
async def test_strangers_are_refused(http_server_client, jp_base_url, jp_serverapp, path):
    """Without a token there is no answer."""
    response = await failure(http_server_client.fetch(f"{jp_base_url}pyronb/api/{path}"))

    assert response.code == 403


@pytest.mark.parametrize("path", ["names", "object"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_only_reading(jp_fetch, path, method):
    """Nothing can be changed from here."""
    response = await failure(jp_fetch("pyronb", "api", path, method=method, allow_nonstandard_methods=True, body=None))

    assert response.code == 405


async def test_outside_of_the_base_url_there_is_nothing(http_server_client, jp_auth_header, jp_serverapp):
    """All routes are below the base URL."""
    response = await failure(http_server_client.fetch("/pyronb/api/names", headers=jp_auth_header))

    assert response.code == 404


async def test_authorizer_is_asked(jp_fetch, jp_serverapp):
    """Whoever is logged in may still not be allowed to see this."""
    asked = []

    class Strict(Authorizer):
        def is_authorized(self, handler, user, action, resource):
            asked.append((action, resource))
            return False

    jp_serverapp.web_app.settings["authorizer"] = Strict()
    response = await failure(jp_fetch("pyronb", "api", "names"))

    assert response.code == 403
    assert asked == [("read", "pyronb")]


async def test_our_own_mistakes_are_not_shown(jp_fetch, manager, caplog):
    """The browser gets a sentence, the log gets the traceback."""

    async def broken(**kwargs):
        raise ZeroDivisionError("a secret")

    manager.names = broken
    response = await failure(jp_fetch("pyronb", "api", "names"))

    assert response.code == 500
    assert list(body(response)) == ["message"]
    assert "secret" not in response.body.decode()
    assert "a secret" in caplog.text


async def test_stopping_server(jp_fetch, manager):
    """While the server stops, a request is told so."""
    manager.close()
    response = await failure(jp_fetch("pyronb", "api", "names"))

    assert response.code == 503
    assert "stopping" in body(response)["message"]
