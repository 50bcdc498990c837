"""The HTTP face, in a real Jupyter server: who may ask, what is a bad request, and what comes back."""

from __future__ import annotations

import asyncio
import json

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from pyronb.config import config
from pyronb.jupyter.models import HealthModel, ListingModel, NameServersModel, ObjectModel, ValuesModel
from tests.jupyter.server.peers import (
    HOST,
    HOSTILE,
    Motor,
    NameServerLike,
    address_of,
    listening,
    nameserver,
    register,
    serving,
    silent,
)
from tests.support.programs import free_port
from tests.support.waiting import scaled

EXTENSION = "pyronb"


@pytest.fixture
def address():
    """Where the server looks for its name server; tests choose another by parametrizing it indirectly."""
    return f"{HOST}:{free_port()}"


@pytest.fixture
def jp_server_config(address):
    return {
        "ServerApp": {"jpserver_extensions": {EXTENSION: True}, "allow_unauthenticated_access": False},
        "PyronbServer": {"name_server": address, "timeout": scaled(5), "interval": scaled(2)},
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
    """The answer is a ListingModel, under the base URL."""
    with nameserver(int(address.partition(":")[2])) as daemon:
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1", {HOSTILE})
        response = await jp_fetch("pyronb", "api", "names")

    model = body(response)
    assert response.code == 200
    assert set(model) == set(ListingModel.__annotations__)
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


async def test_what_is_asked_for(jp_fetch, manager):
    """All parameters get to the manager."""
    asked = []
    real = manager.names

    async def names(*args, **kwargs):
        asked.append((*args, *kwargs.values()))
        return await real()

    manager.names = names
    await jp_fetch("pyronb", "api", "names")
    query = {"ns": "lab:9090", "mark": "a-1", "wait": "2.5", "fresh": "1", "every": "7"}
    await jp_fetch("pyronb", "api", "names", params=query)

    assert asked == [("", "", 0.0, False, 0.0), ("lab:9090", "a-1", 2.5, True, 7.0)]


async def test_change_is_told_to_who_waits(jp_fetch, address):
    """The answer to a question with a mark holds what has changed since, and comes when it does."""
    with nameserver(int(address.partition(":")[2])) as daemon:
        first = body(await jp_fetch("pyronb", "api", "names"))
        query = {"mark": first["mark"], "wait": "20"}
        waiting = asyncio.ensure_future(jp_fetch("pyronb", "api", "names", params=query))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        daemon.nameserver.register("lab.new", "PYRO:x@h:1")
        second = body(await waiting)

    assert (second["complete"], [row["name"] for row in second["names"]]) == (False, ["lab.new"])


async def test_health(jp_fetch, address):
    """The answer holds a HealthModel for each object that is registered."""
    with nameserver(int(address.partition(":")[2])) as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        query = [("name", "lab.motor"), ("name", "lab.unknown"), ("fresh", "1")]
        (model,) = body(await jp_fetch("pyronb", "api", "health", params=query))["objects"]

    assert set(model) == set(HealthModel.__annotations__)
    assert (model["name"], model["state"]) == ("lab.motor", "ok")


async def test_name_servers(jp_fetch, address):
    """Which there are; one more, and one less."""
    with nameserver() as daemon:
        before = body(await jp_fetch("pyronb", "api", "nameservers"))
        other = {"ns": address_of(daemon)}
        added = body(await jp_fetch("pyronb", "api", "nameservers", params=other, method="POST", body=""))
        names = body(await jp_fetch("pyronb", "api", "names", params=other))
        after = body(await jp_fetch("pyronb", "api", "nameservers", params=other, method="DELETE"))

    assert set(before) == set(NameServersModel.__annotations__)
    assert [row["address"] for row in added["nameservers"]] == [address, address_of(daemon)]
    assert names["nameserver"]["address"] == address_of(daemon)
    assert after == before


async def test_name_server_inside(jp_fetch, monkeypatch):
    """It is started and stopped by a request."""
    monkeypatch.setitem(config._values, "NS_PORT", free_port())
    started = body(await jp_fetch("pyronb", "api", "embedded", method="POST", body=""))
    stopped = body(await jp_fetch("pyronb", "api", "embedded", method="DELETE"))

    assert [len(model["nameservers"]) for model in (started, stopped)] == [2, 1]


async def test_unregister(jp_fetch, address):
    """A name is removed; what became of it is a state."""
    with nameserver(int(address.partition(":")[2])) as daemon:
        register(daemon, "lab.motor", "PYRO:motor@127.0.0.1:1")
        query = {"name": "lab.motor", "uri": "PYRO:motor@127.0.0.1:1"}
        gone = body(await jp_fetch("pyronb", "api", "names", params=query, method="DELETE"))
        again = body(await jp_fetch("pyronb", "api", "names", params=query, method="DELETE"))

    assert (gone["state"], again["state"]) == ("ok", "unknown")


@pytest.mark.parametrize("path", ["names", "object?name=x", "health?name=x"])
async def test_name_servers_that_are_not_known_are_not_asked(jp_fetch, jp_serverapp, path):
    """A request cannot make this server connect anywhere; a user has to add the name server first."""
    like = NameServerLike()
    with serving({"Pyro.NameServer": like}) as other:
        path, _, query = path.partition("?")
        params = dict([part.split("=") for part in query.split("&") if part], ns=address_of(other))
        response = await failure(jp_fetch("pyronb", "api", path, params=params))

    assert response.code == 409
    assert address_of(other) in body(response)["message"]
    assert like.calls == 0


async def test_what_is_not_allowed(jp_fetch, manager):
    """It is 403, with a sentence."""
    manager.read_only, manager.may_add = True, False
    query = {"ns": "other:9090", "name": "x", "uri": "PYRO:x@h:1"}
    for path, method, text in (
        ("names", "DELETE", None),
        ("embedded", "POST", ""),
        ("embedded", "DELETE", None),
        ("nameservers", "POST", ""),
    ):
        response = await failure(jp_fetch("pyronb", "api", path, params=query, method=method, body=text))
        assert response.code == 403
        assert "The Jupyter server allows" in body(response)["message"]


async def test_server_goes_on_while_a_peer_is_silent(jp_fetch, manager):
    """A silent name server holds up its own answer, and nothing else."""
    with listening(silent) as silent_address:
        await manager.add(silent_address)
        asking = asyncio.ensure_future(jp_fetch("pyronb", "api", "names", params={"ns": silent_address}))
        await jp_fetch("api", "status")
        assert not asking.done()

    # The peer has hung up.
    assert body(await asking)["state"] == "unreachable"


async def test_fifty_browsers(jp_fetch, manager):
    """However many tabs there are, there is one question under way."""
    like = NameServerLike({"lab.motor": ["PYRO:a@b:1", []]})
    with serving({"Pyro.NameServer": like}) as daemon:
        await manager.add(address_of(daemon))
        query = {"ns": address_of(daemon), "every": "60"}
        answers = await asyncio.gather(*[jp_fetch("pyronb", "api", "names", params=query) for _ in range(50)])

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
        ("names", {"wait": "long"}, "number of seconds"),
        ("names", {"wait": "31"}, "from 0 to 30"),
        ("names", {"every": "nan"}, "number of seconds"),
        ("names", {"mark": "x" * 501}, "longer than 500"),
        ("health", [("name", "x")] * 101, "more than 100 times"),
        ("health", {"name": "x" * 501}, "longer than 500"),
    ],
)
async def test_bad_requests(jp_fetch, path, query, complaint):
    """A wrong parameter is status 400 and a sentence."""
    response = await failure(jp_fetch("pyronb", "api", path, params=query))

    assert response.code == 400
    assert list(body(response)) == ["message"]
    assert complaint in body(response)["message"]


VERBS = [
    ("names", "GET"),
    ("names", "DELETE"),
    ("object", "GET"),
    ("health", "GET"),
    ("values", "POST"),
    ("nameservers", "GET"),
    ("nameservers", "POST"),
    ("nameservers", "DELETE"),
    ("embedded", "POST"),
    ("embedded", "DELETE"),
]


@pytest.mark.parametrize(("path", "method"), VERBS)
async def test_strangers_are_refused(http_server_client, jp_base_url, jp_serverapp, path, method):
    """Without a token there is no answer, and nothing is done."""
    url = f"{jp_base_url}pyronb/api/{path}?ns=a&name=x&uri=PYRO:x@h:1"
    response = await failure(http_server_client.fetch(url, method=method, allow_nonstandard_methods=True))

    assert response.code == 403


@pytest.mark.parametrize(("path", "method"), [verb for verb in VERBS if verb[1] != "GET"])
async def test_other_pages_cannot_have_anything_done(http_server_client, jp_base_url, jp_serverapp, path, method):
    """A browser that is logged in by its cookie, but does not send the token against forgery, is refused."""
    token = jp_serverapp.identity_provider.token
    page = await http_server_client.fetch(f"{jp_base_url}api/me?token={token}")
    cookies = {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in page.headers.get_list("Set-Cookie"))}
    url = f"{jp_base_url}pyronb/api/{path}?ns=a&name=x&uri=PYRO:x@h:1"
    assert (await http_server_client.fetch(f"{jp_base_url}pyronb/api/nameservers", headers=cookies)).code == 200
    response = await failure(
        http_server_client.fetch(url, method=method, headers=cookies, allow_nonstandard_methods=True)
    )

    assert response.code == 403
    assert "_xsrf" in body(response)["message"]


@pytest.mark.parametrize("path", ["names", "object", "health", "nameservers", "embedded"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
async def test_other_verbs(jp_fetch, path, method):
    """What there is no meaning for is 405."""
    if (path, method) in VERBS:
        return
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

    async def broken(*args, **kwargs):
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


async def test_values(jp_fetch, address):
    """Attributes are read by POST, for that runs code of the object; what was asked is checked."""
    with nameserver(int(address.partition(":")[2])) as daemon, serving({"motor": Motor()}) as other:
        register(daemon, "lab.motor", f"PYRO:motor@{address_of(other)}")
        ask = {"method": "POST", "allow_nonstandard_methods": True}
        params = [("name", "lab.motor"), ("attribute", "position"), ("attribute", "speed")]
        model = body(await jp_fetch("pyronb", "api", "values", params=params, **ask))
        for wrong in ([("name", "lab.motor")], [("attribute", "x")], [("name", "a"), *[("attribute", "x")] * 21]):
            assert (await failure(jp_fetch("pyronb", "api", "values", params=wrong, **ask))).code == 400
        assert (await failure(jp_fetch("pyronb", "api", "values", params=params))).code == 405

    assert set(model) == set(ValuesModel.__annotations__)
    assert {"position": 0.0, "speed": 1.0} == {name: value["number"] for name, value in model["values"].items()}
