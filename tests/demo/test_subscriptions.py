"""Callbacks get samples from a thread of their own, and are dropped when they fail."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import Future

import pytest

from pyronb.demo.subscriptions import CALL_TIMEOUT, MAX_FAILURES, MAX_SUBSCRIPTIONS, Subscriptions
from pyronb.errors import ConnectionClosedError
from tests.support.waiting import eventually, scaled

pytestmark = pytest.mark.usefixtures("no_leaks")

SOON = 0.001


class Listener:
    """Keeps what it is given; may fail on the way."""

    def __init__(self, failing=lambda _: None):
        self.samples = []
        self.threads = set()
        self.calls = 0
        self.failing = failing

    def on_sample(self, sample):
        self.calls += 1
        self.threads.add(threading.current_thread())
        error = self.failing(self.calls)
        if error is not None:
            raise error
        self.samples.append(sample)


@pytest.fixture
def subscriptions():
    subscriptions = Subscriptions(lambda: map(float, itertools.count()).__next__)
    yield subscriptions
    subscriptions.close()


def test_samples_arrive_in_order_from_one_daemon_thread(subscriptions):
    listener = Listener()
    one = subscriptions.add(listener, SOON)
    eventually(lambda: len(listener.samples) >= 3)
    [thread] = listener.threads

    assert listener.samples[:3] == [0.0, 1.0, 2.0]
    assert thread.name == f"pyronb-demo-{one}"
    assert thread.daemon
    [told] = subscriptions.describe()
    assert told["id"] == one
    assert told["interval"] == SOON
    assert told["delivered"] >= 2
    assert told["failures"] == 0
    assert "Listener" in told["callback"]


def test_each_subscription_has_its_own_thread_and_source(subscriptions):
    listeners = [Listener() for _ in range(5)]
    ids = {subscriptions.add(listener, SOON) for listener in listeners}
    for listener in listeners:
        eventually(lambda listener=listener: listener.samples)

    assert len(ids) == 5
    assert {listener.samples[0] for listener in listeners} == {0.0}
    assert len(set().union(*(listener.threads for listener in listeners))) == 5


def test_dropping_ends_the_thread(subscriptions):
    listener = Listener()
    one = subscriptions.add(listener, SOON)
    eventually(lambda: listener.samples)

    assert subscriptions.drop(one) is True
    assert subscriptions.drop(one) is False
    assert subscriptions.drop("unknown") is False
    assert subscriptions.describe() == []
    [thread] = listener.threads
    eventually(lambda: not thread.is_alive())


def test_long_interval_does_not_keep_a_thread_waiting(subscriptions):
    one = subscriptions.add(Listener(), 3600.0)
    [thread] = [t for t in threading.enumerate() if t.name == f"pyronb-demo-{one}"]
    subscriptions.drop(one)

    eventually(lambda: not thread.is_alive())


def test_callback_that_keeps_failing_is_dropped(subscriptions):
    listener = Listener(lambda _: RuntimeError("no"))
    subscriptions.add(listener, SOON)

    eventually(lambda: not subscriptions.describe())
    [thread] = listener.threads
    eventually(lambda: not thread.is_alive())
    assert listener.calls == MAX_FAILURES


def test_failures_count_only_in_a_row(subscriptions):
    listener = Listener(lambda call: RuntimeError("no") if call % MAX_FAILURES else None)
    subscriptions.add(listener, SOON)

    eventually(lambda: listener.calls > 4 * MAX_FAILURES)
    assert subscriptions.describe()


@pytest.mark.parametrize("error", [ConnectionClosedError("gone"), ConnectionRefusedError(), BrokenPipeError()])
def test_callback_whose_connection_is_gone_is_dropped_at_once(subscriptions, error):
    listener = Listener(lambda _: error)
    subscriptions.add(listener, SOON)

    eventually(lambda: not subscriptions.describe())
    assert listener.calls == 1


def test_callback_may_unsubscribe_itself(subscriptions):
    class Once:
        calls = 0
        id: Future = Future()

        def on_sample(self, sample):
            self.calls += 1
            subscriptions.drop(self.id.result(scaled(10)))

    once = Once()
    once.id.set_result(subscriptions.add(once, SOON))

    eventually(lambda: not any(t.name.startswith("pyronb-demo-") for t in threading.enumerate()))
    assert once.calls == 1


def test_callback_may_close_everything(subscriptions):
    class Last:
        def on_sample(self, sample):
            subscriptions.close()

    subscriptions.add(Last(), SOON)

    eventually(lambda: not any(t.name.startswith("pyronb-demo-") for t in threading.enumerate()))


@pytest.mark.parametrize("callback", ["text", None, object(), {"on_sample": 1}])
def test_things_that_take_no_samples_are_refused(subscriptions, callback):
    with pytest.raises(TypeError, match=r"on_sample\(sample\)"):
        subscriptions.add(callback, SOON)

    assert subscriptions.describe() == []


def test_number_of_subscriptions_is_bounded(subscriptions):
    ids = [subscriptions.add(Listener(), 3600.0) for _ in range(MAX_SUBSCRIPTIONS)]
    with pytest.raises(RuntimeError, match="100 subscriptions"):
        subscriptions.add(Listener(), 3600.0)
    subscriptions.drop(ids[0])

    subscriptions.add(Listener(), 3600.0)


def test_closing_ends_all_threads_and_takes_no_new_ones(subscriptions):
    for _ in range(10):
        subscriptions.add(Listener(), SOON)
    subscriptions.close()

    assert not any(t.name.startswith("pyronb-demo-") for t in threading.enumerate())
    with pytest.raises(RuntimeError, match="closed"):
        subscriptions.add(Listener(), SOON)
    subscriptions.close()


def test_slow_callback_skips_samples_instead_of_getting_them_late(subscriptions):
    gate = threading.Event()

    class Slow(Listener):
        def on_sample(self, sample):
            super().on_sample(sample)
            gate.wait(scaled(10))

    slow = Slow()
    subscriptions.add(slow, 0.05)
    eventually(lambda: slow.samples)
    # Other subscriptions go on meanwhile.
    other = Listener()
    subscriptions.add(other, SOON)
    eventually(lambda: len(other.samples) > 20)
    assert slow.calls == 1
    gate.set()


class Proxy:
    """What counts of a proxy: it belongs to one thread, is asked for nothing in vain, and keeps a connection."""

    def __init__(self):
        self._pyroUri = "PYRO:callback@nowhere:1"
        self._pyroTimeout = None
        self.owner = threading.current_thread()
        self.log = []
        self.released = threading.Event()

    def _pyroClaimOwnership(self):
        self.owner = threading.current_thread()

    def _pyroRelease(self):
        self.log.append("released")
        self.released.set()

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        assert threading.current_thread() is self.owner, "a proxy was used by a thread that does not own it"
        self.log.append((name, self._pyroTimeout))
        return lambda sample: None


def test_proxy_is_used_by_its_thread_alone_with_a_time_limit_and_released(subscriptions):
    proxy = Proxy()
    one = subscriptions.add(proxy, SOON)
    assert proxy.log == [] or proxy.log[0] == ("on_sample", CALL_TIMEOUT), "subscribing asks nothing"
    eventually(lambda: len(proxy.log) >= 2)
    assert subscriptions.describe()[0]["callback"] == "PYRO:callback@nowhere:1"
    subscriptions.drop(one)

    assert proxy.released.wait(scaled(5))
    assert set(proxy.log[:-1]) == {("on_sample", CALL_TIMEOUT)}
