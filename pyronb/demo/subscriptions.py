"""Subscriptions: one background thread for each callback, which it calls again and again until told to stop.

Knows how to treat a callback that may be a remote proxy: it belongs to the subscription's thread alone, must answer in
time, and is let go when it fails. Does not know what a sample is made of.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["MAX_FAILURES", "MAX_SUBSCRIPTIONS", "Callback", "Sample", "Subscriber", "Subscriptions"]

MAX_SUBSCRIPTIONS = 100
MAX_FAILURES = 3
"""A callback that fails this many times in a row is dropped."""
CALL_TIMEOUT = 5.0
"""Seconds that a remote callback may take to answer."""
CLOSE_TIMEOUT = CALL_TIMEOUT + 1.0
"""Seconds to wait for callbacks that run, at the end."""
MAX_SHOWN = 200
"""Most characters that are told of a callback."""

Sample = dict[str, float]

_log = logging.getLogger(__name__)


class Subscriber(Protocol):
    """What a callback must offer, if it is no function; a proxy of a remote object with this method will do."""

    def on_sample(self, sample: Sample, /) -> object:
        """Take one sample; what it returns is ignored."""


Callback = Subscriber | Callable[[Sample], Any]
"""What samples are given to."""


@dataclass(slots=True, eq=False)
class _Subscription:
    id: str
    callback: Any
    interval: float
    shown: str
    stop: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    delivered: int = 0
    failures: int = 0


class Subscriptions:
    """The running subscriptions of one object.

    Args:
        new_source: makes a function that takes one sample; called once in each subscription's thread.
    """

    def __init__(self, new_source: Callable[[], Callable[[], Sample]]) -> None:
        self._new_source = new_source
        self._lock = threading.Lock()
        self._running: dict[str, _Subscription] = {}
        self._closed = False

    def add(self, callback: Callback, interval: float) -> str:
        """Start giving a sample to a callback every `interval` seconds, and give the subscription's id.

        Raises:
            TypeError: the callback is no function and has no method `on_sample`; a remote one is not asked, its first
                calls will tell.
            RuntimeError: there are too many subscriptions already, or all were closed.
        """
        remote = hasattr(callback, "_pyroUri")
        if not remote and not callable(callback) and not callable(getattr(callback, "on_sample", None)):
            raise TypeError(
                f"the callback should be a function or have a method on_sample(sample), not a {type(callback).__name__}"
            )
        shown = str(getattr(callback, "_pyroUri", "")) if remote else repr(callback)
        one = _Subscription(secrets.token_hex(8), callback, interval, shown[:MAX_SHOWN])
        one.thread = threading.Thread(target=self._run, args=(one,), name=f"pyronb-demo-{one.id}", daemon=True)
        with self._lock:
            if self._closed:
                raise RuntimeError("this object is closed and takes no subscriptions any more")
            if len(self._running) >= MAX_SUBSCRIPTIONS:
                raise RuntimeError(f"there are {MAX_SUBSCRIPTIONS} subscriptions already, which is the most; drop one")
            self._running[one.id] = one
            try:
                one.thread.start()
            except BaseException:
                del self._running[one.id]
                raise
        return one.id

    def drop(self, subscription_id: str) -> bool:
        """Stop one subscription, and tell whether there was one; a sample that is on its way may still arrive.

        This does not wait for the thread: the callback itself may be what asks for the end.
        """
        with self._lock:
            one = self._running.pop(subscription_id, None)
        if one is None:
            return False
        one.stop.set()
        return True

    def describe(self) -> list[dict[str, Any]]:
        """Tell about each running subscription."""
        with self._lock:
            running = list(self._running.values())
        return [
            {
                "id": one.id,
                "interval": one.interval,
                "delivered": one.delivered,
                "failures": one.failures,
                "callback": one.shown,
            }
            for one in running
        ]

    def close(self) -> None:
        """Stop all subscriptions for good, and wait for their threads."""
        with self._lock:
            self._closed = True
            ending = list(self._running.values())
            self._running.clear()
        for one in ending:
            one.stop.set()
        deadline = time.monotonic() + CLOSE_TIMEOUT
        for one in ending:
            if one.thread is not None and one.thread is not threading.current_thread():
                one.thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self, one: _Subscription) -> None:
        try:
            _adopt(one.callback)
            self._deliver(one)
        except Exception:
            _log.warning("subscription %s ended by an error", one.id, exc_info=True)
        finally:
            with self._lock:
                self._running.pop(one.id, None)
            _let_go(one.callback)

    def _deliver(self, one: _Subscription) -> None:
        take = self._new_source()
        due = time.monotonic() + one.interval
        while not one.stop.wait(max(0.0, due - time.monotonic())):
            # A slow callback skips samples; it does not get them late and all at once.
            due = max(due + one.interval, time.monotonic())
            sample = take()
            try:
                one.callback(sample) if callable(one.callback) else one.callback.on_sample(sample)
            except ConnectionError as error:
                _log.info("subscription %s dropped, its connection is gone: %s", one.id, error)
                return
            except Exception as error:
                one.failures += 1
                if one.failures >= MAX_FAILURES:
                    _log.info("subscription %s dropped after %d failures: %r", one.id, one.failures, error)
                    return
            else:
                one.failures = 0
                one.delivered += 1


def _adopt(callback: Any) -> None:
    """Make a proxy that a daemon's thread received this thread's own, and give it a time limit."""
    if hasattr(callback, "_pyroClaimOwnership"):
        callback._pyroClaimOwnership()
    if hasattr(callback, "_pyroTimeout"):
        callback._pyroTimeout = CALL_TIMEOUT


def _let_go(callback: Any) -> None:
    """Close a proxy's connection; plain objects need nothing."""
    if hasattr(callback, "_pyroRelease"):
        callback._pyroRelease()
