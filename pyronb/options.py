"""Frozen records of settings, which the public classes fill from the configuration and hand inward.

Nothing below the public classes ever reads the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pyronb.dialects import SAFE

__all__ = ["ClientOptions", "DaemonOptions", "LookupOptions", "TLSOptions", "WireOptions"]


@dataclass(frozen=True, slots=True)
class WireOptions:
    """How messages are made and read.

    Attributes:
        max_message_size: most bytes of one message, also after inflating; 0 means no limit but the format's own.
        compression: whether larger payloads are compressed.
        bytes_repr: whether serpent writes bytes as a literal rather than as a base64 record.
        json_module: name of the module that does the json serializer's work.
        pickle_protocol: protocol version of pickle and cloudpickle.
        dill_protocol: protocol version of dill.
        log: whether every message is logged.
        room: the room that proxies which arrive are made for, ``aio``; empty for the synchronous one.
    """

    max_message_size: int = 1 << 30
    compression: bool = False
    bytes_repr: bool = False
    json_module: str = "json"
    pickle_protocol: int = 5
    dill_protocol: int = 5
    log: bool = False
    room: str = ""


@dataclass(frozen=True, slots=True)
class TLSOptions:
    """How one side shows who it is, and whom it trusts.

    Attributes:
        certificate: file with its certificate; empty for none.
        key: file with the certificate's key; empty when it is in the certificate's file.
        password: password of the key; empty for none.
        authorities: file or directory with the certificates of further authorities to trust; empty for none.
        require_client: whether a server takes only clients that show a certificate.
    """

    certificate: str = ""
    key: str = ""
    password: str = field(default="", repr=False)
    authorities: str = ""
    require_client: bool = False


@dataclass(frozen=True, slots=True)
class LookupOptions:
    """Where name servers are looked for.

    Attributes:
        host: host of the name server.
        port: its port.
        delay: seconds to wait for a name that is not registered yet.
        broadcast_addresses: addresses that a broadcast is sent to.
        broadcast_port: port of broadcasts.
    """

    host: str = "localhost"
    port: int = 9090
    delay: float = 0.0
    broadcast_addresses: tuple[str, ...] = ("<broadcast>", "0.0.0.0")  # noqa: S104 - Pyro sends there too
    broadcast_port: int = 9091


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How a client talks.

    Attributes:
        serializer: name of the serializer for requests.
        timeout: seconds that a call may take; None waits for ever.
        connect_timeout: seconds that connecting and greeting may take; None waits for ever.
        max_retries: how often a call is sent again after a lost connection or a timeout.
        nodelay: whether small messages leave at once (TCP_NODELAY).
        metadata: whether a proxy asks what its object exposes.
        stream_ahead: most items of a far stream that are asked for at once; 1 asks for each when it is wanted.
        remote_output: whether what calls print and log at a pyronb daemon is sent along, and shown here.
        autoproxy: whether functions, and objects of marked classes, travel as proxies when they are arguments.
        beside: whether values may lie beside the payload of a reply; not for who passes payloads on to others.
        ip_version: 4 or 6 for names that have both, 0 for the system's choice.
        tls: how to talk over TLS; None talks without.
        protocol: number of the protocol to begin with: 502 (Pyro5) or 48 (Pyro4). What a daemon speaks is found out by
            itself, but over a given socket there is no handshake to find it out.
        wire: how messages are made and read.
        lookup: where name servers are looked for.
    """

    serializer: str = "serpent"
    timeout: float | None = None
    connect_timeout: float | None = 10.0
    max_retries: int = 0
    nodelay: bool = True
    metadata: bool = True
    stream_ahead: int = 256
    remote_output: bool = False
    autoproxy: bool = True
    beside: bool = True
    ip_version: int = 0
    tls: TLSOptions | None = None
    protocol: int = 502
    wire: WireOptions = field(default_factory=WireOptions)
    lookup: LookupOptions = field(default_factory=LookupOptions)


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """How a daemon serves.

    Attributes:
        engine: what moves the bytes and runs the calls: ``thread`` or ``multiplex``.
        workers: most threads that run calls at the same time.
        workers_kept: worker threads that stay though there is nothing to do.
        oneway_threaded: whether a oneway call gets a thread of its own.
        timeout: seconds after which a silent client in mid-message is given up; None waits for ever.
        handshake_timeout: seconds that a new client has for its greeting.
        poll_timeout: seconds between two looks at the loop condition.
        stream_lifetime: seconds that a far stream lives; 0 means no limit.
        stream_linger: seconds that a far stream outlives its connection.
        streaming: whether iterators are streamed at all.
        give_output: whether callers that ask for it are sent what their calls print and log.
        detailed_traceback: whether remote tracebacks show the variables of every frame.
        nodelay: whether small messages leave at once (TCP_NODELAY).
        reuse_address: whether the port can be taken again at once after a restart (SO_REUSEADDR).
        serializers: names of the serializers that requests may use.
        autoproxy: whether registered objects travel as proxies.
        require_expose: whether only marked members can be reached.
        nat_host: host to tell others, behind address translation; None for the daemon's own.
        nat_port: port to tell others, behind address translation; 0 for the daemon's own.
        ip_version: 4 or 6 for names that have both, 0 for the system's choice.
        tls: how to talk over TLS; None talks without.
        wire: how messages are made and read.
    """

    engine: str = "thread"
    workers: int = 80
    workers_kept: int = 4
    oneway_threaded: bool = True
    timeout: float | None = None
    handshake_timeout: float = 10.0
    poll_timeout: float = 2.0
    stream_lifetime: float = 0.0
    stream_linger: float = 30.0
    streaming: bool = True
    give_output: bool = True
    detailed_traceback: bool = False
    nodelay: bool = True
    reuse_address: bool = True
    serializers: frozenset[str] = frozenset(SAFE)
    autoproxy: bool = True
    require_expose: bool = True
    nat_host: str | None = None
    nat_port: int = 0
    ip_version: int = 0
    tls: TLSOptions | None = None
    wire: WireOptions = field(default_factory=WireOptions)
