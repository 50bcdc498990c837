"""Registry: which objects a daemon has, under which ids."""

from __future__ import annotations

import inspect
import threading
import uuid
from typing import Any

from pyronb.errors import DaemonError
from pyronb.rpc.metadata import Metadata
from pyronb.server.exposure import members_of

__all__ = ["Registry"]


class Registry:
    """The objects and classes of a daemon by id, and what each of them exposes. Safe for threads."""

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._objects: dict[str, Any] = {}
        # The registry keeps its objects alive, so the number of an object stays its own.
        self._ids: dict[int, str] = {}
        self._metadata: dict[str, Metadata] = {}

    def register(self, obj: Any, objectId: str | None, *, force: bool = False) -> str:
        """Take an object or a class in and give its id.

        Args:
            obj: what is called.
            objectId: its id, without white space; a random one by default.
            force: take the place of what had this id, and register an object that has an id already.

        Raises:
            DaemonError: the id is taken, or the object is registered already.
            TypeError: the id is no text.
            ValueError: the id is empty, or has white space or an ``@`` in it, so that no address could name it.
        """
        object_id = objectId
        if object_id is None:
            object_id = "obj_" + uuid.uuid4().hex
        if not isinstance(object_id, str):
            raise TypeError(f"an object id must be a str, not {type(object_id).__name__}")
        if not object_id or any(character.isspace() or character == "@" for character in object_id):
            raise ValueError(f"an object id must not be empty or have white space or '@' in it: {object_id!r}")
        with self._lock:
            known = self._ids.get(id(obj))
            if known is not None and not force:
                raise DaemonError(f"object is registered already, as {known!r}; unregister it first, or use force")
            if object_id in self._objects and not force:
                raise DaemonError(f"an object with id {object_id!r} is registered already; unregister it, or use force")
            self._forget(object_id)
            if known is not None:
                self._forget(known)
            self._objects[object_id] = obj
            self._ids[id(obj)] = object_id
        return object_id

    def unregister(self, obj_or_id: Any) -> tuple[str, Any]:
        """Let go of an object and give its id and itself.

        Raises:
            DaemonError: it is not registered here.
        """
        with self._lock:
            object_id = obj_or_id if isinstance(obj_or_id, str) else self._ids.get(id(obj_or_id))
            if object_id is None or object_id not in self._objects:
                raise DaemonError(f"object is not registered here: {obj_or_id!r}")
            return object_id, self._forget(object_id)

    def _forget(self, object_id: str) -> Any:
        obj = self._objects.pop(object_id, None)
        self._metadata.pop(object_id, None)
        self._ids.pop(id(obj), None)
        return obj

    def find(self, object_id: str) -> Any:
        """Give the object or class with this id.

        Raises:
            DaemonError: there is none.
        """
        try:
            return self._objects[object_id]
        except KeyError:
            raise DaemonError(f"unknown object: no object with id {object_id!r} is registered in this daemon") from None

    def id_of(self, obj: Any) -> str | None:
        """Give the id of an object; None when it is not registered."""
        return self._ids.get(id(obj))

    def ids(self) -> list[str]:
        """List all ids."""
        with self._lock:
            return list(self._objects)

    def metadata(self, object_id: str) -> Metadata:
        """Tell what an object exposes; worked out once.

        Raises:
            DaemonError: there is no such object.
        """
        known = self._metadata.get(object_id)
        if known is None:
            obj = self.find(object_id)
            known = members_of(obj if inspect.isclass(obj) else type(obj))
            self._metadata[object_id] = known
        return known

    def reset_metadata(self, object_id: str) -> None:
        """Work it out anew at the next question, because the class was changed."""
        self._metadata.pop(object_id, None)

    def clear(self) -> list[Any]:
        """Let go of everything and give what was there."""
        with self._lock:
            objects = list(self._objects.values())
            self._objects.clear()
            self._ids.clear()
            self._metadata.clear()
        return objects
