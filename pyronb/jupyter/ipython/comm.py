"""What this kernel shows to the panel of JupyterLab: its proxies, what it serves, futures, callbacks, recorded calls.

The panel opens comms to the target ``pyronb``, which exists from ``%load_ext pyronb`` on; no code is ever put into
the kernel. One comm is for looking: the kernel sends what there is, then what changed, a few times a second at most,
and nothing while nobody looks. Questions come over another one, to which the kernel never sends anything; their
answers come over the first. (ipykernel hands the messages of a comm to the thread that sent over it last, and the main
thread may be busy.) Whoever asks has to name the comm for looking that is his.

What can be asked for touches nothing but what is shown here, and the objects behind the proxies only where the user
says so: reading an attribute. Values go out as short texts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from pyronb.calls import CallRecord, Recording, brief
from pyronb.client.face import ProxyFace
from pyronb.client.link import Link
from pyronb.futures import FutureResult
from pyronb.jupyter.describing import MAX_NAME, MAX_URI, object_model
from pyronb.jupyter.ipython.looking import futures_in
from pyronb.jupyter.ipython.publishing import EmbeddedNameServer, Publisher
from pyronb.jupyter.ipython.style import clean, shorten
from pyronb.jupyter.runtime import read_values_at
from pyronb.jupyter.widgets.feed import Feed
from pyronb.news import Progress
from pyronb.server.givenout import GivenOut
from pyronb.server.references import given_out
from pyronb.sync.proxy import Proxy
from pyronb.version import __version__

try:
    from comm import create_comm, get_comm_manager
except ImportError:  # IPython alone, in a terminal
    create_comm = get_comm_manager = None  # type: ignore[assignment]

__all__ = ["MAX_CALLS", "TARGET", "KernelView", "call_row"]

TARGET = "pyronb"
MAX_CALLS = 500
"""Most calls of a notebook that are kept."""
MAX_ROWS = 200
"""Most proxies that are shown, and likewise for the others."""
_GAP = 0.2
"""Least seconds between two messages to one who looks."""
_BEAT = 0.25
"""Seconds between two looks at what does not tell when it changes, while something is on its way."""
_IDLE_BEAT = 2.0
"""The same, while nothing is."""
_MAX_TEXT = 160
"""Most characters of a text that are shown."""
_READ_TIMEOUT = 2.0
"""Seconds that reading attributes may take, and waiting for the turn of a proxy."""

_log = logging.getLogger(__name__)

Answer = Mapping[str, Any]


class KernelView:
    """The kernel as the panel sees it.

    Args:
        shell: whose variables are shown.
        publisher: whose objects are shown.
        nameserver: the one that may run in this kernel.
        recording: whose calls are shown.
    """

    def __init__(
        self,
        shell: InteractiveShell,
        publisher: Publisher,
        nameserver: EmbeddedNameServer,
        recording: Recording,
    ) -> None:
        self._shell = shell
        self._publisher = publisher
        self._nameserver = nameserver
        self._recording = recording
        self._lock = threading.Lock()
        self._looking: dict[str, _Looking] = {}
        self._asking: dict[str, Any] = {}
        self._beacon: Any = None
        self._feed: Feed | None = None
        self._asks: dict[str, Callable[[Mapping[str, Any]], Answer]] = {
            "record": self._record,
            "clear": self._clear,
            "call": self._call,
            "export": self._export,
            "cancel": self._cancel,
            "release": self._release,
            "object": self._object,
            "read": self._read,
        }

    def install(self) -> None:
        """Let panels look. Without a comm manager, as in a terminal, nobody comes."""
        if get_comm_manager is None or getattr(self._shell, "kernel", None) is None:
            return
        get_comm_manager().register_target(TARGET, self._opened)
        # It is sent to nobody: that it is listed tells a panel, which may ask without disturbing, that it may look.
        self._beacon = create_comm(target_name=TARGET, primary=False)
        get_comm_manager().register_comm(self._beacon)
        self._shell.events.register("post_run_cell", self._cell_ran)

    def remove(self) -> None:
        """Close all comms, and take the target away."""
        if self._beacon is None:
            return
        self._shell.events.unregister("post_run_cell", self._cell_ran)
        get_comm_manager().unregister_target(TARGET, self._opened)
        with self._lock:
            comms = [self._beacon, *(each.comm for each in self._looking.values()), *self._asking.values()]
            self._beacon = None
            self._looking.clear()
            self._asking.clear()
            feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()
        for comm in comms:
            comm.close()

    @property
    def watched(self) -> bool:
        """Whether anybody looks."""
        return bool(self._looking)

    def changed(self, made: CallRecord | None = None) -> None:
        """Hear that something changed, perhaps a call."""
        feed = self._feed
        if feed is None:
            return
        if made is not None:
            for each in tuple(self._looking.values()):
                each.touched.append(made.number)
        feed.poke()

    def _cell_ran(self, _: object = None) -> None:
        self.changed()

    # Comms

    def _opened(self, comm: Any, message: Mapping[str, Any]) -> None:
        data = message["content"].get("data") or {}
        purpose = data.get("purpose") if isinstance(data, dict) else None
        if purpose == "look":
            self._admit(comm)
        elif purpose == "ask":
            with self._lock:
                self._asking[comm.comm_id] = comm
            comm.on_msg(self._asked)
            comm.on_close(lambda _: self._asking.pop(comm.comm_id, None))
        else:
            raise ValueError(f"a comm to {TARGET} is for looking or for asking, not for {purpose!r}")

    def _admit(self, comm: Any) -> None:
        with self._lock:
            self._looking[comm.comm_id] = _Looking(comm)
            if self._feed is None:
                self._feed = Feed(self._push, gap=_GAP)
                self._feed.start()
            feed = self._feed
        comm.on_close(lambda _: self._left(comm.comm_id))
        feed.poke()

    def _left(self, comm_id: str) -> None:
        with self._lock:
            self._looking.pop(comm_id, None)
            if self._looking:
                return
            feed, self._feed = self._feed, None
        if feed is not None:
            feed.stop()

    def _push(self) -> float | None:
        """Send what changed to all who look, and give the seconds after which to look again; the feed calls this."""
        looking = tuple(self._looking.values())
        if not looking:
            return None
        notebook = self.notebook()
        for each in looking:
            each.send(notebook, self._recording)
        busy = any(row["state"] in ("pending", "running") for row in notebook["futures"]) or notebook["callbacks"]
        return _BEAT if busy else _IDLE_BEAT

    # What there is

    def notebook(self) -> dict[str, Any]:
        """Tell what is open in this kernel. Nobody is asked for it, and no value is looked into."""
        namespace = dict(self._shell.user_ns)
        proxies = _proxies(namespace)
        futures = futures_in(namespace, limit=MAX_ROWS)
        served = self._publisher.served
        return {
            "version": __version__,
            "nameserver": self._nameserver.address,
            "proxies": [_proxy_row(name, link) for name, link in list(proxies.items())[:MAX_ROWS]],
            "served": [
                {
                    "name": shorten(str(each.name), MAX_NAME),
                    "class_name": each.kind,
                    "uri": shorten(str(each.uri), MAX_URI),
                    "registered": each.registered,
                    "note": each.note,
                }
                for each in served[:MAX_ROWS]
            ],
            "futures": [_future_row(where, future) for where, future in futures.items()],
            "callbacks": [_callback_row(given) for given in given_out()[:MAX_ROWS]],
        }

    # Questions

    def _asked(self, message: Mapping[str, Any]) -> None:
        data = message["content"].get("data")
        if not isinstance(data, dict):
            return
        looking = self._looking.get(str(data.get("look")))
        if looking is None:
            return
        ask = self._asks.get(str(data.get("ask")))
        try:
            if ask is None:
                raise _AskError(f"this kernel has pyronb {__version__}, which does not know {data.get('ask')!r}")
            answer = {"error": "", **ask(data)}
        except _AskError as error:
            answer = {"error": str(error)}
        except Exception as error:
            _log.debug("a question of the panel failed", exc_info=True)
            answer = {"error": f"{type(error).__name__}: {error}"}
        looking.comm.send({"kind": "answer", "id": data.get("id"), **answer})

    def _record(self, data: Mapping[str, Any]) -> Answer:
        if data.get("on"):
            self._recording.start()
        else:
            self._recording.stop()
        self.changed()
        return {}

    def _clear(self, _: Mapping[str, Any]) -> Answer:
        self._recording.clear()
        for each in tuple(self._looking.values()):
            each.fresh = True
        self.changed()
        return {}

    def _call(self, data: Mapping[str, Any]) -> Answer:
        made = self._recording.numbered(_number(data.get("number")))
        if made is None:
            raise _AskError("the call is not kept any more")
        return {"call": {**_whole(made), "variable": self._variable_of(made)}}

    def _export(self, _: Mapping[str, Any]) -> Answer:
        return {"calls": [_whole(made) for made in self._recording]}

    def _cancel(self, data: Mapping[str, Any]) -> Answer:
        found = futures_in(self._shell.user_ns, limit=MAX_ROWS).values()
        future = next((each for each in found if str(id(each)) == data.get("future")), None)
        if future is None:
            raise _AskError("the future is not held by a variable any more")
        cancelled = future.cancel()
        self.changed()
        return {"cancelled": cancelled, "running": future.running()}

    def _release(self, data: Mapping[str, Any]) -> Answer:
        proxy = self._proxy(data)
        if not isinstance(proxy, Proxy):
            raise _AskError("a proxy for asyncio is released in its own event loop: await proxy._pyroRelease()")
        if not proxy._pyro.lock.acquire(timeout=_READ_TIMEOUT):
            raise _AskError("a call is under way on this connection")
        try:
            proxy._pyroRelease()
        finally:
            proxy._pyro.lock.release()
        self.changed()
        return {}

    def _object(self, data: Mapping[str, Any]) -> Answer:
        proxy = self._proxy(data)
        link = proxy._pyro
        model = object_model(proxy, str(link.uri.object) if link.uri.protocol == "PYRONAME" else "")  # type: ignore[arg-type]
        return {"object": model}

    def _read(self, data: Mapping[str, Any]) -> Answer:
        names = data.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise _AskError("which attributes to read is not told")
        link = self._proxy(data)._pyro
        if link.connected_uri is None:
            raise _AskError("the proxy was never connected; it connects when it is used")
        return {"values": read_values_at(link.connected_uri, names, timeout=_READ_TIMEOUT)}

    def _proxy(self, data: Mapping[str, Any]) -> ProxyFace:
        proxy = self._shell.user_ns.get(str(data.get("variable")))
        if not issubclass(type(proxy), ProxyFace):
            raise _AskError(f"the variable {data.get('variable')} holds no proxy any more")
        return proxy  # type: ignore[no-any-return]  # checked by its type alone

    def _variable_of(self, made: CallRecord) -> str:
        """Give the variable whose proxy leads to the object of a call; empty when there is none."""
        for name, link in _proxies(dict(self._shell.user_ns)).items():
            if str(link.uri) == made.uri:
                return name
        return ""


class _AskError(Exception):
    """A question cannot be answered; the text is for whoever asked."""


class _Looking:
    """One panel that looks, and what it was told."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        # One queue for good: a call that another thread puts in is never lost with a set that was taken away meanwhile.
        self.touched: deque[int] = deque()
        self.fresh = True
        self._notebook: Any = None
        self._state: Any = None

    def send(self, notebook: dict[str, Any], recording: Recording) -> None:
        """Send what it does not know yet."""
        if notebook != self._notebook:
            self._notebook = notebook
            self.comm.send({"kind": "notebook", "at": time.time(), **notebook})
        touched = {self.touched.popleft() for _ in range(len(self.touched))}
        fresh = self.fresh
        if fresh:
            self.fresh = False
        state = {
            "recording": recording.on,
            "total": recording.total,
            "dropped": recording.dropped,
            "limit": recording.limit,
        }
        if not fresh and not touched and state == self._state:
            return
        self._state = state
        rows = [call_row(made) for made in recording if fresh or made.number in touched]
        self.comm.send({"kind": "calls", "fresh": fresh, **state, "rows": rows})


def call_row(made: CallRecord) -> dict[str, Any]:
    """Give what a line of the list of calls shows; the rest is asked for."""
    return {
        "number": made.number,
        "began": made.began,
        "duration": made.duration,
        "object": shorten(str(made.object_id or made.uri), MAX_NAME),
        "method": shorten(str(made.method), _MAX_TEXT),
        "kind": made.kind,
        "code": shorten(str(made.code), _MAX_TEXT),
        "outcome": made.outcome,
        "sent": made.sent,
        "received": made.received,
        "told": shorten(str(made.error or made.result), _MAX_TEXT),
    }


def _whole(made: CallRecord) -> dict[str, Any]:
    """Give all of a record, as text that can be sent and shown."""
    return {name: clean(value) if isinstance(value, str) else value for name, value in made.as_dict().items()}


def _number(value: object) -> int:
    return value if isinstance(value, int) else -1


def _proxies(namespace: Mapping[str, Any]) -> dict[str, Link]:
    """Give the links of the proxies of either room that variables hold; only their types are looked at."""
    return {
        name: held._pyro
        for name, held in sorted(namespace.items(), key=lambda item: item[0])
        if not name.startswith("_") and issubclass(type(held), ProxyFace)
    }


def _proxy_row(variable: str, link: Link) -> dict[str, Any]:
    about = link.metadata
    return {
        "variable": variable,
        "name": shorten(str(link.uri.object), MAX_NAME) if link.uri.protocol == "PYRONAME" else "",
        "uri": shorten(str(link.connected_uri or link.uri), MAX_URI),
        "connected": link.connected,
        "asyncio": link.options.wire.room == "aio",
        "server": shorten(str(link.peer), _MAX_TEXT),
        "serializer": link.serializer.name if link.connected and link.serializer is not None else "",
        "class_name": shorten(str(about.details.class_name), _MAX_TEXT) if about is not None and about.details else "",
        "latency": link.latency,
    }


def _future_row(where: str, future: FutureResult) -> dict[str, Any]:
    state, text = "pending", ""
    if future.cancelled():
        state = "cancelled"
    elif future.done():
        error = future.exception()
        state = "done" if error is None else "failed"
        text = brief(future.result()) if error is None else f"{type(error).__name__}: {error}"
    elif future.running():
        state = "running"
    return {
        "where": where,
        "id": str(id(future)),
        "state": state,
        "text": shorten(str(text), _MAX_TEXT),
        "progress": _progress_row(future.progress),
    }


def _progress_row(progress: Progress | None) -> dict[str, Any] | None:
    if progress is None:
        return None
    return {
        "done": progress.done,
        "total": progress.total,
        "fraction": progress.fraction,
        "remaining": progress.remaining,
        "message": shorten(progress.message, _MAX_TEXT),
    }


def _callback_row(given: GivenOut) -> dict[str, Any]:
    return {
        "name": shorten(given.name, _MAX_TEXT),
        "to": [shorten(place, _MAX_TEXT) for place in given.to],
        "way": given.way,
        "calls": given.calls,
        "errors": given.errors,
        "last": given.last,
    }
