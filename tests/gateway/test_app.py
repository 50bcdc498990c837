"""The gateway as it is seen over HTTP."""

from __future__ import annotations

import json
import threading
import uuid

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from starlette.applications import Starlette
from starlette.routing import Mount

from pyronb.gateway.app import make_app
from pyronb.gateway.options import GatewayOptions
from tests.support.programs import free_port
from tests.support.serving import LOCAL, client_options, serving
from tests.support.waiting import eventually, scaled

FORM = "application/x-www-form-urlencoded"
JSON = "application/json; charset=utf-8"


# Calls


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("add?a=x&b=y", "xy"),
        ("keywords?a=1&a=2&gr%C3%B6%C3%9Fe=&c=%E2%82%AC", {"a": ["1", "2"], "größe": "", "c": "€"}),
        ("level", 1.5),
        ("nothing", None),
        ("odd_numbers", {"a": [None, None, 1.5], "b": "NaN"}),
        ("stranger", {"__class__": "elsewhere.Thing", "x": 1}),
        ("add?$json=[1]", 3),
        ('add?$json={"$args":[1],"b":5}', 6),
    ],
)
def test_get_calls_with_texts(web, path, value):
    """And the answer is JSON, whatever classes are in it."""
    answer = web.get(f"/pyro/http.lab/{path}")

    assert (answer.status, answer.headers["content-type"]) == (200, JSON)
    assert answer.json == value
    assert uuid.UUID(answer.headers["x-pyro-correlation-id"])


def test_post_calls_with_types(web):
    """By keyword, by position, or both; or with texts, as a form sends them."""
    for body in ({"a": 1, "b": 2.5}, [1, 2.5], {"$args": [1], "b": 2.5}):
        answer = web.post("/pyro/http.lab/add", body)
        assert (answer.status, answer.json) == (200, 3.5)
    assert web.post("/pyro/http.lab/add?a=x", {"b": "y"}).json == "xy"
    assert web.post("/pyro/http.lab/add", b"a=x&b=y", Content_Type=FORM).json == "xy"
    assert web.post("/pyro/http.lab/add", b"$json=[1]", Content_Type=FORM).json == 3
    assert web.ask("POST", "/pyro/http.lab/add?a=x&b=y").json == "xy"
    deep = {"a": [{"b": ["größe", None, True]}]}
    assert web.post("/pyro/http.lab/keywords", deep).json == deep


def test_members(web):
    """Their names are told."""
    answer = web.get("/pyro/http.lab/$meta")

    assert answer.status == 200
    assert answer.json["attributes"] == ["level"]
    assert {"add", "boom", "fire"} <= set(answer.json["methods"])


def test_names_with_odd_characters(web, names, lab):
    """A name may have slashes and more."""
    names.nameserver.register("http.a/b ü?#", lab._pyroDaemon.uriFor(lab))

    assert web.get("/pyro/http.a/b%20%C3%BC%3F%23/add?a=x&b=y").json == "xy"
    assert web.get("/pyro/http.a%2Fb%20%C3%BC%3F%23/add?a=x&b=y").json == "xy"


def test_oneway(web, lab):
    """By the method itself or by a header: an empty answer at once."""
    for path, headers in (("fire", {}), ("hold", {"X_Pyro_Options": "other, oneway"})):
        answer = web.get(f"/pyro/http.lab/{path}", **headers)
        assert (answer.status, answer.body) == (200, b"")
    assert lab.fired.wait(scaled(5))


def test_correlation(web):
    """The id of a request is the one of the call, and comes back."""
    given = str(uuid.uuid4())
    answer = web.get("/pyro/http.lab/correlation", X_Pyro_Correlation_Id=given)
    assert (answer.json, answer.headers["x-pyro-correlation-id"]) == (given, given)
    answer = web.get("/pyro/http.lab/correlation")
    assert answer.json == answer.headers["x-pyro-correlation-id"]
    assert web.get("/pyro/http.lab/correlation", X_Pyro_Correlation_Id="x").status == 400


@pytest.mark.parametrize(
    ("path", "kind", "text"),
    [
        ("http.lab/boom", "builtins.KeyError", "größe"),
        ("http.lab/add", "builtins.TypeError", "argument"),
        ("http.lab/absent", "builtins.AttributeError", "absent"),
        ("http.lab/_level", "builtins.AttributeError", "_level"),
        ("http.lab/__class__", "builtins.AttributeError", "__class__"),
        ("http.lab/level?a=1", "builtins.TypeError", "attribute"),
        ("http.absent/add", "Pyro5.errors.NamingError", "unknown name: http.absent"),
    ],
)
def test_errors_are_exceptions_in_json(web, path, kind, text):
    """As Pyro's gateways write them; the gateway goes on."""
    answer = web.get(f"/pyro/{path}")

    assert (answer.status, answer.headers["content-type"]) == (500, JSON)
    assert (answer.json["__class__"], answer.json["__exception__"]) == (kind, True)
    assert text in answer.json["args"][0]
    assert web.get("/pyro/http.lab/level").status == 200


@pytest.mark.parametrize("inside", ["", "?inside=true"])
def test_what_json_has_no_form_for(web, inside):
    """What pyronb ends send beside the payload is not for browsers: an error says what to send."""
    answer = web.get(f"/pyro/http.lab/array{inside}")

    assert 500 == answer.status
    assert "tolist()" in answer.json["args"][0]
    assert 200 == web.get("/pyro/http.lab/level").status


def test_an_exception_has_its_traceback(web):
    """For whoever has to find the mistake."""
    assert "KeyError" in "".join(web.get("/pyro/http.lab/boom").json["attributes"]["_pyroTraceback"])


# Streams


def test_an_iterator_is_sent_line_by_line(web):
    """Each line is JSON."""
    answer = web.post("/pyro/http.lab/items", {"count": 1000})

    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson; charset=utf-8")
    assert [json.loads(line) for line in answer.text.splitlines()] == list(range(1000))
    assert web.post("/pyro/http.lab/items", {"count": 0}).body == b""
    shown = web.post("/pyro/http.lab/items", {"count": 1}, Accept="text/html,*/*")
    assert shown.headers["content-type"].startswith("text/plain")


def test_a_stream_that_breaks_says_so_in_its_last_line(web):
    """An item with a line break in it is one line all the same."""
    first, last = web.get("/pyro/http.lab/broken_items").text.splitlines()

    assert json.loads(first) == "a\nb"
    assert (json.loads(last)["__class__"], json.loads(last)["args"]) == ("builtins.ValueError", ["no more"])


def test_a_stream_has_limits(gateway, lab):
    """Of items and of time; the iterator is closed over there."""
    with gateway(stream_items=10) as web:
        lines = web.get("/pyro/http.lab/endless").text.splitlines()
        assert [json.loads(line) for line in lines[:-1]] == ["x" * 100] * 10
        assert json.loads(lines[-1])["__exception__"] is True
        assert lab.closed.wait(scaled(5))
    with gateway(stream_timeout=0.2) as web:
        lines = web.get("/pyro/http.lab/endless").text.splitlines()
        assert json.loads(lines[-1])["__class__"] == "Pyro5.errors.TimeoutError"


def test_a_reader_who_leaves_ends_the_stream(web, lab):
    """Nothing goes on for nobody."""
    connection = web.connection()
    connection.request("GET", "/pyro/http.lab/endless")
    answer = connection.getresponse()
    assert answer.read(1000)
    answer.close()
    connection.close()

    assert lab.closed.wait(scaled(10))


# Who may


def test_only_exposed_names_can_be_reached(web):
    """Whether they exist or not."""
    for path in ("private.lab/add?a=x", "absent/add", "private.lab/$meta", "Pyro.NameServer/list", "xhttp.lab/add"):
        answer = web.get(f"/pyro/{path}")
        assert (answer.status, answer.headers["content-type"]) == (403, "text/plain; charset=utf-8")
    assert web.get("/pyro/?name=private.lab").status == 403


def test_all_names_can_be_exposed(gateway):
    """With an empty pattern."""
    with gateway(expose="") as web:
        assert web.get("/pyro/private.lab/add?a=x&b=y").json == "xy"
        assert "private.lab" in web.get("/pyro/").text


def test_a_pattern_that_is_none_is_refused():
    """At once."""
    with pytest.raises(ValueError, match="no regular expression"):
        GatewayOptions(expose="(")


def test_a_key_is_needed_where_there_is_one(gateway):
    """In a header, a parameter, a form or JSON; the index asks for it."""
    with gateway(key="schlüssel") as web:
        coded = "schl%C3%BCssel"
        for path in ("/pyro/http.lab/level", "/pyro/http.lab/$meta", "/pyro/", "/pyro/http.lab/level?$key=x"):
            assert web.get(path).status == 403
        assert web.get("/pyro/http.lab/level", X_Pyro_Gateway_Key="wrong").status == 403
        assert web.get(f"/pyro/http.lab/level?$key={coded}").json == 1.5
        assert web.post("/pyro/http.lab/add", {"a": 1, "$key": "schlüssel"}).json == 3
        assert web.post("/pyro/http.lab/add", f"a=x&b=y&$key={coded}".encode(), Content_Type=FORM).json == "xy"
        page = web.post("/pyro/", f"$key={coded}".encode(), Content_Type=FORM)
        assert (page.status, "http.lab" in page.text) == (200, True)
        assert "not the right one" in web.post("/pyro/", b"$key=x", Content_Type=FORM).text
        assert "http.lab" not in web.get("/pyro/").text
    with gateway(key="plain") as web:
        assert web.get("/pyro/http.lab/level", X_Pyro_Gateway_Key="plain").json == 1.5


ELSEWHERE = [
    {"Origin": "http://evil.example"},
    {"Sec_Fetch_Site": "cross-site"},
    {"Sec_Fetch_Site": "same-site"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
def test_pages_of_other_origins_cannot_call(web, lab, headers):
    """Not even without reading the answer."""
    assert web.get("/pyro/http.lab/fire", **headers).status == 403
    assert web.post("/pyro/http.lab/fire", {}, **headers).status == 403
    assert not lab.fired.is_set()
    # To go to the index is harmless.
    assert web.get("/pyro/", **headers).status == 200


def test_own_pages_and_programs_can_call(web):
    """They say so, or they are no browser."""
    here = f"http://{LOCAL}:{web.port}"
    for headers in (
        {},
        {"Origin": here},
        {"Sec_Fetch_Site": "same-origin", "Origin": here},
        {"Sec_Fetch_Site": "none"},
    ):
        answer = web.get("/pyro/http.lab/level", **headers)
        assert answer.status == 200
        assert "access-control-allow-origin" not in answer.headers


def test_origins_can_be_allowed(gateway):
    """Some, or all."""
    friend = {"Origin": "https://friend.example", "Sec_Fetch_Site": "cross-site"}
    with gateway(cors="https://friend.example, https://other.example") as web:
        answer = web.get("/pyro/http.lab/level", **friend)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "https://friend.example")
        assert answer.headers["vary"] == "Origin"
        assert web.get("/pyro/http.lab/level", **ELSEWHERE[0]).status == 403
    with gateway(cors="*") as web:
        for headers in (friend, *ELSEWHERE):
            answer = web.get("/pyro/http.lab/level", **headers)
            assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")
        answer = web.ask("OPTIONS", "/pyro/http.lab/level", **friend)
        assert (answer.status, answer.body) == (200, b"200 OK")
        assert answer.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
        assert "Content-Type" in answer.headers["access-control-allow-headers"]


def test_names_of_the_gateway_itself(gateway):
    """A page cannot point a name of its own at it."""
    with gateway(hosts=(LOCAL, "::1")) as web:
        assert web.get("/pyro/http.lab/level").status == 200
        assert web.get("/pyro/http.lab/level", Host="[::1]:80").status == 200
        for host in ("evil.example", f"evil.example:{web.port}", f"{LOCAL}.evil.example"):
            assert web.get("/pyro/http.lab/level", Host=host).status == 403
            assert web.get("/pyro/", Host=host).status == 403


def test_calls_can_be_for_post_alone(gateway, lab):
    """Then no link and no image makes one."""
    with gateway(post_only=True) as web:
        answer = web.get("/pyro/http.lab/fire")
        assert (answer.status, answer.headers["allow"]) == (405, "POST, OPTIONS")
        assert web.get("/pyro/http.lab/level").status == 405
        assert not lab.fired.is_set()
        assert web.get("/pyro/http.lab/$meta").status == 200
        assert web.get("/pyro/").status == 200
        assert web.post("/pyro/http.lab/add", [1]).json == 3


# What makes no sense


def test_places(web):
    """Where there is nothing, and what leads to the index."""
    for path in ("/x", "/pyro/http.lab", "/pyro/http.lab/", "/pyro//", "/favicon.ico"):
        assert web.get(path).status == 404, path
    for path in ("/", "/pyro"):
        answer = web.get(path)
        assert (answer.status, answer.headers["location"]) == (302, "/pyro/")
    for method in ("PUT", "DELETE", "HEAD", "PATCH"):
        assert web.ask(method, "/pyro/http.lab/level").status == 405


def test_headers_that_make_no_sense(gateway):
    """They get an answer like others."""
    with gateway(hosts=(LOCAL,)) as web:
        assert web.get("/pyro/http.lab/level", Host="[").status == 400
        assert web.get("/pyro/http.lab/level", Host="").status == 403
        assert web.get("/pyro/http.lab/level", Origin="http://[").status == 400
        assert web.get("/pyro/http.lab/level", Content_Length="x").status == 400
        assert web.get("/pyro/%FF%00/x").status == 403
        assert web.get("/pyro/http.lab/%FF").status == 500
        assert web.get("/pyro/http.lab/level").status == 200
    with gateway() as web:
        assert web.get("/pyro/http.lab/level?$json=", Host="[").status == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"3", "application/json", 400),
        (b"\xff", FORM, 400),
        (b"x", "text/plain", 415),
        (b"x" * 3000, "application/json", 413),
    ],
)
def test_bodies_that_make_no_sense(gateway, body, kind, status):
    """Are refused before anything is called, in JSON."""
    with gateway(max_body=2000) as web:
        answer = web.post("/pyro/http.lab/add", body, Content_Type=kind)
        assert (answer.status, answer.headers["content-type"]) == (status, JSON)
        assert answer.json["__class__"] == "builtins.ValueError"
        pieces = web.connection()
        pieces.request("POST", "/pyro/http.lab/add", iter([body]), {"Content-Type": kind}, encode_chunked=True)
        assert pieces.getresponse().status == status
        pieces.close()


# Time and trouble


def test_a_call_has_its_time(gateway, lab):
    """The one that takes too long is given up; others go on."""
    with gateway(timeout=scaled(1)) as web:
        answer = web.get("/pyro/http.lab/hold")
        assert (answer.status, answer.json["__class__"]) == (504, "Pyro5.errors.TimeoutError")
        assert web.get("/pyro/http.lab/level").status == 200


def test_there_are_only_so_many_calls_at_a_time(gateway, lab):
    """Whoever finds no place in time can come again."""
    with gateway(concurrency=1, patience=0.1) as web:
        answers = []
        first = threading.Thread(target=lambda: answers.append(web.get("/pyro/http.lab/hold")))
        first.start()
        eventually(lambda: lab._pyroDaemon._engine.workers and web.get("/pyro/http.lab/level").status == 503, 10)
        answer = web.get("/pyro/http.lab/level")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        lab.leave.set()
        first.join(scaled(10))
        assert answers[0].json == "held"
        eventually(lambda: web.get("/pyro/http.lab/level").status == 200)


def test_an_answer_has_its_size(gateway):
    """What is larger is not even read."""
    with gateway(max_answer=20_000) as web:
        assert web.post("/pyro/http.lab/keywords", {"a": "x" * 10_000}).status == 200
        answer = web.post("/pyro/http.lab/keywords", {"a": "x" * 20_000})
        assert (answer.status, answer.json["__class__"]) == (502, "Pyro5.errors.MessageTooLargeError")
        assert web.get("/pyro/http.lab/level").status == 200


def test_an_object_that_is_gone(web, names, lab):
    """And one that was never there."""
    names.nameserver.register("http.gone", f"PYRO:x@{LOCAL}:{free_port()}")
    names.nameserver.register("http.other", f"PYRO:absent@{lab._pyroDaemon.locationStr}")
    for name in ("http.gone", "http.other"):
        answer = web.get(f"/pyro/{name}/x")
        assert answer.status == 502
        assert answer.json["__exception__"] is True


def test_without_a_name_server(gateway, names):
    """It is found again when it is back."""
    with gateway() as web:
        assert web.get("/pyro/http.lab/level").status == 200
        names.close()
        answer = web.get("/pyro/http.lab/level")
        assert (answer.status, answer.json["__class__"]) == (502, "Pyro5.errors.NamingError")
        page = web.get("/pyro/")
        assert (page.status, "pyronb ns" in page.text) == (502, True)


def test_a_daemon_that_started_anew(gateway, names, lab):
    """Its new address holds from the next request on, and no kept connection is used that is dead."""
    with gateway(keep=2) as web:
        assert web.get("/pyro/http.lab/level").json == 1.5
        daemon = lab._pyroDaemon
        daemon.close()
        assert web.get("/pyro/http.lab/level").status == 502
        with serving() as again:
            lab.level = 7
            names.nameserver.register("http.lab", again.register(lab))
            assert web.get("/pyro/http.lab/level").json == 7


def test_each_request_has_a_session_of_its_own(gateway):
    """Unless connections are kept."""
    with gateway() as web:
        assert [web.get("/pyro/http.counter/count").json for _ in range(3)] == [1, 1, 1]
    with gateway(keep=1, idle=30) as web:
        assert [web.get("/pyro/http.counter/count").json for _ in range(3)] == [1, 2, 3]


def test_kept_connections_are_closed_when_nobody_needs_them(gateway, lab):
    """They hold a worker of the daemon, or a thread of a real Pyro's."""
    with gateway(keep=4, idle=0.1) as web:
        assert web.get("/pyro/http.lab/level").status == 200
        eventually(lambda: lab._pyroDaemon._engine.clients == 0, 10)


def test_stopping_does_not_wait_for_a_call(gateway, lab):
    """Nor does it leave threads behind."""
    with gateway() as web:
        connection = web.connection()
        connection.request("GET", "/pyro/http.lab/hold")
        eventually(lambda: lab._pyroDaemon._engine.clients > 0)
    connection.close()


# Pages


def test_the_index(web):
    """Lists the exposed objects with what they have."""
    page = web.get("/pyro/")

    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    for text in ("http.lab", "http.counter", "class:Lab", "An object to call.", "boom", "level"):
        assert text in page.text
    assert "private.lab" not in page.text


def test_an_object_has_a_page(web):
    """With a form for each member; and why it has none."""
    page = web.get("/pyro/?name=http.lab")
    assert page.status == 200
    assert 'action="http.lab/add"' in page.text
    page = web.get("/pyro/?name=http.absent")
    assert (page.status, "unknown name: http.absent" in page.text) == (500, True)


def test_a_hostile_name_is_only_a_name(web, names, lab):
    """On the index, and on its page."""
    name = "http.<script>alert(1)</script>\"'"
    names.nameserver.register(name, lab._pyroDaemon.uriFor(lab), metadata=["<b>"])
    for path in ("/pyro/", "/pyro/?name=http.%3Cscript%3Ealert(1)%3C/script%3E%22'"):
        page = web.get(path)
        assert page.status == 200
        assert "<script" not in page.text
        assert "<b>x" not in page.text
        assert "&lt;script&gt;" in page.text


def test_it_can_be_mounted(names, lab):
    """Below another application, with links that stay below."""
    inner = make_app(client=client_options())
    outer = Starlette(routes=[Mount("/tools", inner)])
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/tools/",
        "root_path": "",
        "query_string": b"",
        "headers": [],
        "server": (LOCAL, 80),
        "scheme": "http",
    }
    step = outer(scope, receive, send).__await__()
    with pytest.raises(StopIteration):
        next(step)

    assert dict(sent[0]["headers"])[b"location"] == b"/tools/pyro/"
    inner.state.gateway.close()
