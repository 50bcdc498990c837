"""Batches: many calls, one message."""

from __future__ import annotations

import copy
import weakref
from uuid import uuid4

import pytest

from pyronb.context import current_context
from pyronb.errors import ConnectionClosedError, ProtocolError, PyroError, SerializeError
from pyronb.serializers.hooks import BatchError
from pyronb.sync.batch import BatchProxy, batch
from pyronb.sync.proxy import Proxy
from pyronb.tracebacks import getPyroTraceback
from tests.support.waiting import scaled
from tests.sync.test_proxy import SERIALIZERS, given_socket


@pytest.fixture
def calls(proxy):
    """Give a batch for the bench."""
    return batch(proxy)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_results_in_order(proxy, calls, sends, serializer):
    """One message for all; the results come in the order of the calls."""
    proxy._pyroSerializer = serializer
    proxy._pyroBind()
    sends.clear()
    assert calls.add(1, 2) is None
    calls.echo("x", key=1)
    calls.add(a=5)

    assert 3 == len(calls)
    assert [] == sends
    assert [3, [["x"], {"key": 1}], 15] == list(calls())
    assert 1 == len(sends)


@pytest.mark.parametrize("serializer", SERIALIZERS)
def test_stops_at_the_first_error(proxy, calls, bench, serializer):
    """The generator gives what came before, then raises; the calls after it were not run."""
    proxy._pyroSerializer = serializer
    calls.add(1, 2)
    calls.fail("boom")
    calls.add(3, 4)
    results = calls()

    assert 3 == next(results)
    with pytest.raises(ValueError, match="boom") as caught:
        next(results)
    assert "attr" == caught.value.extra
    assert "in fail" in "".join(getPyroTraceback(caught.value))
    assert [] == list(results)
    assert [(1, 2)] == bench.calls


def test_can_be_used_again(calls):
    """After it was called it is empty, and new calls can be made."""
    calls.add(1, 2)

    assert [3] == list(calls())
    assert 0 == len(calls)
    calls.add(3, 4)
    assert [7] == list(calls())


def test_functions_are_kept_as_long_as_the_calls(calls):
    """The same one for all calls of a name; one that is held longer goes on keeping calls."""
    add = calls.add
    assert add is calls.add
    add(1, 2)

    assert [3] == list(calls())
    assert "add" not in vars(calls)
    add(3, 4)
    calls.add(5, 6)
    assert [7, 11] == list(calls())


def test_a_copy_has_calls_of_its_own(calls):
    """Those that were kept so far are in both."""
    calls.add(1, 2)
    other = copy.copy(calls)
    other.add(3, 4)
    calls.add(5, 6)

    assert [3, 7] == list(other())
    assert [3, 11] == list(calls())


def test_a_dropped_batch_goes_at_once(proxy):
    """It holds the connection, and nothing of its own holds it."""
    calls = batch(proxy)
    calls.add(1, 2)
    gone = weakref.ref(calls.__dict__["add"])
    del calls

    assert gone() is None


def test_no_attributes(calls):
    """They can neither be read nor set."""
    with pytest.raises(AttributeError, match="'value' cannot be set"):
        calls.value = 3


def test_empty(calls, sends):
    """Nothing is sent, in whatever form."""
    assert [] == list(calls())
    assert calls(oneway=True) is None
    assert [] == list(calls(asynchronous=True).value)
    assert [] == sends


def test_the_calls_are_made_when_the_batch_is_called(calls, bench):
    """Not when the generator is read."""
    calls.add(1, 2)
    results = calls()

    assert [(1, 2)] == bench.calls
    assert [3] == list(results)


def test_oneway(calls, bench):
    """Nothing is waited for."""
    calls.fire("a")
    calls.wait()
    calls.fire("b")

    assert calls(oneway=True) is None
    assert bench.entered.acquire(timeout=5)
    assert bench.entered.acquire(timeout=5)
    bench.go.set()
    assert bench.entered.acquire(timeout=5)
    assert ["a", "b"] == bench.calls


@pytest.mark.parametrize("option", [{"asynchronous": True}, {"async": True}])
def test_asynchronous(proxy, calls, bench, option):
    """A future of the generator; the proxy can be used in the meantime."""
    calls.add(1, 2)
    calls.wait("waited")
    future = calls(**option)
    assert bench.entered.acquire(timeout=5)

    assert not future.ready
    assert 7 == proxy.add(3, 4)
    bench.go.set()
    assert [3, "waited"] == list(future.value)


def test_asynchronous_error(calls):
    """It is raised where the generator comes to it."""
    calls.add(1, 2)
    calls.fail("boom")
    results = calls(asynchronous=True).value

    assert 3 == next(results)
    with pytest.raises(ValueError, match="boom"):
        next(results)


def test_asynchronous_failure():
    """When the batch could not be made at all, that is the future's error."""
    calls = batch(Proxy("PYRO:x@127.0.0.1:1"))
    calls.add(1, 2)
    future = calls(asynchronous=True)

    assert future.wait(scaled(10))
    with pytest.raises(ConnectionClosedError, match=r"PYRO:x@127.0.0.1:1"):
        _ = future.value


def test_lists_of_results(calls):
    """For other parts of the house: the list as it came, its error last."""
    calls.add(1, 2)
    calls.fail("boom")
    results = calls._pyroResults()

    assert 3 == results[0]
    assert isinstance(results[1], BatchError)
    calls.add(1, 2)
    assert [3] == calls._pyroResultsAsync().value


def test_exclusive_options(calls):
    """Oneway and asynchronous together make no sense; other options do not exist. The calls are kept."""
    calls.add(1, 2)
    for option in ("async", "asynchronous"):
        with pytest.raises(PyroError, match="async oneway calls make no sense"):
            calls(oneway=True, **{option: True})
    with pytest.raises(TypeError, match="no option fast"):
        calls(fast=True)

    assert [3] == list(calls())


def test_names(proxy, calls, dials):
    """Before the first connection any public name is taken; afterwards only those of methods."""
    calls.nope()
    for name in ("_private", "__x__"):
        with pytest.raises(AttributeError):
            getattr(calls, name)

    assert [] == dials
    with pytest.raises(AttributeError, match="nope"):
        list(calls())
    with pytest.raises(AttributeError, match="'nope'"):
        calls.nope()
    with pytest.raises(AttributeError, match="'value' is an attribute; only methods"):
        _ = calls.value
    assert "add" in dir(calls)
    assert "add" == calls.add.__name__


def test_failed_lookup_fails_all(calls):
    """An iterator as result, like an unknown name, fails the batch as a whole; the connection survives."""
    calls.add(1, 2)
    calls.count(3)
    with pytest.raises(PyroError, match="'count' gives an iterator"):
        calls()

    calls.add(1, 2)
    assert [3] == list(calls())


def test_unserializable_argument(calls):
    """Nothing was sent, and the connection survives."""
    calls.give(object)
    with pytest.raises(SerializeError, match="<batch>"):
        calls()

    calls.add(1, 2)
    assert [3] == list(calls())


def test_daemon_that_answers_with_no_list(proxy, calls, monkeypatch):
    """It is a ProtocolError that names the daemon."""
    from pyronb.rpc.call import Returned
    from pyronb.sync import batch as module

    monkeypatch.setattr(module, "outcome_of", lambda link, call: Returned(5))
    calls.add(1, 2)
    with pytest.raises(ProtocolError, match=f"{proxy._pyroUri} answered a batch"):
        calls()


@pytest.mark.parametrize("option", [{}, {"asynchronous": True}])
def test_context(calls, option):
    """Annotations and correlation id of the caller's thread go with it, also in the background."""
    current_context.annotations = {"ABCD": b"x"}
    current_context.correlation_id = uuid4()
    calls.context()
    results = calls(**option)
    (told,) = results.value if option else results

    assert [["ABCD", b"x"]] == [[name, value] for name, value in decoded(told["annotations"])]
    assert str(current_context.correlation_id) == told["id"]


def decoded(annotations):
    """Undo what serpent makes of bytes."""
    import base64

    return [(name, base64.b64decode(value["data"])) for name, value in annotations]


def test_looking(proxy, calls, dials):
    """A batch shows itself, is true when empty, and can be copied, without I/O."""
    calls.add(1, 2)
    other = copy.copy(calls)

    assert f"<pyronb.BatchProxy of {proxy._pyroUri}; 1 calls>" == repr(calls)
    assert (1, True) == (len(other), bool(BatchProxy(proxy._pyro)))
    assert isinstance(proxy._pyroBatch(), BatchProxy)
    assert [] == dials


def test_given_socket(daemon):
    """Over a socket that was given there is only that one, in the background too."""
    with given_socket(daemon) as sock, Proxy("bench", connected_socket=sock) as proxy:
        calls = batch(proxy)
        calls.add(1, 2)

        assert [3] == list(calls(asynchronous=True).value)
        assert 7 == proxy.add(3, 4)
