"""Running a call on its object, without any network: outcomes, batches, attributes, errors."""

from __future__ import annotations

import pytest

from pyronb.context import CallContext, current_context
from pyronb.errors import DaemonError, PyroError
from pyronb.rpc.call import Call, Raised, Returned, StreamOpened
from pyronb.serializers.base import BATCH_METHOD
from pyronb.serializers.hooks import BatchError
from pyronb.server.dispatch import Caller, Dispatcher
from pyronb.server.exposure import callback, expose
from pyronb.server.instances import Instances
from pyronb.server.registry import Registry
from pyronb.server.streams import Streams


class SlottedError(Exception):
    """Takes no attributes."""

    def __setattr__(self, name, value):
        if name == "_pyroTraceback":
            raise AttributeError(name)
        super().__setattr__(name, value)


@expose
class Thing:
    def __init__(self):
        self.done = []
        self._value = 1
        self._getter_only = 2

    def add(self, a, b=10):
        self.done.append("add")
        return a + b

    def fail(self, error=None):
        self.done.append("fail")
        raise error or ValueError("boom", 7)

    def exit(self, kind):
        raise {"exit": SystemExit, "interrupt": KeyboardInterrupt, "generator": GeneratorExit}[kind]("bye")

    @callback
    def called_back(self):
        raise ValueError("in callback")

    def stream(self, *items):
        return iter(items)

    def view(self):
        return {"a": 1}.keys()

    @property
    def value(self):
        return self._value

    @value.setter
    def value(self, value):
        if value is None:
            raise ValueError("no value")
        self._value = value

    @property
    def read_only(self):
        return 3

    @property
    def stream_attribute(self):
        return iter([1, 2])

    unreadable = property(None, lambda self, value: setattr(self, "_value", value))

    def annotated(self):
        current_context.response_annotations = {"MINE": b"reply"}
        return bytes(current_context.annotations["YOUR"])

    def hidden(self):
        pass

    hidden._pyroExposed = False


class Partly:
    """The getter is exposed by itself, as programs for Pyro do it."""

    _value = 1

    @property
    @expose
    def shown(self):
        return self._value

    @shown.setter
    def shown(self, value):
        self._value = value

    @property
    def hidden(self):
        return 0

    @hidden.setter
    def hidden(self, value):
        raise AssertionError


Thing.hidden._pyroExposed = False


@pytest.fixture
def thing():
    return Thing()


@pytest.fixture
def told():
    return []


@pytest.fixture
def run(thing, told):
    """Run a call of the object `thing`, or of `partly`."""
    registry, streams = Registry(), Streams(0, 30, lambda: 0.0)
    registry.register(thing, "thing")
    registry.register(Partly(), "partly")
    caller = Caller(("127.0.0.1", 1))

    def run(method, *args, target="thing", streaming=True, detailed=False, context=None, **call):
        dispatcher = Dispatcher(
            registry,
            Instances(),
            streams,
            streaming=streaming,
            detailed=detailed,
            on_error=lambda who, what, error: told.append((who, what.method, error)),
            start=None,  # nothing is awaited here
        )
        call.setdefault("kwargs", {})
        return dispatcher.run(Call(target, method, args, **call), caller, context or CallContext(client=caller))

    return run


def error_of(outcome):
    assert isinstance(outcome, Raised), outcome
    return outcome.error


def test_a_method_gives_its_value(run):
    """With positional and named arguments; None instead of named ones is none."""
    assert run("add", 1).value == 11
    assert run("add", 1, kwargs={"b": 2}).value == 3
    assert run("add", 1, 2, kwargs=None).value == 3


def test_an_unknown_object_is_an_error_for_the_caller(run):
    """The text begins as Pyro's does."""
    error = error_of(run("add", target="nobody"))

    assert isinstance(error, DaemonError)
    assert str(error).startswith("unknown object")


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("_x", "attempt to access private attribute '_x'"),
        ("__init__", "attempt to access private attribute '__init__'"),
        ("hidden", "attempt to access unexposed attribute 'hidden'"),
        ("add.__globals__", "no attribute 'add.__globals__'"),
        ("absent", "no attribute 'absent'"),
        ("value", "which is an attribute and no method"),
    ],
)
def test_what_is_not_exposed_is_an_attribute_error(run, method, text):
    """The texts are those that programs for Pyro look for."""
    error = error_of(run(method))

    assert isinstance(error, AttributeError)
    assert text in str(error)


def test_an_error_goes_to_the_caller_with_its_traceback(run, told):
    """The traceback begins in the method: the daemon's own frames tell a caller nothing."""
    error = error_of(run("fail"))
    text = "".join(error._pyroTraceback)

    assert (type(error), error.args) == (ValueError, ("boom", 7))
    assert 'raise error or ValueError("boom", 7)' in text
    assert "pyronb/server" not in text
    assert all(line.endswith("\n") for line in error._pyroTraceback)
    assert [(method, kept) for _, method, kept in told] == [("fail", error)]


def test_a_detailed_traceback_shows_variables(run):
    """When the daemon is asked to."""
    text = "".join(error_of(run("add", "left", 2, detailed=True))._pyroTraceback)

    assert "a = 'left'" in text


def test_wrong_arguments_are_the_callers_error(run):
    """As they would be in a local call."""
    assert isinstance(error_of(run("add")), TypeError)
    assert isinstance(error_of(run("add", 1, kwargs={"c": 2})), TypeError)


@pytest.mark.parametrize("kind", ["exit", "interrupt", "generator"])
def test_what_would_end_a_program_ends_neither(run, kind):
    """It becomes an error that says what happened."""
    error = error_of(run("exit", kind))

    assert type(error) is PyroError
    assert "remote method ended with" in str(error)
    assert "bye" in str(error)


def test_an_error_that_takes_no_attributes_is_told_by_another(run):
    """Its class and text are kept, and the traceback has somewhere to go."""
    error = error_of(run("fail", SlottedError("slotted")))

    assert type(error) is PyroError
    assert "SlottedError: slotted" in str(error)
    assert "SlottedError" in "".join(error._pyroTraceback)


def test_errors_of_callbacks_are_logged_here_too(run, caplog):
    """Whoever gave the callback away wants to know."""
    error_of(run("called_back"))

    assert "error in callback method 'called_back'" in caplog.text


def test_an_iterator_becomes_a_stream(run):
    """Unless nobody waits for the result, or the daemon does not stream; views of a dict are values."""
    assert run("stream", 1).stream_id
    assert run("__getattr__", "stream_attribute").stream_id
    assert run("stream", 1, streaming=False) == StreamOpened(None)
    assert isinstance(run("stream", 1, oneway=True), Returned)
    assert isinstance(run("view"), Returned)


def test_attributes_are_read_and_set(run, thing):
    """By Pyro's pseudo-methods, with or without named arguments."""
    assert run("__getattr__", "value", kwargs=None).value == 1
    assert run("__setattr__", "value", 5, kwargs=None) == Returned(None)
    assert thing.value == 5
    assert run("__setattr__", "unreadable", 6) == Returned(None)
    assert thing.value == 6


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("__getattr__", "_value"), AttributeError),
        (("__getattr__", "done"), AttributeError),
        (("__getattr__", "add"), AttributeError),
        (("__getattr__", "absent"), AttributeError),
        (("__getattr__", "unreadable"), AttributeError),
        (("__getattr__", "__class__"), AttributeError),
        (("__getattr__",), TypeError),
        (("__getattr__", "value", "more"), TypeError),
        (("__getattr__", 3), TypeError),
        (("__setattr__", "read_only", 1), AttributeError),
        (("__setattr__", "done", 1), AttributeError),
        (("__setattr__", "new", 1), AttributeError),
        (("__setattr__", "_value", 1), AttributeError),
        (("__setattr__", "__class__", 1), AttributeError),
        (("__setattr__", "value"), TypeError),
        (("__setattr__", "value", None), ValueError),
        (("__delattr__", "value"), AttributeError),
        (("__getattribute__", "value"), AttributeError),
    ],
)
def test_only_exposed_properties_are_attributes(run, arguments, error):
    """Plain instance and class attributes are never reachable, and nothing can be deleted."""
    assert isinstance(error_of(run(*arguments)), error)


def test_a_setter_follows_its_getter(run):
    """Pyro's rule: an exposed getter exposes the setter; a hidden property stays hidden."""
    assert run("__setattr__", "shown", 4, target="partly") == Returned(None)
    assert run("__getattr__", "shown", target="partly").value == 4
    assert isinstance(error_of(run("__setattr__", "hidden", 4, target="partly")), AttributeError)
    assert isinstance(error_of(run("__getattr__", "hidden", target="partly")), AttributeError)


def batch(run, *calls, **more):
    return run(BATCH_METHOD, *calls, batch=True, kwargs=None, **more)


def test_a_batch_gives_its_results_in_order(run):
    """Lists and tuples alike, with and without named arguments; an empty batch gives none."""
    calls = [("add", (1,), {}), ["add", [1, 2], None], ("add", [1], {"b": 4})]

    assert batch(run, *calls) == Returned([11, 3, 5])
    assert batch(run) == Returned([])


def test_plain_calls_of_a_batch_are_known_from_then_on(run, thing):
    """The mark of the method is looked at for each call, also of those that are known."""
    assert batch(run, ("add", (1,), {}), ("add", (2,), {})) == Returned([11, 12])
    thing.add = lambda a: a * 100
    assert batch(run, ("add", (1,), {})) == Returned([100])
    del thing.add
    exposed = Thing.add.__dict__.pop("_pyroExposed")
    try:
        assert isinstance(error_of(batch(run, ("add", (1,), {}))), AttributeError)
    finally:
        Thing.add._pyroExposed = exposed
    assert batch(run, ("add", (1,), {})) == Returned([11])


def rows(run, *entries):
    return run(BATCH_METHOD, *entries, batch=True, kwargs={"rows": True})


def test_a_row_is_many_calls(run, thing):
    """What a method gives and raises is as for single calls."""
    assert rows(run, ("add", [1, 2, 3], 1), ["add", (1, 2, 3, 4), 2], ("add", (5,), {"b": 1})) == Returned(
        [11, 12, 13, 3, 7, 6]
    )
    thing.done.clear()
    outcome = rows(run, ("add", [1, "2", 3], 1), ("add", (5,), {}))
    assert outcome.value[0] == 11
    assert len(outcome.value) == 2
    assert isinstance(outcome.value[1].exception, TypeError)
    assert thing.done == ["add", "add"]


def test_each_call_of_a_row_finds_its_method(run, thing):
    """A method may put another one in its own place."""
    Thing.turn = expose(lambda self, _: setattr(self, "turn", self.add) or "turned")
    try:
        assert rows(run, ("turn", [1, 2, 3], 1)) == Returned(["turned", 12, 13])
    finally:
        del Thing.turn


@pytest.mark.parametrize(
    "entry", [None, ("add", [], 1), ("add", [1, 2, 3], 2), ("_private", [1, 2], 1), ("stream", [1, 2], 1)]
)
def test_what_is_no_row_fails_the_whole_batch(run, thing, entry):
    """When its turn comes."""
    assert isinstance(error_of(rows(run, ("add", [1, 2], 1), entry)), TypeError | AttributeError | PyroError)
    assert thing.done == ["add", "add"]


def test_an_error_is_the_last_result_of_a_batch(run, thing, told):
    """The calls after it are not run."""
    outcome = batch(run, ("add", (1,), {}), ("fail", (), {}), ("add", (2,), {}))

    assert outcome.value[0] == 11
    assert len(outcome.value) == 2
    assert isinstance(outcome.value[1], BatchError)
    assert outcome.value[1].exception.args == ("boom", 7)
    assert outcome.value[1].exception._pyroTraceback
    assert thing.done == ["add", "fail"]
    assert told[0][1] == "fail"


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("absent", AttributeError),
        ("_private", AttributeError),
        ("hidden", AttributeError),
        ("__getattr__", AttributeError),
        ("__setattr__", AttributeError),
        ("stream", PyroError),
        (BATCH_METHOD, AttributeError),
    ],
)
def test_what_cannot_be_called_fails_the_whole_batch(run, name, error):
    """Attributes and iterators cannot be batched; earlier results are lost, as with Pyro."""
    assert isinstance(error_of(batch(run, ("add", (1,), {}), (name, (), {}))), error)


@pytest.mark.parametrize(
    "entry", [None, 3, "add", (), ("add",), ("add", ()), ("add", 3, {}), (3, (), {}), ("add", (), 3), ("add", [1], 1)]
)
def test_a_malformed_batch_is_an_error(run, entry):
    """Whatever its entries are."""
    assert isinstance(error_of(batch(run, entry)), TypeError)


def test_a_batch_has_its_own_method(run):
    """The flag alone makes no batch, nor does the name alone."""
    assert isinstance(error_of(run("add", ("add", (), {}), batch=True)), PyroError)
    assert isinstance(error_of(run(BATCH_METHOD)), AttributeError)


def test_the_context_is_that_of_the_call(run):
    """A method sees the annotations of its request, and what it sets goes out with the reply; nothing stays behind."""
    context = CallContext(annotations={"YOUR": b"request"})
    outcome = run("annotated", context=context)

    assert outcome == Returned(b"request", {"MINE": b"reply"})
    assert "MINE" not in current_context.response_annotations
