"""All exceptions that pyronb raises by itself, in one tree.

::

    PyroError                       anything that went wrong here or over there
    ├── CommunicationError          the conversation with the peer failed
    │   ├── ConnectionClosedError   the connection is gone (also a ConnectionError)
    │   ├── TimeoutError            no answer in time (also the builtin TimeoutError)
    │   └── ProtocolError           bytes that make no sense, or a peer of another protocol
    │       ├── MessageTooLargeError
    │       └── SerializeError      a value cannot be written or read with this serializer
    ├── NamingError                 a name is unknown, taken, or no name server was found (also a LookupError)
    ├── DaemonError                 the daemon cannot do that: unknown object, taken id
    ├── CancelledError              a call was stopped because nobody wanted its result any more
    ├── SecurityError               refused on purpose (also a PermissionError)
    └── RemoteError                 an exception over there whose class is not known here

The names are those of Pyro4 and Pyro5 (feature inventory B7), and travel between the families under either name.
Each class also inherits the builtin that a caller would expect, so that ``except TimeoutError`` works
with or without an import.
"""

from __future__ import annotations

import builtins
from typing import Any

__all__ = [
    "CancelledError",
    "CommunicationError",
    "ConnectionClosedError",
    "DaemonError",
    "MessageTooLargeError",
    "NamingError",
    "ProtocolError",
    "PyroError",
    "RemoteError",
    "SecurityError",
    "SerializeError",
    "TimeoutError",
]


class PyroError(Exception):
    """Base of all exceptions of pyronb."""


class CommunicationError(PyroError):
    """The conversation with the peer failed."""


class ConnectionClosedError(CommunicationError, ConnectionError):
    """The connection to the peer is gone, or could not be made."""


class TimeoutError(CommunicationError, builtins.TimeoutError):  # noqa: A001 - Pyro's name; it is a builtin TimeoutError too
    """The peer did not answer in time."""


class ProtocolError(CommunicationError):
    """The peer sent bytes that make no sense, or speaks another protocol."""


class MessageTooLargeError(ProtocolError):
    """A message is larger than MAX_MESSAGE_SIZE."""


class SerializeError(ProtocolError):
    """A value cannot be written, or received data cannot be read, with this serializer."""


class NamingError(PyroError, LookupError):
    """A name is unknown or taken, or no name server was found."""


class DaemonError(PyroError):
    """The daemon cannot do what was asked, for example because it has no such object."""


class CancelledError(PyroError):
    """A call was stopped over there before its end, because its caller cancelled it, or its daemon was closed."""


class SecurityError(PyroError, PermissionError):
    """Something was refused on purpose."""


class RemoteError(PyroError):
    """An exception was raised over there, of a class that is not known here.

    Nothing of it is lost: its class name, its arguments, its other attributes, its notes and its remote traceback
    (`getPyroTraceback`) are kept. From a pyronb daemon also what it was raised from, or during, is linked to it, as
    ``__cause__`` or ``__context__``. The connection stays usable.

    Attributes:
        class_name: the full name of the class over there, for example ``myproject.errors.MotorStalled``.
        message: the first argument as text, or the empty string.
        attributes: further attributes of the remote exception, by name.
    """

    class_name: str
    message: str
    attributes: dict[str, Any]

    def __init__(self, class_name: str = "", *args: object) -> None:
        """Make the stand-in for an exception of the class with this name and these arguments."""
        super().__init__(class_name, *args)
        self.class_name = class_name
        self.message = str(args[0]) if args else ""
        self.attributes = {}

    def __str__(self) -> str:
        """Show the remote class and its arguments the way the remote side would have shown them."""
        rest = self.args[1:]
        if not rest:
            return self.class_name
        return f"{self.class_name}: {rest[0] if len(rest) == 1 else rest}"
