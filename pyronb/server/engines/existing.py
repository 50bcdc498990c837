"""ExistingEngine: serves one connection that somebody else made. (Wire specification, section 28.)"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any, ClassVar

from pyronb.net.stream import given
from pyronb.options import DaemonOptions
from pyronb.server.conversation import Conversation
from pyronb.server.engines.base import STALL
from pyronb.server.engines.threads import ThreadEngine, WorkerClient

__all__ = ["ExistingEngine"]


class ExistingEngine(ThreadEngine):
    """Serves one client over a socket that is connected already, and ends with it; the socket stays open.

    Args:
        sock: the socket.
        converse: as for `Engine`, and so are the others.
        gone: see there.
        housekeeping: see there.
        options: see there.
    """

    name: ClassVar[str] = "existing"

    def __init__(
        self,
        sock: socket.socket,
        converse: Callable[[Any], Conversation],
        gone: Callable[[Conversation], None],
        housekeeping: Callable[[], None],
        options: DaemonOptions,
    ) -> None:
        super().__init__(None, converse, gone, housekeeping, options)
        conversation = converse(sock.getpeername() or "connected socket")
        conversation.open()
        client = WorkerClient(given(sock, stall=options.timeout or STALL), conversation, None, self)
        conversation.caller.getpeercert = client.stream.getpeercert
        conversation.caller.client = client
        self._clients.add(client)
        self._watch_client(client)

    def _end(self, client: WorkerClient) -> None:
        super()._end(client)
        # Nobody else will ever come.
        self.shutdown()
