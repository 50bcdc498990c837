"""Configuration: Pyro's upper-case items, each declared once, and the records that are made from them.

Each item can be set in code (``pyronb.config.COMMTIMEOUT = 2``) or in the environment. ``PYRO_<ITEM>`` names an item
that Pyro4 has too; ``PYRONB_<ITEM>`` names any item and wins. (A real Pyro5 in the same environment refuses to start
on ``PYRO_`` names that it does not know, so pyronb's own items only ever have the longer prefix.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pyronb.dialects import SAFE, UNSAFE
from pyronb.logs import log_to
from pyronb.options import ClientOptions, DaemonOptions, LookupOptions, TLSOptions, WireOptions
from pyronb.uri import MAX_PORT

__all__ = ["Configuration", "config"]

_TRUE = {"1", "on", "yes", "true"}
_FALSE = {"0", "off", "no", "false"}


def _boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("use 1, on, yes, true or 0, off, no, false")


def _number(kind: type[int | float]) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return kind(text)
        except ValueError as error:
            raise ValueError("a whole number is needed" if kind is int else "a number is needed") from error

    return parse


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


@dataclass(frozen=True, slots=True)
class _Item:
    default: Any
    types: tuple[type, ...]
    parse: Callable[[str], Any]
    own: bool
    """True for an item that Pyro does not have."""
    meaning: str
    check: Callable[[Any], bool]

    def copy_of_default(self) -> Any:
        return set(self.default) if isinstance(self.default, set) else self.default


def _item(
    default: Any,
    meaning: str,
    *,
    own: bool = False,
    check: Callable[[Any], bool] = lambda _: True,
    kind: type | None = None,
) -> _Item:
    """Declare an item; `kind` is the type of one whose default is None."""
    kind = type(default) if kind is None else kind
    types: dict[type, tuple[type, ...]] = {float: (float, int), set: (set, frozenset, list, tuple)}
    parsers: dict[type, Callable[[str], Any]] = {
        bool: _boolean,
        float: _number(float),
        int: _number(int),
        set: _names,
    }
    accepted = types.get(kind, (kind,))
    if default is None:
        accepted = (*accepted, type(None))
    return _Item(default, accepted, parsers.get(kind, kind), own, meaning, check)


def _not_negative(value: float) -> bool:
    return value >= 0


def _port(value: int) -> bool:
    return 0 <= value <= MAX_PORT


def _autoclean(value: float) -> bool:
    return value == 0 or value >= 3


# pickle.HIGHEST_PROTOCOL of all versions of Python that are promised; nothing else of pickle is needed here.
_HIGHEST_PICKLE = 5


def _pickle(value: int) -> bool:
    return 0 <= value <= _HIGHEST_PICKLE


def _level(value: str) -> bool:
    return value.upper() in {"", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}


ITEMS: dict[str, _Item] = {
    "HOST": _item("localhost", "address that daemons bind to"),
    "NATHOST": _item(None, "host that daemons tell others, behind address translation", kind=str),
    "NATPORT": _item(0, "port that daemons tell others, behind address translation; 0 means their own", check=_port),
    "PREFER_IP_VERSION": _item(
        0, "IP version for names that have both: 4, 6, or 0 for the system's choice", check=lambda v: v in {0, 4, 6}
    ),
    "NS_HOST": _item("localhost", "host of the name server"),
    "NS_PORT": _item(9090, "port of the name server", check=_port),
    "NS_BCHOST": _item(None, "address that a name server listens for broadcasts on", kind=str),
    "NS_BCPORT": _item(9091, "port for broadcasts that look for a name server", check=_port),
    "BROADCAST_ADDRS": _item("<broadcast>, 0.0.0.0", "addresses that broadcasts are sent to, with commas between"),
    "NS_AUTOCLEAN": _item(
        0.0, "seconds between two looks at whether registered objects can be reached; 0, or from 3 on", check=_autoclean
    ),
    "NS_LOOKUP_DELAY": _item(0.0, "seconds to wait for a name that is not registered yet", check=_not_negative),
    "SERIALIZER": _item(
        "serpent",
        "serializer of outgoing calls: serpent, json, marshal, msgpack; native between pyronb ends; auto, which is "
        "native where it can be and else serpent; or pickle, dill, cloudpickle, which run code",
        check=lambda v: v in {*SAFE, *UNSAFE, "auto"},
    ),
    "SERIALIZERS_ACCEPTED": _item(set(SAFE), "serializers that a daemon accepts; see SERIALIZER"),
    "SERPENT_BYTES_REPR": _item(False, "write bytes as a literal with serpent (receivers must agree)"),
    "PICKLE_PROTOCOL_VERSION": _item(_HIGHEST_PICKLE, "protocol version of pickle and cloudpickle", check=_pickle),
    "DILL_PROTOCOL_VERSION": _item(_HIGHEST_PICKLE, "protocol version of dill", check=_pickle),
    "AUTOPROXY": _item(True, "registered objects travel as proxies"),
    "REQUIRE_EXPOSE": _item(True, "only members marked with expose can be reached; else all that are not private"),
    "METADATA": _item(True, "a proxy asks what its object exposes when it connects"),
    "JSON_MODULE": _item("json", "module that does the json serializer's work"),
    "COMMTIMEOUT": _item(
        0.0, "seconds that a call may take, and connecting too; 0 waits for ever", check=_not_negative
    ),
    "CONNECT_TIMEOUT": _item(
        10.0, "seconds that connecting and greeting may take; 0 waits for ever", own=True, check=_not_negative
    ),
    "MAX_RETRIES": _item(0, "how often a call is sent again after a timeout or lost connection", check=_not_negative),
    "MAX_MESSAGE_SIZE": _item(1 << 30, "most bytes of one message; 0 means no limit", check=_not_negative),
    "COMPRESSION": _item(False, "compress larger payloads"),
    "ONEWAY_THREADED": _item(True, "run each oneway call in a thread of its own"),
    "DETAILED_TRACEBACK": _item(False, "remote tracebacks show the variables of every frame"),
    "POLLTIMEOUT": _item(2.0, "seconds between two looks at a daemon's loop condition", check=lambda v: v > 0),
    "THREADPOOL_SIZE": _item(80, "most calls that a daemon runs at the same time", check=lambda v: v > 0),
    "THREADPOOL_SIZE_MIN": _item(4, "workers that stay though there is nothing to do", check=_not_negative),
    "SERVERTYPE": _item(
        "thread", "engine of a daemon: thread or multiplex", check=lambda v: v in {"thread", "multiplex"}
    ),
    "SOCK_NODELAY": _item(True, "small messages leave at once (TCP_NODELAY)"),
    "USE_MSG_WAITALL": _item(True, "accepted for programs written for Pyro; receiving is the same either way"),
    "SOCK_REUSE": _item(True, "a port can be taken again at once after a restart (SO_REUSEADDR)"),
    "ITER_STREAMING": _item(True, "iterators are streamed to the caller"),
    "ITER_STREAM_LIFETIME": _item(0.0, "seconds that a far stream lives; 0 means no limit", check=_not_negative),
    "ITER_STREAM_LINGER": _item(30.0, "seconds that a far stream outlives its connection", check=_not_negative),
    "ITER_STREAM_AHEAD": _item(
        256,
        "most items of a far stream that are asked for at once; 1 asks for each when it is wanted, as real daemons do",
        own=True,
        check=lambda v: v > 0,
    ),
    "REMOTE_OUTPUT": _item(False, "what calls print at daemons of pyronb is sent along, and shown here", own=True),
    "REMOTE_OUTPUT_ALLOWED": _item(True, "callers that ask for it are sent what their calls print", own=True),
    "SSL": _item(False, "talk over TLS"),
    "SSL_SERVERCERT": _item("", "file with the certificate of daemons"),
    "SSL_SERVERKEY": _item("", "file with its key; empty when it is in the certificate's file"),
    "SSL_SERVERKEYPASSWD": _item("", "password of that key"),
    "SSL_REQUIRECLIENTCERT": _item(False, "daemons take only clients that show a certificate"),
    "SSL_CLIENTCERT": _item("", "file with the certificate that clients show"),
    "SSL_CLIENTKEY": _item("", "file with its key; empty when it is in the certificate's file"),
    "SSL_CLIENTKEYPASSWD": _item("", "password of that key"),
    "SSL_CACERTS": _item("", "file or directory with the certificates of further authorities to trust"),
    "LOGWIRE": _item(False, "log every message, with all that is in it, at level DEBUG"),
    "RECORD_CALLS": _item(
        False, "notebooks record their remote calls from the start; %pyro_calls shows them", own=True
    ),
    "LOGLEVEL": _item(
        "",
        "level of pyronb's log, as a name, when pyronb is imported; empty leaves logging to the program",
        check=_level,
    ),
    "LOGFILE": _item("pyronb.log", "file of pyronb's log, when LOGLEVEL is set; {stderr} for the terminal"),
}


class Configuration:
    """The settings of pyronb, one attribute for each item.

    Assigning a value of another type, or one out of range, raises at once and leaves the old value. `asDict` lists
    all items, `dump` describes them, `copy` keeps them aside, `reset` goes back to defaults and environment.

    Raises:
        AttributeError: there is no such item.
        TypeError: the value is of another type.
        ValueError: the value is out of range; also when an environment variable cannot be understood.
    """

    __slots__ = ("_client_options", "_told", "_values")

    # The last records, and the values that they were made of: each proxy asks for them.
    _client_options: dict[str, tuple[dict[str, Any], ClientOptions]]
    _told: set[str]
    _values: dict[str, Any]

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        """Start from the defaults and this environment; without one, from the process's own."""
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_told", set())
        object.__setattr__(self, "_client_options", {})
        self.reset(environment=environment)

    def reset(self, *, environment: Mapping[str, str] | None = None, use_environment: bool = True) -> None:
        """Go back to the defaults, and to the environment unless told otherwise."""
        values = {name: item.copy_of_default() for name, item in ITEMS.items()}
        told = set()
        if use_environment:
            for name, variable, text in _from_environment(os.environ if environment is None else environment):
                try:
                    values[name] = _checked(name, ITEMS[name].parse(text))
                    told.add(name)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"environment variable {variable}={text!r}: {error}") from error
        self._values.update(values)
        self._told.clear()
        self._told.update(told)

    def __getattr__(self, name: str) -> Any:
        if name not in ITEMS:
            raise AttributeError(f"there is no configuration item {name!r}")
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ITEMS:
            raise AttributeError(f"there is no configuration item {name!r}")
        self._values[name] = _checked(name, value)
        self._told.add(name)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *ITEMS]

    def __iter__(self) -> Iterator[str]:
        return iter(ITEMS)

    def asDict(self) -> dict[str, Any]:
        """Give all items with their present values; changing these changes no setting."""
        return {name: set(value) if isinstance(value, set) else value for name, value in self._values.items()}

    def copy(self) -> Configuration:
        """Give settings of their own that are like these; pyronb goes on looking at `config`."""
        made = Configuration({})
        made._values.update(self.asDict())
        made._told.update(self._told)
        return made

    def __copy__(self) -> Configuration:
        return self.copy()

    def sources(self, environment: Mapping[str, str] | None = None) -> dict[str, str]:
        """Tell for each item that an environment (the process's own by default) sets which variable does so.

        An item that was changed since, in code, is not among them.
        """
        values, named = self._values, {}
        for name, variable, text in _from_environment(os.environ if environment is None else environment):
            if _checked(name, ITEMS[name].parse(text)) == values[name]:
                named[name] = variable
            else:
                named.pop(name, None)
        return named

    def told(self, name: str) -> bool:
        """Tell whether code or the environment set an item, be it to its default."""
        return name in self._told or self._values[name] != ITEMS[name].default

    def dump(self) -> str:
        """Describe all items: value and meaning, one a line."""
        width = max(map(len, ITEMS))
        rows = (f"{name:<{width}} = {self._values[name]!r:<12}  # {item.meaning}" for name, item in ITEMS.items())
        return "\n".join(rows)

    # Records for the floors below. Pyro writes "no timeout" as 0; inside it is None.

    def wire_options(self) -> WireOptions:
        """Make the record of how messages are made and read."""
        return WireOptions(
            max_message_size=self.MAX_MESSAGE_SIZE,
            compression=self.COMPRESSION,
            bytes_repr=self.SERPENT_BYTES_REPR,
            json_module=self.JSON_MODULE,
            pickle_protocol=self.PICKLE_PROTOCOL_VERSION,
            dill_protocol=self.DILL_PROTOCOL_VERSION,
            log=self.LOGWIRE,
        )

    def lookup_options(self) -> LookupOptions:
        """Make the record of where name servers are looked for."""
        return LookupOptions(
            host=self.NS_HOST,
            port=self.NS_PORT,
            delay=self.NS_LOOKUP_DELAY,
            broadcast_addresses=tuple(part.strip() for part in self.BROADCAST_ADDRS.split(",") if part.strip()),
            broadcast_port=self.NS_BCPORT,
        )

    def client_options(self, *, serializer: str = "") -> ClientOptions:
        """Make the record of how a client talks.

        Args:
            serializer: the one to use where nobody set SERIALIZER.
        """
        if not serializer or self.told("SERIALIZER"):
            serializer = self.SERIALIZER
        of, made = self._client_options.get(serializer, ({}, None))
        if made is None or of != self._values:
            of, made = dict(self._values), self._make_client_options(serializer)
            self._client_options[serializer] = of, made
        return made

    def _make_client_options(self, serializer: str) -> ClientOptions:
        return ClientOptions(
            serializer=serializer,
            timeout=self.COMMTIMEOUT or None,
            connect_timeout=min(filter(None, (self.CONNECT_TIMEOUT, self.COMMTIMEOUT)), default=None),
            max_retries=self.MAX_RETRIES,
            nodelay=self.SOCK_NODELAY,
            metadata=self.METADATA,
            stream_ahead=self.ITER_STREAM_AHEAD,
            remote_output=self.REMOTE_OUTPUT,
            autoproxy=self.AUTOPROXY,
            ip_version=self.PREFER_IP_VERSION,
            tls=self._tls(self.SSL_CLIENTCERT, self.SSL_CLIENTKEY, self.SSL_CLIENTKEYPASSWD),
            wire=self.wire_options(),
            lookup=self.lookup_options(),
        )

    def daemon_options(self) -> DaemonOptions:
        """Make the record of how a daemon serves.

        Raises:
            ValueError: SERIALIZERS_ACCEPTED names a serializer that there is not.
        """
        unknown = self.SERIALIZERS_ACCEPTED.difference((*SAFE, *UNSAFE))
        if unknown:
            names = ", ".join(sorted(map(repr, unknown)))
            raise ValueError(f"SERIALIZERS_ACCEPTED names {names}; there is: {', '.join((*SAFE, *UNSAFE))}")
        return DaemonOptions(
            engine=self.SERVERTYPE,
            workers=self.THREADPOOL_SIZE,
            workers_kept=self.THREADPOOL_SIZE_MIN,
            oneway_threaded=self.ONEWAY_THREADED,
            timeout=self.COMMTIMEOUT or None,
            handshake_timeout=self.CONNECT_TIMEOUT or 10.0,
            poll_timeout=self.POLLTIMEOUT,
            stream_lifetime=self.ITER_STREAM_LIFETIME,
            stream_linger=self.ITER_STREAM_LINGER,
            streaming=self.ITER_STREAMING,
            give_output=self.REMOTE_OUTPUT_ALLOWED,
            detailed_traceback=self.DETAILED_TRACEBACK,
            nodelay=self.SOCK_NODELAY,
            reuse_address=self.SOCK_REUSE,
            serializers=frozenset(self.SERIALIZERS_ACCEPTED),
            autoproxy=self.AUTOPROXY,
            require_expose=self.REQUIRE_EXPOSE,
            nat_host=self.NATHOST,
            nat_port=self.NATPORT,
            ip_version=self.PREFER_IP_VERSION,
            tls=self._tls(self.SSL_SERVERCERT, self.SSL_SERVERKEY, self.SSL_SERVERKEYPASSWD),
            wire=self.wire_options(),
        )

    def _tls(self, certificate: str, key: str, password: str) -> TLSOptions | None:
        if not self.SSL:
            return None
        return TLSOptions(
            certificate=certificate,
            key=key,
            password=password,
            authorities=self.SSL_CACERTS,
            require_client=self.SSL_REQUIRECLIENTCERT,
        )


def _checked(name: str, value: Any) -> Any:
    """Give a value as an item keeps it.

    Raises:
        TypeError: it is of another type.
        ValueError: it is out of range.
    """
    item = ITEMS[name]
    given: Any = value
    # bool is an int, but a number is not meant where a switch is given, nor the reverse.
    if not isinstance(value, item.types) or (isinstance(value, bool) and bool not in item.types):
        wanted = " or ".join(kind.__name__ for kind in item.types)
        raise TypeError(f"{name} takes {wanted}, not {type(value).__name__}")
    if not item.check(value):
        raise ValueError(f"{name}={value!r} is out of range ({item.meaning})")
    if given is None:
        return None
    if isinstance(item.default, set):
        return set(given)
    return float(given) if isinstance(item.default, float) else given


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """List (item, variable, text), the stronger prefix last; names that are no items are left alone."""
    for prefix in ("PYRO_", "PYRONB_"):
        for name, item in ITEMS.items():
            text = environment.get(prefix + name)
            if text is not None and not (item.own and prefix == "PYRO_"):
                yield name, prefix + name, text


config = Configuration()
"""The settings of this process."""

# Whatever has something to log reads the configuration first.
log_to(config.LOGLEVEL, config.LOGFILE)
