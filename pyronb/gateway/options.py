"""GatewayOptions: what a gateway lets through, and how much of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

__all__ = ["GatewayOptions"]


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    r"""How a gateway serves.

    Attributes:
        expose: regular expression; only objects whose name it matches, from the start, can be reached. Empty for all.
        key: what a request has to know, in the header ``X-Pyro-Gateway-Key`` or the parameter ``$key``; empty for none.
        cors: origins, with commas between, whose pages may use the gateway from a browser; ``*`` for all, empty for
            the gateway's own pages alone.
        hosts: names under which the gateway may be addressed, against pages that point a name of their own at it;
            empty for any.
        post_only: whether calls need a POST, so that no link and no image makes one.
        timeout: seconds that finding an object and calling it may take together; None waits for ever.
        patience: seconds that a request waits while `concurrency` others are served.
        concurrency: most calls at the same time.
        max_body: most bytes of a request's body.
        max_answer: most bytes of an answer, or of one item of a far stream.
        stream_items: most items of a far stream that are passed on.
        stream_timeout: seconds that a far stream may take; None for as long as it wants.
        keep: connections that are kept for the next request, for each object. With 0 each request has one of its own,
            and so an instance of its own where the object's class has the mode ``session``, as with Pyro's gateway.
        idle: seconds after which a kept connection is closed.
        hmac_key: shared key with which messages to objects are signed, which only protocol 48 (Pyro4) knows.

    Raises:
        ValueError: `expose` is no regular expression.
    """

    expose: str = r"http\."
    key: str = field(default="", repr=False)
    cors: str = ""
    hosts: tuple[str, ...] = ()
    post_only: bool = False
    timeout: float | None = 30.0
    patience: float = 10.0
    concurrency: int = 32
    max_body: int = 1 << 20
    max_answer: int = 64 << 20
    stream_items: int = 100_000
    stream_timeout: float | None = 600.0
    keep: int = 0
    idle: float = 10.0
    hmac_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse what could only fail later."""
        try:
            re.compile(self.expose)
        except re.error as error:
            raise ValueError(f"{self.expose!r} is no regular expression: {error}") from error

    def exposes(self, name: str) -> bool:
        """Tell whether an object of this name can be reached."""
        return re.match(self.expose, name) is not None
