"""What a request says, as arguments of a call."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("starlette")

from pyronb.gateway.arguments import BadRequestError, read_arguments

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("query", "kwargs"),
    [
        ("", {}),
        ("a=1", {"a": "1"}),
        ("a=1&b=two%20words", {"a": "1", "b": "two words"}),
        ("a=1&a=2", {"a": ["1", "2"]}),
        ("a=", {"a": ""}),
        ("gr%C3%B6%C3%9Fe=%E2%82%AC", {"größe": "€"}),
        ("a+b=c+d", {"a b": "c d"}),
    ],
)
def test_parameters_are_texts(query, kwargs):
    """As with Pyro's gateways; a repeated one is a list. A form says the same."""
    assert read_arguments(query).kwargs == kwargs
    found = read_arguments("", f"{FORM}; charset=utf-8", query.encode())
    assert (found.args, found.kwargs) == ([], kwargs)


@pytest.mark.parametrize(
    ("body", "args", "kwargs"),
    [
        ({"a": 1, "b": [True, None, {"c": 2.5}]}, [], {"a": 1, "b": [True, None, {"c": 2.5}]}),
        ([1, "two"], [1, "two"], {}),
        ({"$args": [1], "b": 2}, [1], {"b": 2}),
        ({}, [], {}),
        ([], [], {}),
    ],
)
def test_json_has_types(body, args, kwargs):
    """In a body, and as text in a form or a query."""
    text = json.dumps(body)
    for found in (
        read_arguments("", JSON, text.encode()),
        read_arguments("", "application/vnd.x+json; charset=utf-8", text.encode()),
        read_arguments("", FORM, f"$json={text}".encode()),
        read_arguments(f"$json={text}"),
    ):
        assert (found.args, found.kwargs) == (args, kwargs)
        assert bool(found) is bool(args or kwargs)


def test_query_and_body_come_together():
    """An argument in both is a mistake."""
    found = read_arguments("a=1&$key=k", JSON, b'{"b": 2}')

    assert (found.kwargs, found.key) == ({"a": "1", "b": 2}, "k")
    with pytest.raises(BadRequestError, match="'a' was given in two places"):
        read_arguments("a=1", JSON, b'{"a": 2}')


@pytest.mark.parametrize(
    ("query", "kind", "body"),
    [("$key=secret", "", b""), ("", FORM, b"$key=secret"), ("", JSON, b'{"$key": "secret"}')],
)
def test_the_key_is_no_argument(query, kind, body):
    """Wherever it is."""
    found = read_arguments(query, kind, body)

    assert (found.key, found.args, found.kwargs) == ("secret", [], {})


def test_an_empty_field_for_json_is_nothing():
    """As a form sends it that nobody wrote in."""
    assert not read_arguments("", FORM, b"$json=")


@pytest.mark.parametrize(
    ("query", "kind", "body", "status"),
    [
        ("", JSON, b"{", 400),
        ("", JSON, b"1", 400),
        ("", JSON, b'"text"', 400),
        ("", JSON, b"null", 400),
        ("", JSON, b'{"a": NaN}', 400),
        ("", JSON, b'{"a": -Infinity}', 400),
        ("", JSON, b'{"$args": {}}', 400),
        ("", JSON, b"\xff{}", 400),
        ("", JSON, b"[" * 100_000, 400),
        ("", FORM, b"\xff=1", 400),
        ("", FORM, b"&".join(b"a=1" for _ in range(2000)), 400),
        ("a=%FF", "", b"", 400),
        ("$json=[", "", b"", 400),
        ("", "text/plain", b"a=1", 415),
        ("", "", b"{}", 415),
        ("", "multipart/form-data; boundary=x", b"--x--", 415),
    ],
)
def test_nonsense_has_a_status(query, kind, body, status):
    """And a reason."""
    with pytest.raises(BadRequestError, match=r"\w") as caught:
        read_arguments(query, kind, body)

    assert caught.value.status == status


@given(st.text(), st.sampled_from([JSON, FORM, "", "x"]), st.binary(max_size=200))
def test_no_request_raises_anything_else(query, kind, body):
    """Whatever bytes come."""
    with contextlib.suppress(BadRequestError):
        found = read_arguments(query, kind, body)
        assert all(isinstance(name, str) for name in found.kwargs)
