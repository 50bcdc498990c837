"""The face of a proxy: what its names mean, in whichever room it lives.

Names that begin with ``_pyro`` belong to the proxy. Other names with a leading underscore are never remote. All the
rest is remote, and what the daemon told in the handshake decides what each one is. Nothing here does I/O.
"""

from __future__ import annotations

import importlib
import inspect
from abc import ABCMeta
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pyronb.cards import Card
from pyronb.client.functions import register_functions
from pyronb.client.link import Link
from pyronb.client.speech import choose
from pyronb.client.state import key_bytes
from pyronb.errors import PyroError
from pyronb.news import Progress
from pyronb.options import ClientOptions
from pyronb.rpc.call import Wishes
from pyronb.rpc.metadata import parse_signature
from pyronb.serializers.hooks import HOOKS
from pyronb.uri import URI
from pyronb.wire.message import NO_ANNOTATIONS, Buffer

__all__ = [
    "MethodDoc",
    "MethodFace",
    "ProxyFace",
    "RemoteDoc",
    "annotations_of_owner",
    "check_method",
    "check_proxy",
    "describe",
    "doc_of",
    "dotted",
    "local_names",
    "may_have_own",
    "missing",
    "never_remote",
    "not_set",
    "own_attributes",
    "retries_of",
    "signature_of",
    "timeout_of",
    "wishes_of",
]

P = TypeVar("P", bound="ProxyFace")
Interface = TypeVar("Interface")
Interface_co = TypeVar("Interface_co", covariant=True)

_MAY_BE_OVERRIDDEN = ("_pyroValidateHandshake", "_pyroAnnotations", "_pyroResponseAnnotations")

_PROBED = frozenset({"getdoc"})
"""Public names that tools look for on every object that they show."""


def may_have_own(kind: type) -> bool:
    """Tell whether proxies of a class may have attributes of their own, as those of a user's class may."""
    return any("__slots__" not in vars(base) for base in kind.__mro__[:-1])


def own_attributes(proxy: object) -> dict[str, Any]:
    """Give the attributes that a proxy has of its own."""
    return {name: value for name, value in list(vars(proxy).items()) if name.startswith("_")}


def never_remote(link: Link, name: str) -> bool:
    """Tell whether this name fails at once, without asking anybody."""
    if name.startswith("_"):
        return not (name.startswith("__") and link.metadata is not None and name in link.metadata.methods)
    return name in _PROBED and (link.metadata is None or name not in link.metadata.methods)


def missing(link: Link, name: str) -> AttributeError:
    """Make the error for a name that the object does not expose; it names what may have been meant."""
    alike = importlib.import_module("difflib").get_close_matches(name, local_names(link), n=3)
    hint = f"; did you mean {' or '.join(map(repr, alike))}?" if alike else ""
    return AttributeError(
        f"remote object {link.uri.object!r} at {link.place} has no exposed attribute or method {name!r}{hint}"
    )


def not_set(link: Link, name: str) -> AttributeError:
    """Make the error for setting what is no remote attribute."""
    if link.metadata is not None and name in link.metadata.methods:
        return AttributeError(f"{name!r} is a method of the remote object at {link.place}; only attributes can be set")
    return missing(link, name)


def dotted(link: Link, method: str, name: str) -> AttributeError:
    """Make the error for ``proxy.method.name``.

    Real clients send such names, and all daemons refuse them; nothing that looks at a method should make a call.
    """
    return AttributeError(
        f"remote method {method!r} of {link.uri.object!r} at {link.place} has no attribute {name!r}: only members of "
        "the object itself can be reached"
    )


def check_method(link: Link, name: str, only: str) -> None:
    """Refuse a name that is known to be no remote method; `only` ends the sentence "only methods ...".

    Raises:
        AttributeError: it can never be remote, is an attribute, or is not exposed.
    """
    if never_remote(link, name):
        raise AttributeError(f"{name!r} is not a name that a remote object can expose")
    metadata = link.metadata
    if metadata is not None and name not in metadata.methods:
        if name in metadata.attributes:
            raise AttributeError(f"{name!r} is an attribute; only methods {only}")
        raise missing(link, name)


def timeout_of(seconds: float | None) -> float | None:
    """Give a time-out as a link keeps it: None for nothing and 0, which wait for ever.

    Raises:
        ValueError: it is negative.
    """
    if seconds is not None and seconds < 0:
        raise ValueError(f"a timeout cannot be negative: {seconds}")
    return seconds or None


def wishes_of(timeout: float | None, output: bool | None, on_progress: Callable[[Progress], Any] | None) -> Wishes:
    """Give the wishes for some calls.

    Raises:
        ValueError: the timeout is negative.
        TypeError: what should hear of progress cannot be called.
    """
    if timeout is not None:
        timeout_of(timeout)
    if on_progress is not None and not callable(on_progress):
        raise TypeError(f"on_progress should be something that can be called, not {type(on_progress).__name__}")
    return Wishes(timeout, output, on_progress)


def retries_of(times: int) -> int:
    """Give a number of retries as a link keeps it.

    Raises:
        ValueError: it is negative.
    """
    if times < 0:
        raise ValueError(f"a number of retries cannot be negative: {times}")
    return times


def check_proxy(thing: object, kind: type[ProxyFace]) -> None:
    """Refuse what is no proxy of this kind.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(thing, kind):
        raise TypeError(
            f"a {kind.__module__}.{kind.__qualname__} is needed, not {type(thing).__qualname__}: {thing!r:.80}"
        )


def annotations_of_owner(link: Link) -> Mapping[str, Buffer]:
    """Give the annotations that the proxy's own class adds to whatever is said."""
    return link.owner._pyroAnnotations() if link.owner is not None else NO_ANNOTATIONS


def local_names(link: Link) -> list[str]:
    """List the remote names that are known without asking anybody."""
    if link.metadata is None:
        return []
    return sorted(link.metadata.methods | link.metadata.attributes)


def describe(link: Link) -> str:
    """Show the address and the state of the connection."""
    state = f"connected to {link.peer}" if link.connected else "not connected"
    return f"{link.uri}; {state}"


def signature_of(link: Link, method: str) -> inspect.Signature | None:
    """Give the signature of a remote method, from what the handshake told; None when it did not."""
    if link.metadata is None:
        return None
    text = link.metadata.method(method).signature
    return parse_signature(text) if text else None


def doc_of(link: Link, method: str | None = None) -> str:
    """Give the remote docstring of a method, or of the object; empty when none was told."""
    metadata: Any = link.metadata
    if metadata is None or metadata.details is None:
        return ""
    return str(metadata.details.doc if method is None else metadata.method(method).doc)


class RemoteDoc:
    """The docstring of a class of proxies: its own on the class, that of the remote object on a proxy that knows it."""

    def __init__(self, text: str) -> None:
        """Take the docstring of the class."""
        self._text = text

    def __get__(self, proxy: ProxyFace | None, owner: type) -> str:
        """Give the one that fits."""
        return (proxy is not None and doc_of(proxy._pyro)) or self._text


class MethodDoc:
    """The docstring of a class of remote methods: its own on the class, that of the remote method on one of those."""

    def __init__(self, text: str) -> None:
        """Take the docstring of the class."""
        self._text = text

    def __get__(self, method: Any, owner: type) -> str:
        """Give the one that fits."""
        if method is None:
            return self._text
        link, name = method._link, method.__name__
        return doc_of(link, name) or f"Remote method {name!r} of {link.uri}."


class MethodFace:
    """What a method of a remote object tells of itself."""

    _link: Link
    __name__: str

    def __getattr__(self, name: str) -> Any:
        """Give the signature, which is read only when somebody looks; there is nothing else."""
        if name == "_link":
            # Not there yet, in a method that is just being copied.
            raise AttributeError(name)
        signature = signature_of(self._link, self.__name__) if name == "__signature__" else None
        if signature is None:
            raise dotted(self._link, self.__name__, name)
        return signature


def _has_a_say(kind: type[ProxyFace]) -> bool:
    """Tell whether a class of proxies overrides what is done about handshakes and annotations."""
    return any(getattr(kind, name) is not getattr(ProxyFace, name) for name in _MAY_BE_OVERRIDDEN)


class _Made(Protocol[Interface_co]):
    """A class of proxies for objects of a known interface."""

    def __call__(
        self, uri: str | URI, connected_socket: Any = None, *, options: ClientOptions | None = None
    ) -> Interface_co:
        """Make a proxy."""


if TYPE_CHECKING:

    class _Known(ABCMeta):
        """What ``Proxy[Interface]`` is to a type checker, which would take a generic class for one that stays one."""

        def __getitem__(cls, interface: Callable[..., Interface]) -> _Made[Interface]: ...

else:
    _Known = type


class ProxyFace(Card, metaclass=_Known):
    """What proxies of all rooms have in common: their settings, and what one sees of them without asking anybody."""

    __slots__ = ("__dict__", "__weakref__", "_pyro")

    _pyro: Link

    def __class_getitem__(cls, interface: Any) -> Any:
        """Give the class whose proxies a type checker takes for objects of an interface.

        The type of ``Proxy[Store](uri)`` is ``Store``, whatever class that is. The program gets a plain proxy, or one
        of the class ``Store`` where that is a class of proxies itself, as `pyronb stub` writes them.
        """
        return interface if inspect.isclass(interface) and issubclass(interface, cls) else cls

    def _pyro_set(self, link: Link) -> None:
        """Take this link, which no other proxy has."""
        link.owner = self if _has_a_say(type(self)) else None
        object.__setattr__(self, "_pyro", link)
        # Where Python looks before it asks `__getattr__`, which takes as long as half of all that a call does here.
        object.__setattr__(self, "__dict__", link.methods)

    @classmethod
    def _pyro_of(cls: type[P], link: Link) -> P:  # noqa: PYI019 - typing.Self is younger than Python 3.10
        """Make the proxy for a link that exists already."""
        proxy = object.__new__(cls)
        proxy._pyro_set(link)
        return proxy

    def _pyro_drop(self) -> None:
        """Close the connection, without waiting for anything that others do."""
        raise NotImplementedError

    def __del__(self) -> None:
        """Let go of the methods: they hold the link, which holds them, and with it the connection."""
        link = getattr(self, "_pyro", None)
        if link is not None:
            link.methods = {}

    # What subclasses may override

    def _pyroValidateHandshake(self, response: Any) -> None:
        """Check what the daemon answered to the handshake; what this raises refuses the connection."""

    def _pyroAnnotations(self) -> Mapping[str, Buffer]:
        """Give annotations that go out with every greeting and every call, beside those of `current_context`."""
        return NO_ANNOTATIONS

    def _pyroResponseAnnotations(self, annotations: Mapping[str, Buffer], msgtype: int) -> None:
        """Take note of the annotations of an answer, and the type of message that it came in."""

    # The proxy's own settings

    @property
    def _pyroUri(self) -> URI:
        """The address."""
        return self._pyro.uri

    @_pyroUri.setter
    def _pyroUri(self, uri: str | URI) -> None:
        self._pyro_drop()
        self._pyro.uri = URI(uri)
        self._pyro.metadata = self._pyro.connected_uri = None
        self._pyro.forget_methods()

    @property
    def _pyroTimeout(self) -> float | None:
        """Seconds that a call may take; None waits for ever."""
        return self._pyro.timeout

    @_pyroTimeout.setter
    def _pyroTimeout(self, seconds: float | None) -> None:
        self._pyro.timeout = timeout_of(seconds)

    @property
    def _pyroMaxRetries(self) -> int:
        """How often a call is sent again after a timeout or a lost connection.

        The method then runs again over there, so this is for methods that can run twice without harm.
        """
        return self._pyro.max_retries

    @_pyroMaxRetries.setter
    def _pyroMaxRetries(self, times: int) -> None:
        self._pyro.max_retries = retries_of(times)
        self._pyro.short = None

    @property
    def _pyroSerializer(self) -> str:
        """Name of the serializer for calls; a change holds from the next call on."""
        return self._pyro.serializer_name

    @_pyroSerializer.setter
    def _pyroSerializer(self, name: str | None) -> None:
        link = self._pyro
        with link.lock:
            choose(link, name or link.options.serializer)
            link.short = None

    @property
    def _pyroHandshake(self) -> Any:
        """What is said to the daemon when connecting."""
        return self._pyro.handshake

    @_pyroHandshake.setter
    def _pyroHandshake(self, handshake: Any) -> None:
        self._pyro.handshake = handshake

    @property
    def _pyroHmacKey(self) -> bytes | None:
        """Shared key with which messages are signed, which only protocol 48 (Pyro4) knows; None for none.

        A text is taken as UTF-8. It holds from the next connection on. With a key, a peer of another protocol is
        refused rather than called without signatures.
        """
        return self._pyro.key

    @_pyroHmacKey.setter
    def _pyroHmacKey(self, key: bytes | str | None) -> None:
        self._pyro_drop()
        self._pyro.key = key_bytes(key)

    @property
    def _pyroMethods(self) -> set[str]:
        """Names of the remote methods, as far as they are known; empty before the first connection."""
        return set(self._pyro.metadata.methods) if self._pyro.metadata else set()

    @property
    def _pyroAttrs(self) -> set[str]:
        """Names of the remote attributes, as far as they are known; empty before the first connection."""
        return set(self._pyro.metadata.attributes) if self._pyro.metadata else set()

    @property
    def _pyroOneway(self) -> set[str]:
        """Names of the oneway methods, as far as they are known; empty before the first connection."""
        return set(self._pyro.metadata.oneway) if self._pyro.metadata else set()

    @property
    def _pyroRawWireResponse(self) -> bool:
        """Whether calls give the message that their result came in, undecoded; gateways pass it on."""
        return self._pyro.raw

    @_pyroRawWireResponse.setter
    def _pyroRawWireResponse(self, raw: bool) -> None:
        self._pyro.raw, self._pyro.short = raw, None

    @property
    def _pyroSeq(self) -> int:
        """Number of the last request, 0 to 65535."""
        return self._pyro.sequence

    # Looking at a proxy never does I/O

    def __dir__(self) -> list[str]:
        """List the proxy's own names, and the remote ones as far as they are known."""
        return sorted({*super().__dir__(), *local_names(self._pyro)})

    def __bool__(self) -> bool:
        """Be true: a remote ``__len__`` is not asked."""
        return True

    def __eq__(self, other: object) -> bool:
        """Compare addresses."""
        if not isinstance(other, ProxyFace):
            return NotImplemented
        return self._pyro.uri == other._pyro.uri

    def __hash__(self) -> int:
        """Hash the address."""
        return hash(self._pyro.uri)

    def __copy__(self: P) -> P:  # noqa: PYI019
        """Give an unconnected proxy with the same settings."""
        old = self._pyro
        if old.given_socket:
            raise PyroError("a proxy on a given socket cannot be copied: two would share one connection")
        made = type(self)._pyro_of(old.twin())
        vars(made).update(own_attributes(self))
        return made

    def __deepcopy__(self: P, memo: object) -> P:  # noqa: PYI019
        """Give a copy; a proxy has no parts."""
        del memo
        return self.__copy__()


register_functions(HOOKS)
