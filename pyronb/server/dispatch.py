"""Dispatch: runs a call on the object that it is for. (Wire specification, sections 9.3, 11, 12 and 14.)"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

from pyronb.context import CallContext, Resources, enter, leave
from pyronb.dialects import PYRO5, Dialect
from pyronb.errors import CancelledError, PyroError
from pyronb.rpc.call import Call, Outcome, Raised, Returned, StreamOpened
from pyronb.rpc.handshake import Peer
from pyronb.rpc.rows import WITH_ROWS, one_by_one
from pyronb.serializers.base import BATCH_METHOD
from pyronb.serializers.hooks import BatchError
from pyronb.server.coroutines import Pending
from pyronb.server.exposure import is_exposed, is_private, is_reachable
from pyronb.server.instances import Instances, Kept, is_of_session
from pyronb.server.registry import Registry
from pyronb.server.side import OVER
from pyronb.server.streams import Streams
from pyronb.tracebacks import format_traceback
from pyronb.uri import URI

__all__ = ["PLAIN", "Caller", "Dispatcher"]

log = logging.getLogger("pyronb.server")


PLAIN = frozenset({type(None), bool, int, float, str, bytes, tuple, list, dict, set, URI})
"""Types of results that are no iterators; asking the abstract class for each result costs more."""

_ENTRY_LENGTH = 3
_MOST_KNOWN = 1000
"""Most functions that are known to be plain; the next one begins anew."""


_STRANGER = Peer()


@dataclass(slots=True, eq=False)
class Caller:
    """One connected client, as far as running its calls goes.

    Attributes:
        address: its socket address.
        session: the instances that were made for it.
        resources: what is closed when it goes.
        handshake: what it said when it connected.
        dialect: what it speaks.
        peer: who it said it is.
        loose: whether the call that runs may be left to itself, and the next one begin. A call of an instance that is
            the client's own may not: such an instance has one call at a time, in their order.
        getpeercert: gives the certificate that it showed, as a map as ``ssl`` makes it; None for none.
        client: what the engine knows of it, while it is connected.
    """

    address: Any
    session: Kept = field(default_factory=Kept)
    resources: Resources = field(default_factory=Resources)
    handshake: Any = None
    dialect: Dialect = PYRO5
    peer: Peer = _STRANGER
    loose: bool = False
    getpeercert: Callable[[], dict[str, Any] | None] = lambda: None
    client: Any = None

    def begin_side(self, context: CallContext) -> None:
        """Put what goes beside a call of this client into the context of that call."""
        client = self.client
        if client is None:
            context.side = OVER
        else:
            client.conversation.begin_side(context, client)


class Dispatcher:
    """Finds the method and runs it.

    Args:
        registry: the objects.
        instances: the instances of registered classes.
        streams: the open streams.
        streaming: whether iterators are streamed at all.
        detailed: whether tracebacks show the variables of every frame.
        require_expose: whether only marked members can be reached.
        on_error: is told of each error of a method: caller, call, exception.
        start: runs a coroutine of a call.
    """

    def __init__(
        self,
        registry: Registry,
        instances: Instances,
        streams: Streams,
        *,
        streaming: bool,
        detailed: bool,
        require_expose: bool = True,
        on_error: Callable[[Caller, Call, BaseException], None],
        start: Callable[[Coroutine[Any, Any, Any], CallContext], Future[Any]],
    ) -> None:
        self._objects = registry
        self.find = registry.find
        self._instances = instances
        self._streams = streams
        self._streaming = streaming
        self._detailed = detailed
        self._require_expose = require_expose
        self._on_error = on_error
        self._start = start
        self._plain_functions: set[tuple[type, str]] = set()

    def run(self, call: Call, caller: Caller, context: CallContext) -> Outcome | Pending[Outcome]:
        """Run a call and tell what became of it; never raises."""
        if call.batch:
            return self._go_on(None, steps=self._run_batch(call, caller, context), context=context)
        token = enter(context)
        try:
            target = self.find(call.object_id)
            loose = True
            if isinstance(target, type):
                loose = not is_of_session(target)
                target = self._instances.get(target, caller.session)
            if not call.oneway:  # which may run in a thread that has no say
                caller.loose = loose
            value = self._run_one(target, call, caller)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller learns it and the daemon goes on
            return Raised(self._for_caller(error), context.response_annotations)
        finally:
            leave(token)
        return self.returned(value, call, caller, context)

    def returned(self, value: Any, call: Call, caller: Caller, context: CallContext) -> Outcome | Pending[Outcome]:
        """Make the outcome of a call that gave a value; an iterator becomes a far stream, a coroutine is awaited."""
        if type(value) in PLAIN:
            return Returned(value, context.response_annotations)
        if isinstance(value, Coroutine):
            then = partial(self._awaited, call=call, caller=caller, context=context)
            return Pending(self._start(value, context), then)
        if isinstance(value, Iterator | AsyncIterator) and not call.oneway:
            stream_id = self._streams.open(value, caller) if self._streaming else None
            return StreamOpened(stream_id, context.response_annotations)
        return Returned(value, context.response_annotations)

    def _awaited(
        self, future: Future[Any], call: Call, caller: Caller, context: CallContext
    ) -> Outcome | Pending[Outcome]:
        error = future.exception()
        if error is None:
            return self.returned(future.result(), call, caller, context)
        if isinstance(error, StopAsyncIteration):
            # The end of a far stream, which has one name on the wire; a coroutine cannot raise that one.
            return Raised(self._for_caller(StopIteration()), context.response_annotations)
        return self.failed(error, call, caller, context)

    def failed(self, error: BaseException, call: Call, caller: Caller, context: CallContext) -> Raised:
        """Make the outcome of a call whose method raised."""
        self._on_error(caller, call, error)
        return Raised(self._for_caller(error), context.response_annotations)

    def made(self, cls: type, caller: Caller) -> Any:
        """Give the instance of a registered class for a call; None when it would have to be made."""
        return self._instances.made(cls, caller.session)

    def plain_method(self, target: Any, name: str) -> MethodType | None:
        """Give a method that is nothing but an exposed function of the object's class; None for all else.

        It does what `find_method` does, for those that are called all the time: what was found once is known by class
        and name, and its mark is looked at each time.
        """
        key = (type(target), name)
        if key not in self._plain_functions and not self._learn(key):
            return None
        method = getattr(target, name, None)
        return method if type(method) is MethodType and "_pyroExposed" in method.__func__.__dict__ else None

    def _learn(self, key: tuple[type, str]) -> bool:
        """Find out whether this name is nothing but an exposed function of the class, and remember if it is."""
        kind, name = key
        function = None if is_private(name) else class_member(kind, name)
        plain = (
            type(function) is FunctionType
            and class_member(kind, "__getattribute__") is object.__getattribute__
            and is_exposed(function)
            and "_pyroCallback" not in function.__dict__
            and not inspect.iscoroutinefunction(function)
            and not inspect.isasyncgenfunction(function)
        )
        if plain:
            if len(self._plain_functions) >= _MOST_KNOWN:
                self._plain_functions.clear()  # or classes that come and go would never go
            self._plain_functions.add(key)
        return plain

    def _target(self, object_id: str, caller: Caller) -> Any:
        target = self.find(object_id)
        return self._instances.get(target, caller.session) if isinstance(target, type) else target

    def _run_one(self, target: Any, call: Call, caller: Caller) -> Any:
        if call.method == "__getattr__":
            return self._get_attribute(target, call)
        if call.method == "__setattr__":
            return self._set_attribute(target, call)
        method = find_method(target, call.method, call.object_id, require_expose=self._require_expose)
        return self._call_user(method, call.method, call.args, call.kwargs or {}, call, caller)

    def _call_user(self, method: Any, name: str, args: Any, kwargs: Any, call: Call, caller: Caller) -> Any:
        called_back = getattr(method, "_pyroCallback", False)
        try:
            value = method(*args, **kwargs)
        except BaseException as error:
            if called_back:
                log.exception("error in callback method %r of object %r", name, call.object_id)
            self._on_error(caller, call, error)
            raise
        return _logged(value, name, call) if called_back and isinstance(value, Coroutine) else value

    def _run_batch(
        self, call: Call, caller: Caller, context: CallContext
    ) -> Generator[Coroutine[Any, Any, Any], Future[Any], list[Any]]:
        """Run the calls of a batch one after the other; a coroutine that one of them gives is to be awaited.

        Each call finds its method anew, for the one before it may have changed the object. What a call cannot have is
        an error when its turn comes, and those before it have run.
        """
        target = self._target(call.object_id, caller)
        if call.method != BATCH_METHOD:
            raise PyroError(f"a batch should call {BATCH_METHOD!r}, not {call.method!r}")
        names: set[str] = set()
        known, last = False, None
        results: list[Any] = []
        keep = results.append
        for name, args, kwargs in one_by_one(call.args) if call.kwargs == WITH_ROWS else map(_entry, call.args):
            side = context.side
            if side is not None and side.cancelled:
                keep(BatchError(CancelledError("the batch was cancelled before this call")))
                break
            if name is not last:
                if name not in names and self.plain_method(target, name) is not None:
                    names.add(name)
                known, last = name in names, name
            # What it does for a name that it has found plain, without its frame.
            method: Any = getattr(target, name, None) if known else None
            plain = type(method) is MethodType and "_pyroExposed" in method.__func__.__dict__
            if not plain:
                method = find_method(target, name, call.object_id, require_expose=self._require_expose)
            try:
                if plain:
                    result = method(*args, **kwargs) if kwargs else method(*args)
                else:
                    one = Call(call.object_id, name, args, kwargs or {})
                    result = self._call_user(method, name, args, kwargs or {}, one, caller)
            except BaseException as error:  # noqa: BLE001 - it is the result of this call, and the last one
                if plain:
                    self._on_error(caller, Call(call.object_id, name, args, kwargs or {}), error)
                results.append(BatchError(self._for_caller(error)))
                break
            if type(result) in PLAIN:
                keep(result)
                continue
            if isinstance(result, Coroutine):
                future = yield result
                failure = future.exception()
                if failure is not None:
                    self._on_error(caller, Call(call.object_id, name, args, kwargs or {}), failure)
                    results.append(BatchError(self._for_caller(failure)))
                    break
                result = future.result()
            if isinstance(result, Iterator | AsyncIterator):
                raise PyroError(f"method {name!r} gives an iterator, which cannot be the result of a call in a batch")
            results.append(result)
        return results

    def _go_on(
        self,
        future: Future[Any] | None,
        *,
        steps: Generator[Coroutine[Any, Any, Any], Any, list[Any]],
        context: CallContext,
    ) -> Outcome | Pending[Outcome]:
        """Go on with a batch, after what it waited for has come."""
        token = enter(context)
        try:
            coroutine = steps.send(future)
        except StopIteration as end:
            return Returned(end.value, context.response_annotations)
        except BaseException as error:  # noqa: BLE001 - as for a single call
            return Raised(self._for_caller(error), context.response_annotations)
        finally:
            leave(token)
        return Pending(self._start(coroutine, context), partial(self._go_on, steps=steps, context=context))

    def _may_use(self, accessor: Any) -> bool:
        """Tell whether an accessor of a property can be reached; each has a mark of its own."""
        return is_exposed(accessor) if self._require_expose else accessor is not None

    def _get_attribute(self, target: Any, call: Call) -> Any:
        name = _attribute_name(call, 1)
        member = _find_property(target, name, call.object_id)
        if member.fget is None or not self._may_use(member.fget):
            raise AttributeError(
                f"attempt to access unexposed or unknown remote attribute {name!r} of {call.object_id!r}"
            )
        _refuse_coroutine(member.fget, name, call.object_id)
        return member.__get__(target, type(target))

    def _set_attribute(self, target: Any, call: Call) -> None:
        name = _attribute_name(call, 2)
        member = _find_property(target, name, call.object_id)
        if member.fset is None or not (self._may_use(member.fset) or self._may_use(member.fget)):
            raise AttributeError(f"remote attribute {name!r} of {call.object_id!r} cannot be set")
        _refuse_coroutine(member.fset, name, call.object_id)
        member.__set__(target, call.args[1])

    def _for_caller(self, error: BaseException) -> BaseException:
        """Give the exception that goes to the caller, with its traceback as text on it."""
        lines = format_traceback(_without_plumbing(error), detailed=self._detailed)
        # What ends a program here must not end the caller's.
        if not isinstance(error, Exception):
            error = PyroError(f"remote method ended with {type(error).__name__}: {error}")
        try:
            error._pyroTraceback = lines  # type: ignore[attr-defined]
        except AttributeError:
            kind = type(error)
            error = PyroError(f"{kind.__module__}.{kind.__qualname__}: {error}")
            error._pyroTraceback = lines  # type: ignore[attr-defined]
        return error


def _entry(entry: Any) -> Sequence[Any]:
    """Give one call of a batch without rows, when it is its turn.

    Raises:
        TypeError: it is none.
    """
    # Asking the type itself takes less than asking a set of types.
    if (type(entry) is list or type(entry) is tuple) and len(entry) == _ENTRY_LENGTH:
        name, args, kwargs = entry
        if (
            type(name) is str
            and (type(args) is list or type(args) is tuple)
            and (kwargs is None or type(kwargs) is dict)
        ):
            return entry
    raise TypeError("each call of a batch should be (method, args, kwargs)")


async def _logged(coroutine: Coroutine[Any, Any, Any], name: str, call: Call) -> Any:
    """Log what a callback method raises while it is awaited."""
    try:
        return await coroutine
    except Exception:
        log.exception("error in callback method %r of object %r", name, call.object_id)
        raise


def _refuse_coroutine(accessor: Any, name: str, object_id: str) -> None:
    if inspect.iscoroutinefunction(accessor):
        raise AttributeError(
            f"remote attribute {name!r} of {object_id!r} is async, and an attribute cannot be awaited: make it a method"
        )


_PLUMBING = {__file__, *(str(Path(__file__).with_name(name)) for name in ("shortcut.py", "asyncloop.py"))}


def _without_plumbing(error: BaseException) -> BaseException:
    """Cut the frames of pyronb off the top of the traceback: they tell a caller nothing."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in _PLUMBING:
        frames = frames.tb_next
    return error if frames is None else error.with_traceback(frames)


def find_method(target: Any, name: str, object_id: str, *, require_expose: bool = True) -> Any:
    """Find an exposed method of an object; any of its class, where marks are not required.

    Raises:
        AttributeError: there is none of this name that may be called.
    """
    if is_private(name):
        raise AttributeError(f"attempt to access private attribute {name!r} of {object_id!r}")
    # Not by getattr at first, which would run the code of a property.
    member = class_member(type(target), name)
    if member is None:
        # What was put on the object itself is no method of its class, and needs a mark.
        require_expose = True
        member = inspect.getattr_static(target, name, None)
    if member is None:
        raise AttributeError(f"remote object {object_id!r} has no attribute {name!r}")
    if isinstance(member, property):
        raise AttributeError(f"attempt to call {name!r} of {object_id!r}, which is an attribute and no method")
    if not is_reachable(member, require_expose=require_expose):
        raise AttributeError(f"attempt to access unexposed attribute {name!r} of {object_id!r}")
    return getattr(target, name)


def class_member(cls: type, name: str) -> Any:
    """Find a member on a class without running any code of it; `inspect.getattr_static` costs as much as a call."""
    for base in cls.__mro__:
        member = base.__dict__.get(name)
        if member is not None:
            return member
    return None


def _find_property(target: Any, name: str, object_id: str) -> property:
    if is_private(name):
        raise AttributeError(f"attempt to access private attribute {name!r} of {object_id!r}")
    member = inspect.getattr_static(type(target), name, None)
    if not isinstance(member, property):
        raise AttributeError(f"attempt to access unexposed or unknown remote attribute {name!r} of {object_id!r}")
    return member


def _attribute_name(call: Call, count: int) -> str:
    if len(call.args) != count or not isinstance(call.args[0], str):
        raise TypeError(f"{call.method} takes {count} arguments, the first one a name")
    return call.args[0]
