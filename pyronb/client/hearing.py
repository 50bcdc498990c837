"""Hearing: what the caller of one call hears of it while it runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from pyronb.client.link import Link
from pyronb.futures import FutureResult
from pyronb.news import News, Output, Progress
from pyronb.rpc.call import Call
from pyronb.rpc.side import decode_news
from pyronb.wire.message import Message

__all__ = ["Hearing", "listen", "show", "wants_output"]

log = logging.getLogger("pyronb.client")

_MOST_A_SECOND = 100
"""Most of a call's progress that is passed on in a second; daemons of pyronb send a fifth of that."""
_MOST_OUTPUT = 1 << 20
"""Most characters of a call's output that are passed on in a second; daemons of pyronb send a quarter of that."""


class Hearing:
    """Passes on what the far side tells of one call: no more of it than a person can use, but always the last state.

    A listener that tells calls apart has a method `attend`. It gets the call when the call first tells something, and
    gives the listener for that call, whose method `over` is called when the call is over, however it ended.

    Args:
        listener: hears each `Progress` and `Output`. What it raises is logged, and it hears nothing more of this call.
        progressed: hears each `Progress` too; None for nobody.
        call: the call, where there is somebody who wants to know.
    """

    __slots__ = ("_call", "_listener", "_over", "_passed", "_progressed", "_rest", "_since", "_written")

    def __init__(
        self,
        listener: Callable[[News], Any] | None,
        progressed: Callable[[Progress], Any] | None,
        call: Call | None = None,
    ) -> None:
        """Start without news."""
        self._listener = listener
        self._call = call
        self._over: Callable[[], Any] | None = None
        self._progressed = progressed
        self._rest: Progress | None = None
        self._since = 0.0
        self._passed = 0
        self._written = 0

    def hear(self, message: Message, now: float) -> None:
        """Take what a message tells, at this moment on the clock of the room."""
        news = decode_news(message)
        if news is None:
            return
        if now - self._since >= 1:
            self._since, self._passed, self._written = now, 0, 0
        if isinstance(news, Progress):
            self._passed += 1
            self._rest = news
            if self._passed <= _MOST_A_SECOND:
                self._pass_rest()
        elif self._written < _MOST_OUTPUT:
            self._written += len(news.text)
            self._pass_on(news)

    def finish(self) -> None:
        """Pass on the last state, if it was held back: the call is over."""
        self._pass_rest()
        over, self._over = self._over, None
        if over is not None:
            try:
                over()
            except Exception:
                log.exception("the listener to a call failed at its end")

    def _pass_rest(self) -> None:
        rest, self._rest = self._rest, None
        if rest is not None:
            self._pass_on(rest)

    def _pass_on(self, news: News) -> None:
        try:
            if self._call is not None:
                self._attend(self._call)
            if self._progressed is not None and isinstance(news, Progress):
                self._progressed(news)
            if self._listener is not None:
                self._listener(news)
            else:
                show(news)
        except Exception:
            log.exception("the listener to a call failed; it hears nothing more of this call")
            self._listener, self._progressed = _nothing, None

    def _attend(self, call: Call) -> None:
        """Have a listener that tells calls apart know that there is something of this one."""
        self._call = None
        attend = getattr(self._listener, "attend", None)
        if attend is not None:
            self._listener = attend(call)
            self._over = getattr(self._listener, "over", None)


def show(news: News) -> None:
    """Write here what was written there: what is done with output where nobody else listens."""
    if isinstance(news, Output):
        stream = sys.stdout if news.stream == "stdout" else sys.stderr
        if stream is not None:
            stream.write(news.text)
            stream.flush()


def wants_output(link: Link, what: Call) -> bool:
    """Tell whether what a call prints over there is wanted here."""
    wished = what.wishes.output
    return link.options.remote_output if wished is None else wished


def listen(future: FutureResult, link: Link, what: Call) -> None:
    """Have those who wish to hear of a call do so by way of its future, where it is called in the background."""
    wishes = what.wishes
    if wishes.on_progress is not None:
        future.add_progress_callback(wishes.on_progress)
    if wishes.listener is not None:
        attend = getattr(wishes.listener, "attend", None)
        future.add_listener(wishes.listener if attend is None else attend(what))
    elif wants_output(link, what):
        future.add_listener(show)


def _nothing(news: News) -> None:
    """Hear nothing."""
