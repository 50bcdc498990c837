"""SER: serialization."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import sys
import types
import uuid

import pytest

import pyronb

SAFE = ("serpent", "json", "marshal", "msgpack")


@pyronb.expose
class Echo:
    """Gives back what it gets."""

    def echo(self, value):
        return value

    def serializer(self):
        return pyronb.current_context.serializer_id


class Custom:
    """A class that the other side does not know."""

    def __init__(self):
        self.field = 1


@pytest.fixture
def echo(serve):
    """Give the address of one."""
    return serve(echo=Echo()).uriFor("echo")


@pytest.mark.parametrize("serializer", SAFE)
def test_s20_arguments_and_results(echo, serializer):
    """They cross the network, within the limits of the serializer."""
    pyronb.config.SERIALIZER = serializer
    value = {"list": [1, -2.5, None, True], "text": "größe"}
    with pyronb.Proxy(echo) as p:
        assert value == p.echo(value)
        with pytest.raises(pyronb.errors.SerializeError):
            p.echo(sys)
        assert value == p.echo(value)


def test_s21_serpent_is_the_default(echo):
    """It is there, takes many types, and gives some of them back as something else."""
    assert "serpent" == pyronb.config.SERIALIZER
    day, number = dt.date(2026, 3, 1), uuid.UUID(int=5)
    with pyronb.Proxy(echo) as p:
        assert (1, 2) == p.echo((1, 2))
        assert {1, 2} == p.echo({1, 2})
        assert 1 + 2j == p.echo(1 + 2j)
        assert (day.isoformat(), str(number), "1.10") == p.echo((day, number, decimal.Decimal("1.10")))
        assert "base64" == p.echo(b"bytes")["encoding"]


def test_s22_json_with_another_module(echo):
    """It takes fewer types, and JSON_MODULE names who does the work."""
    used = []
    module = types.ModuleType("loud_json")

    def dumps(*args, **kwargs):
        used.append(sorted(kwargs))
        return json.dumps(*args, **kwargs)

    module.dumps, module.loads = dumps, json.loads
    sys.modules["loud_json"] = module
    try:
        pyronb.config.SERIALIZER, pyronb.config.JSON_MODULE = "json", "loud_json"
        with pyronb.Proxy(echo) as p:
            assert [1, [2, 3]] == p.echo((1, {2, 3}))
            assert used
            assert any("default" in names for names in used)
            with pytest.raises(pyronb.errors.SerializeError):
                p.echo({(1, 2): "a key that is no text"})
    finally:
        del sys.modules["loud_json"]


def test_s23_marshal_takes_builtins(echo):
    """Builtin types go as they are; classes of one's own do not."""
    pyronb.config.SERIALIZER = "marshal"
    value = [1, 2.5, "text", b"bytes", (1, 2), {3}, {"key": None}, 1 + 2j]
    with pyronb.Proxy(echo) as p:
        assert value == p.echo(value)
        with pytest.raises(pyronb.errors.SerializeError, match="Custom"):
            p.echo(Custom())


@pytest.mark.parametrize("serializer", SAFE)
def test_s26_serializer_by_name(echo, serializer):
    """The setting selects it, and so does a proxy's own."""
    with pyronb.Proxy(echo) as p:
        default = p.serializer()
        p._pyroSerializer = serializer
        chosen = p.serializer()
    pyronb.config.SERIALIZER = serializer
    with pyronb.Proxy(echo) as p:
        assert chosen == p.serializer()
        assert (chosen == default) == (serializer == "serpent")


def test_s26_unknown_serializer(echo):
    """It is refused at once, by name, with those that there are; a proxy keeps the one that it had."""
    with pytest.raises(ValueError, match=r"yaml.*serpent"):
        pyronb.config.SERIALIZER = "yaml"
    with pyronb.Proxy(echo) as p:
        with pytest.raises(pyronb.errors.SerializeError, match=r"yaml.*serpent"):
            p._pyroSerializer = "yaml"
        assert "serpent" == p._pyroSerializer


def test_s28_strings_and_dicts(echo):
    """Some types become text or dicts, and text is always unicode."""
    with pyronb.Proxy(echo) as p:
        text = p.echo("naïve ☃")

        assert (str, "naïve ☃") == (type(text), text)
        assert str is type(p.echo(uuid.uuid4()))
        assert dict is type(p.echo(b"\xff"))


def test_s29_accepted_by_default():
    """Those that can do no harm, and no others."""
    assert isinstance(pyronb.config.SERIALIZERS_ACCEPTED, set)
    assert {"serpent", "json", "marshal"} <= pyronb.config.SERIALIZERS_ACCEPTED
    assert not {"pickle", "dill", "cloudpickle"} & pyronb.config.SERIALIZERS_ACCEPTED


def test_s30_serializer_that_is_not_accepted(serve):
    """The exception says that it is the serializer, and which ones would do."""
    pyronb.config.SERIALIZERS_ACCEPTED = {"json"}
    uri = serve(echo=Echo()).uriFor("echo")
    with pytest.raises(pyronb.errors.CommunicationError, match=r"serializer that is not accepted: serpent.*json"):
        pyronb.Proxy(uri)._pyroBind()
    pyronb.config.SERIALIZER = "json"
    with pyronb.Proxy(uri) as p:
        assert 5 == p.echo(5)


@pytest.mark.parametrize("serializer", SAFE)
def test_s31_answer_in_the_serializer_of_the_request(echo, serializer):
    """Whatever the server itself would use."""
    with pyronb.Proxy(echo) as p:
        p._pyroSerializer = serializer
        number = p.serializer()
        p._pyroRawWireResponse = True

        assert number == p.echo(5).serializer_id
