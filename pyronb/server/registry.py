"""Registry: which objects a daemon has, under which ids."""

from __future__ import annotations

import inspect
import threading
import uuid
import weakref
from collections import deque
from typing import Any

from pyronb.errors import DaemonError
from pyronb.rpc.metadata import Metadata
from pyronb.server.exposure import members_of

__all__ = ["Registry"]


_NOTHING: Any = object()


class _Weak:
    """Stands for an object that others keep alive; when they do not any more, a note is left."""

    __slots__ = ("number", "object_id", "reference")

    def __init__(self, obj: Any, object_id: str, notes: deque[_Weak]) -> None:
        self.object_id = object_id
        self.number = id(obj)
        self.reference = weakref.ref(obj, lambda _: notes.append(self))


class Registry:
    """The objects and classes of a daemon by id, and what each of them exposes. Safe for threads.

    Args:
        require_expose: whether only marked members are exposed; else all that are not private.
    """

    def __init__(self, *, require_expose: bool = True) -> None:
        self._lock = threading.Lock()
        self._objects: dict[str, Any] = {}
        self._ids: dict[int, str] = {}
        self._metadata: dict[str, Metadata] = {}
        self._require_expose = require_expose
        # The collector runs at any moment, in any thread, perhaps in one that holds the lock.
        self._notes: deque[_Weak] = deque()

    def register(self, obj: Any, objectId: str | None, *, force: bool = False, weak: bool = False) -> str:
        """Take an object or a class in and give its id.

        Args:
            obj: what is called.
            objectId: its id, without white space; a random one by default.
            force: take the place of what had this id, and register an object that has an id already.
            weak: do not keep the object alive; once it is gone it is not registered any more.

        Raises:
            DaemonError: the id is taken, or the object is registered already.
            TypeError: the id is no text, or the object cannot be registered weakly: it is a class, or one of a class
                without weak references.
            ValueError: the id is empty, or has white space or an ``@`` in it, so that no address could name it.
        """
        object_id = objectId
        if object_id is None:
            object_id = "obj_" + uuid.uuid4().hex
        if not isinstance(object_id, str):
            raise TypeError(f"an object id must be a str, not {type(object_id).__name__}")
        if not object_id or any(character.isspace() or character == "@" for character in object_id):
            raise ValueError(f"an object id must not be empty or have white space or '@' in it: {object_id!r}")
        if weak and inspect.isclass(obj):
            raise TypeError(f"a class cannot be registered with weak=True: {obj.__name__}")
        kept = _Weak(obj, object_id, self._notes) if weak else obj
        with self._lock:
            self._bury()
            known = self.id_of(obj)
            if known is not None and not force:
                raise DaemonError(f"object is registered already, as {known!r}; unregister it first, or use force")
            if object_id in self._objects and not force:
                raise DaemonError(f"an object with id {object_id!r} is registered already; unregister it, or use force")
            self._forget(object_id)
            if known is not None:
                self._forget(known)
            self._objects[object_id] = kept
            self._ids[id(obj)] = object_id
        return object_id

    def _bury(self) -> None:
        """Forget what the collector has taken; the lock is held."""
        while self._notes:
            gone = self._notes.popleft()
            if self._objects.get(gone.object_id) is gone:
                del self._objects[gone.object_id]
                self._metadata.pop(gone.object_id, None)
                self._ids.pop(gone.number, None)

    def unregister(self, obj_or_id: Any) -> tuple[str, Any]:
        """Let go of an object and give its id and itself.

        Raises:
            DaemonError: it is not registered here.
        """
        with self._lock:
            self._bury()
            object_id = obj_or_id if isinstance(obj_or_id, str) else self.id_of(obj_or_id)
            if object_id is None or object_id not in self._objects:
                raise DaemonError(f"object is not registered here: {obj_or_id!r}")
            return object_id, self._forget(object_id)

    def _forget(self, object_id: str) -> Any:
        obj = _strong(self._objects.pop(object_id, None))
        self._metadata.pop(object_id, None)
        self._ids.pop(id(obj), None)
        return obj

    def find(self, object_id: str) -> Any:
        """Give the object or class with this id.

        Raises:
            DaemonError: there is none.
        """
        obj = self._objects.get(object_id, _NOTHING)
        if type(obj) is _Weak:
            obj = obj.reference()
            obj = _NOTHING if obj is None else obj
        if obj is _NOTHING:
            raise DaemonError(f"unknown object: no object with id {object_id!r} is registered in this daemon")
        return obj

    def id_of(self, obj: Any) -> str | None:
        """Give the id of an object; None when it is not registered."""
        object_id = self._ids.get(id(obj))
        # The number of an object that was registered weakly may have been given to another one.
        return object_id if object_id is not None and _strong(self._objects.get(object_id)) is obj else None

    def ids(self) -> list[str]:
        """List all ids."""
        with self._lock:
            self._bury()
            return list(self._objects)

    def all(self) -> dict[str, Any]:
        """Give all objects and classes by id."""
        with self._lock:
            kept = [(object_id, _strong(obj)) for object_id, obj in self._objects.items()]
        return {object_id: obj for object_id, obj in kept if obj is not None}

    def metadata(self, object_id: str) -> Metadata:
        """Tell what an object exposes; worked out once.

        Raises:
            DaemonError: there is no such object.
        """
        known = self._metadata.get(object_id)
        if known is None:
            obj = self.find(object_id)
            known = members_of(obj if inspect.isclass(obj) else type(obj), require_expose=self._require_expose)
            self._metadata[object_id] = known
        return known

    def reset_metadata(self, object_id: str) -> None:
        """Work it out anew at the next question, because the class was changed."""
        self._metadata.pop(object_id, None)

    def clear(self) -> list[Any]:
        """Let go of everything and give what was there."""
        with self._lock:
            objects = [obj for obj in map(_strong, self._objects.values()) if obj is not None]
            self._objects.clear()
            self._ids.clear()
            self._metadata.clear()
        return objects


def _strong(kept: Any) -> Any:
    """Give what is kept itself; None when it is gone."""
    return kept.reference() if type(kept) is _Weak else kept
