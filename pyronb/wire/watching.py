"""Watching a connection: every message that passes, in either direction, is told to one function."""

from __future__ import annotations

import logging
from collections.abc import Callable

from pyronb.wire.message import CONNECT, CONNECTFAIL, CONNECTOK, INVOKE, PING, RESULT, Message

__all__ = ["Watch", "log_message", "watch_for"]

log = logging.getLogger("pyronb.wire")

Watch = Callable[[str, Message], None]
"""Is told ``sent`` or ``received``, and the message."""

_KINDS = {
    CONNECT: "CONNECT",
    CONNECTOK: "CONNECTOK",
    CONNECTFAIL: "CONNECTFAIL",
    INVOKE: "INVOKE",
    RESULT: "RESULT",
    PING: "PING",
}
_MOST = 2000
"""Most bytes of a payload that are logged."""


def watch_for(*, logged: bool) -> Watch | None:
    """Give what a connection tells its messages to: the log, or nobody. (LOGWIRE; feature inventory B6.)"""
    return log_message if logged else None


def log_message(direction: str, message: Message) -> None:
    """Log a message, at level DEBUG. Its payload is in it, and with that whatever secrets it holds."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    size = len(message.payload)
    log.debug(
        "%s %s: flags=0x%x serializer=%d seq=%d correlation=%s annotations=%r payload of %d bytes=%r%s",
        direction,
        _KINDS.get(message.type, message.type),
        message.flags,
        message.serializer_id,
        message.seq,
        message.correlation_id.hex() if message.correlation_id else None,
        {name: bytes(chunk[:_MOST]) for name, chunk in message.annotations.items()},
        size,
        bytes(message.payload[:_MOST]),
        "..." if size > _MOST else "",
    )
