"""What can be reached from outside: one truth table, seen by the rule itself, by the metadata and over the wire."""

from __future__ import annotations

import functools
import threading

import pytest

from pyronb.server.dispatch import find_method
from pyronb.server.exposure import behavior, callback, expose, is_private, members_of, oneway


def plain_decorator(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Callable:
    def __call__(self):
        return "called"


@expose
class ExposedCallable:
    def __call__(self):
        return "called"


class Unexposed:
    def of_unexposed_base(self):
        return 0

    @expose
    def single(self):
        return 0


@expose
class Exposed:
    def of_exposed_base(self):
        return 0

    def overridden(self):
        return 0


class Target(Exposed, Unexposed):
    value = 3
    helper = ExposedCallable()
    helper_class = ExposedCallable
    plain_callable = Callable()

    def __init__(self):
        self.held = ExposedCallable()
        self.own_function = lambda: 0
        self.own_exposed = self.method

    def plain(self):
        return 0

    @expose
    def method(self):
        return 0

    def overridden(self):
        return 0

    @expose
    @staticmethod
    def static_above():
        return 0

    @staticmethod
    @expose
    def static_below():
        return 0

    @expose
    @classmethod
    def class_above(cls):
        return 0

    @classmethod
    @expose
    def class_below(cls):
        return 0

    @staticmethod
    def static_plain():
        return 0

    @classmethod
    def class_plain(cls):
        return 0

    @expose
    @plain_decorator
    def decorated(self):
        return 0

    @plain_decorator
    @expose
    def decorated_inside(self):
        return 0

    @expose
    @property
    def attribute(self):
        return 0

    @property
    def plain_attribute(self):
        return 0

    @expose
    @oneway
    def fire(self):
        return 0

    @expose
    def __len__(self):
        return 0

    def __getitem__(self, key):
        return 0

    def __call__(self):
        return 0

    def _private(self):
        return 0

    def __mangled(self):
        return 0


METHODS = {
    "class_above": True,
    "class_below": True,
    "decorated": True,
    "decorated_inside": True,
    "fire": True,
    "method": True,
    "of_exposed_base": True,
    "single": True,
    "static_above": True,
    "static_below": True,
    "__len__": True,
    # its own function, exposed when it was bound
    "own_exposed": True,
    "class_plain": False,
    "overridden": False,
    "of_unexposed_base": False,
    "plain": False,
    "static_plain": False,
    "__getitem__": False,
    # no methods
    "attribute": False,
    "plain_attribute": False,
    "value": False,
    "own_function": False,
    "plain_callable": False,
    # an exposed class exposes its members, and is no method of what holds it
    "held": False,
    "helper": False,
    "helper_class": False,
    # never
    "_private": False,
    "_Target__mangled": False,
    "__call__": False,
    "__init__": False,
    "__class__": False,
    "__dict__": False,
    "__doc__": False,
    "__reduce__": False,
    "__getattribute__": False,
    "__module__": False,
    "mro": False,
    "__mro__": False,
    "__subclasses__": False,
    "__globals__": False,
    # not there, and nothing that a path could lead to
    "absent": False,
    "": False,
    "_": False,
    "__": False,
    "____": False,
    "held.__call__": False,
    "method.__globals__": False,
    "method ": False,
    "me\0thod": False,
}


@pytest.mark.parametrize(("name", "reachable"), METHODS.items())
def test_a_method_is_reachable_only_when_it_is_marked_and_public(name, reachable):
    """The truth table of names."""
    target = Target()
    if reachable:
        assert find_method(target, name, "x")() == 0
    else:
        with pytest.raises(AttributeError):
            find_method(target, name, "x")


def test_metadata_agrees_with_what_can_be_called():
    """Whatever the metadata lists as a method can be called, and whatever it lists not cannot."""
    told = members_of(Target).methods

    assert told == {name for name, reachable in METHODS.items() if reachable} - {"own_exposed"}


def test_metadata_tells_attributes_and_oneway_methods_apart():
    """Properties are attributes, oneway methods are methods too."""
    told = members_of(Target)

    assert told.attributes == {"attribute"}
    assert told.oneway == {"fire"}


def test_looking_for_a_method_runs_no_code_of_the_object():
    """Neither a property nor `__getattr__` is asked about a name from outside."""

    class Trap:
        asked = False

        @property
        def trap(self):
            type(self).asked = True

        def __getattr__(self, name):
            type(self).asked = True
            return lambda: 0

    for name in ("trap", "other"):
        with pytest.raises(AttributeError):
            find_method(Trap(), name, "x")

    assert not Trap.asked


def test_collecting_metadata_reads_no_property():
    """A property may be slow or fail; its description does not need its value."""

    @expose
    class Slow:
        @property
        def value(self) -> int:
            """What it is."""
            raise RuntimeError

    about = members_of(Slow).attribute("value")

    assert (about.type, about.doc, about.writable) == ("int", "What it is.", False)


@pytest.mark.parametrize(
    ("name", "private"),
    [
        ("a", False),
        ("a_", False),
        ("a__", False),
        ("__a__", False),
        ("__len__", False),
        ("_a", True),
        ("__a", True),
        ("__a_", True),
        ("_", True),
        ("__", True),
        ("___", True),
        ("____", True),
        ("__init__", True),
        ("__reduce_ex__", True),
        ("__getattr__", True),
    ],
)
def test_names_are_private_by_their_underscores(name, private):
    """Double-underscore names are public unless they are dangerous."""
    assert is_private(name) is private


def test_exposing_a_private_method_is_refused():
    """The mistake shows when the class is made, not when somebody calls."""
    with pytest.raises(AttributeError, match="private"):

        class Wrong:
            @expose
            def _hidden(self):
                pass


def test_exposing_something_else_is_refused():
    """Only methods, properties and classes can be exposed."""
    with pytest.raises(TypeError, match="cannot expose"):
        expose(3)


def test_expose_may_be_written_with_brackets():
    """`@expose()` is `@expose`."""

    class Thing:
        @expose()
        def method(self):
            return 1

    assert members_of(Thing).methods == {"method"}


def test_exposing_a_class_leaves_its_private_members_out():
    """Public functions, properties, static and class methods are exposed; the rest is not."""

    @expose
    class Thing:
        number = 3
        shown = property(lambda self: 1)

        def public(self):
            pass

        def _private(self):
            pass

        def __str__(self):
            return ""

        @staticmethod
        def static():
            pass

    told = members_of(Thing)

    assert told.methods == {"public", "static"}
    assert told.attributes == {"shown"}


def test_details_tell_signature_documentation_and_class():
    """What is told about a method is what a person would read in its source."""

    @expose
    class Thing:
        """A thing."""

        def method(self, a: int, *, b: str = "x") -> list[int]:
            """Do it."""

        @staticmethod
        def static(a, b=2):
            pass

    told = members_of(Thing)

    assert told.details.doc == "A thing."
    assert told.details.class_name.endswith("Thing")
    assert told.method("method").signature == "(a: int, *, b: str = 'x') -> list[int]"
    assert told.method("method").doc == "Do it."
    assert told.method("static").signature == "(a, b=2)"


def test_defaults_that_are_no_python_are_told_as_an_ellipsis():
    """All the rest of the signature can be read then."""

    @expose
    class Thing:
        def method(self, a=object(), b=threading.Lock, *, c=1.5):  # noqa: B008
            pass

    assert members_of(Thing).method("method").signature == "(a=..., b=..., *, c=1.5)"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("sometimes",), ValueError),
        ((3,), TypeError),
        ((Target,), TypeError),  # @behavior without brackets
        (("single", 3), TypeError),
    ],
)
def test_behavior_refuses_what_it_does_not_know(arguments, error):
    """A wrong mode or creator shows when the class is made."""
    with pytest.raises(error):
        behavior(*arguments)


def test_behavior_is_for_classes():
    """On a function it makes no sense."""
    with pytest.raises(TypeError):
        behavior("single")(lambda: 0)


@pytest.mark.parametrize("decorator", [oneway, callback])
def test_marks_reach_through_static_and_class_methods(decorator):
    """The decorator may stand above staticmethod and classmethod."""

    class Thing:
        @expose
        @decorator
        @classmethod
        def method(cls):
            pass

    mark = {"oneway": "_pyroOneway", "callback": "_pyroCallback"}[decorator.__name__]

    assert getattr(Thing.method, mark)
