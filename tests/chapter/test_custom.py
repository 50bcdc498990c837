"""CUST: changing the way your custom classes are (de)serialized."""

from __future__ import annotations

import inspect

import pytest

import pyronb

SAFE = ("serpent", "json", "marshal", "msgpack")


class Point:
    """A class of the program's own."""

    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    __hash__ = None


NAME = f"{Point.__module__}.{Point.__name__}"


@pyronb.expose
class Echo:
    """Gives back what it gets, and tells what it got."""

    def echo(self, value):
        return value

    def kind(self, value):
        return type(value).__name__

    def point(self):
        return Point(1, 2)

    def where(self, value):
        return str(value if isinstance(value, pyronb.URI) else value._pyroUri)


@pytest.fixture(params=SAFE)
def echo(serve, request):
    """Give a proxy, in each of the serializers."""
    with pyronb.Proxy(serve(echo=Echo()).uriFor("echo")) as p:
        p._pyroSerializer = request.param
        yield p


@pytest.fixture
def hooks():
    """Take all hooks back at the end."""
    yield pyronb.SerializerBase
    pyronb.SerializerBase.unregister_class_to_dict(Point)
    pyronb.SerializerBase.unregister_dict_to_class(NAME)


def to_dict(point):
    return {"__class__": NAME, "at": [point.x, point.y]}


def from_dict(name, data):
    assert name == NAME
    return Point(*data["at"])


def test_s33_hooks_of_the_safe_serializers(echo, hooks):
    """They hold for each of them."""
    hooks.register_class_to_dict(Point, to_dict)
    hooks.register_dict_to_class(NAME, from_dict)

    assert Point(3, 4) == echo.echo(Point(3, 4))
    assert [Point(3, 4)] == echo.echo([Point(3, 4)])


def test_s34_not_turned_back(echo):
    """An instance is written as a dict with the name of its class, and never made of one: the name is refused."""
    for use in (lambda: echo.echo(Point(1, 2)), echo.point):
        with pytest.raises(pyronb.errors.SerializeError, match=f"unsupported serialized class: {NAME}"):
            use()
    assert 5 == echo.echo(5)


def test_s35_classes_of_the_library(echo):
    """Addresses and proxies arrive as what they are."""
    uri = pyronb.URI("PYRO:object@somewhere:9999")

    assert uri == echo.echo(uri)
    assert "URI" == echo.kind(uri)
    assert str(uri) == echo.where(pyronb.Proxy(uri))
    back = echo.echo(pyronb.Proxy(uri))
    assert isinstance(back, pyronb.Proxy)
    assert uri == back._pyroUri


def test_s36_class_to_dict(echo, hooks):
    """It changes what is written: here, a dict of no class at all."""
    hooks.register_class_to_dict(Point, lambda point: {"x": point.x, "y": point.y})

    assert {"x": 1, "y": 2} == echo.echo(Point(1, 2)) == echo.point()


def test_s37_dict_to_class(echo, hooks):
    """It restores instances."""
    hooks.register_dict_to_class(NAME, lambda _, data: Point(data["x"], data["y"]))

    assert Point(1, 2) == echo.point()
    assert "Point" == echo.kind(Point(1, 2))


def test_s38_unregister(echo, hooks):
    """Each can be taken back."""
    hooks.register_class_to_dict(Point, to_dict)
    hooks.register_dict_to_class(NAME, from_dict)
    assert Point(1, 2) == echo.point()
    hooks.unregister_dict_to_class(NAME)
    with pytest.raises(pyronb.errors.SerializeError):
        echo.point()
    hooks.register_dict_to_class(NAME, lambda _, data: sorted(data))
    hooks.unregister_class_to_dict(Point)

    assert {"x", "y"} <= set(echo.point())


def test_s39_a_decision_about_security(echo):
    """Nothing is made of a name that was not registered, whichever it is, and the documentation says what one does."""
    for name in ("subprocess.Popen", "builtins.object", NAME):
        with pytest.raises(pyronb.errors.PyroError, match=name):
            echo.echo({"__class__": name, "args": ["true"]})
    assert "security" in inspect.getdoc(pyronb.SerializerBase)
