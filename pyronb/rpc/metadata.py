"""Metadata: what an object exposes, as told in the handshake. (Wire specification, sections 8.2 and 32.)

Real Pyro tells three lists of names. A pyronb daemon adds, under a key that real peers ignore, what people want to
see: signatures, docstrings, types. They are texts and stay texts: nothing that a peer says is ever evaluated.
"""

from __future__ import annotations

import ast
import inspect
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from pyronb.dialects import Dialect
from pyronb.errors import ProtocolError

__all__ = ["AttributeDetails", "Details", "Metadata", "MethodDetails", "parse_signature"]

DETAILS_KEY = "pyronb"
"""Key of the extension in the map of metadata."""

MAX_DOC = 4000
"""Most characters of one docstring that travel."""
MAX_MEMBERS = 5000
"""Most members of one object that are read from a peer."""


@dataclass(frozen=True, slots=True)
class MethodDetails:
    """What is told about a method, beyond its name."""

    signature: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class AttributeDetails:
    """What is told about an attribute, beyond its name; `writable` is None when it is not known."""

    type: str = ""
    doc: str = ""
    writable: bool | None = None


@dataclass(frozen=True, slots=True)
class Details:
    """What is told about an object, beyond the names of its members."""

    class_name: str = ""
    doc: str = ""
    methods: Mapping[str, MethodDetails] = field(default_factory=dict)
    attributes: Mapping[str, AttributeDetails] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Metadata:
    """The members that an object exposes.

    Attributes:
        methods: names of all exposed methods, oneway ones too.
        oneway: names of the methods that callers do not wait for.
        attributes: names of all exposed attributes.
        details: documentation; None when the peer tells none.
        written: handshakes that tell all this, as they were written.
    """

    methods: frozenset[str] = frozenset()
    oneway: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    details: Details | None = None
    written: dict[Any, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def method(self, name: str) -> MethodDetails:
        """Give what is known about a method; empty details when that is nothing."""
        return (self.details and self.details.methods.get(name)) or MethodDetails()

    def attribute(self, name: str) -> AttributeDetails:
        """Give what is known about an attribute; empty details when that is nothing."""
        return (self.details and self.details.attributes.get(name)) or AttributeDetails()

    def to_wire(self, dialect: Dialect, *, details: bool) -> dict[str, Any]:
        """Write the map that a handshake carries; `details` only towards a peer that knows what to do with them."""
        kind: type = list if dialect.metadata_as_lists else set
        wire: dict[str, Any] = {
            "methods": kind(self.methods),
            "oneway": kind(self.oneway),
            "attrs": kind(self.attributes),
        }
        if details and self.details is not None:
            about = self.details
            wire[DETAILS_KEY] = {
                "class": about.class_name,
                "doc": about.doc[:MAX_DOC],
                "methods": {n: [m.signature[:MAX_DOC], m.doc[:MAX_DOC]] for n, m in about.methods.items()},
                "attrs": {n: [a.type[:MAX_DOC], a.doc[:MAX_DOC], a.writable] for n, a in about.attributes.items()},
            }
        return wire

    @classmethod
    def from_wire(cls, wire: object) -> Metadata:
        """Read what a peer told; sets, lists and tuples of names are all in use.

        Raises:
            ProtocolError: it is not a map of collections of names. Details of a wrong shape are left out quietly.
        """
        if not isinstance(wire, Mapping):
            raise ProtocolError(f"metadata should be a map, not {type(wire).__name__}")
        return cls(
            methods=_names(wire.get("methods", ())),
            oneway=_names(wire.get("oneway", ())),
            attributes=_names(wire.get("attrs", ())),
            details=_details(wire.get(DETAILS_KEY)),
        )


def _names(wire: object) -> frozenset[str]:
    if isinstance(wire, str) or not isinstance(wire, Iterable):
        raise ProtocolError(f"metadata should hold collections of names, not {type(wire).__name__}")
    names = list(wire)
    if len(names) > MAX_MEMBERS or not all(isinstance(name, str) for name in names):
        raise ProtocolError("metadata should hold collections of names, and not too many of them")
    return frozenset(names)


def _details(wire: object) -> Details | None:
    if not isinstance(wire, Mapping):
        return None
    return Details(
        class_name=_text(wire.get("class")),
        doc=_text(wire.get("doc")),
        methods={n: MethodDetails(_text(m[0]), _text(m[1])) for n, m in _rows(wire.get("methods"), 2)},
        attributes={
            n: AttributeDetails(_text(a[0]), _text(a[1]), a[2] if isinstance(a[2], bool) else None)
            for n, a in _rows(wire.get("attrs"), 3)
        },
    )


def _text(wire: object) -> str:
    return wire[:MAX_DOC] if isinstance(wire, str) else ""


def _rows(wire: object, width: int) -> Iterable[tuple[str, Any]]:
    if not isinstance(wire, Mapping):
        return
    for name, row in list(wire.items())[:MAX_MEMBERS]:
        if isinstance(name, str) and isinstance(row, list | tuple) and len(row) == width:
            yield name, row


class _Source:
    """A default value or annotation of which only the source text is known; shows itself as that text."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@lru_cache(maxsize=2048)
def parse_signature(text: str) -> inspect.Signature | None:
    """Make a Signature of its text, without evaluating anything of it.

    Annotations become texts; defaults become values when they are plain literals, else objects that show their source.

    Returns:
        None when the text is no signature, for instance because a default shows itself as ``<object ...>``.
    """
    if len(text) > MAX_DOC:
        return None
    try:
        # The text may be odd Python, about which the user need not be warned.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(f"def f{text}: pass")
        return _signature(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return None


def _signature(tree: ast.Module) -> inspect.Signature | None:
    function = tree.body[0] if len(tree.body) == 1 else None
    if not isinstance(function, ast.FunctionDef) or len(function.body) != 1:
        return None
    spec, empty = function.args, inspect.Parameter.empty

    def parameter(arg: ast.arg, kind: Any, default: ast.expr | None = None) -> inspect.Parameter:
        annotation = empty if arg.annotation is None else _Source(ast.unparse(arg.annotation))
        return inspect.Parameter(
            arg.arg, kind, default=empty if default is None else _literal(default), annotation=annotation
        )

    plain: list[tuple[ast.arg, Any]] = [(a, inspect.Parameter.POSITIONAL_ONLY) for a in spec.posonlyargs]
    plain += [(a, inspect.Parameter.POSITIONAL_OR_KEYWORD) for a in spec.args]
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(spec.defaults)) + list(spec.defaults)
    parameters = [parameter(arg, kind, default) for (arg, kind), default in zip(plain, defaults, strict=True)]
    if spec.vararg:
        parameters.append(parameter(spec.vararg, inspect.Parameter.VAR_POSITIONAL))
    for arg, default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        parameters.append(parameter(arg, inspect.Parameter.KEYWORD_ONLY, default))
    if spec.kwarg:
        parameters.append(parameter(spec.kwarg, inspect.Parameter.VAR_KEYWORD))
    returns = empty if function.returns is None else _Source(ast.unparse(function.returns))
    return inspect.Signature(parameters, return_annotation=returns)


def _literal(default: ast.expr) -> Any:
    try:
        value = ast.literal_eval(default)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return _Source(ast.unparse(default))
    # An ellipsis stands for a value that could not be told.
    return _Source("...") if value is Ellipsis else value
