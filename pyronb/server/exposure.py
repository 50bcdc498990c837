"""Exposure: which members of an object may be reached from outside, and what is told about them.

Only what is marked with `expose` can be reached; names with a leading underscore never can, but for double-underscore
names that are harmless (wire specification, section 9.3).
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, overload

from pyronb.rpc.metadata import AttributeDetails, Details, Metadata, MethodDetails

__all__ = ["behavior", "callback", "expose", "is_private", "members_of", "oneway"]

T = TypeVar("T")
Class = TypeVar("Class", bound=type)

INSTANCE_MODES = ("session", "single", "percall")
InstanceCreator = Callable[[Any], Any]

_PRIVATE_DUNDERS = frozenset(
    """
    __init__ __init_subclass__ __class__ __module__ __weakref__ __call__ __new__ __del__ __repr__ __str__ __format__
    __nonzero__ __bool__ __coerce__ __cmp__ __eq__ __ne__ __hash__ __ge__ __gt__ __le__ __lt__ __dir__ __enter__
    __exit__ __copy__ __deepcopy__ __sizeof__ __getattr__ __setattr__ __hasattr__ __getattribute__ __delattr__
    __instancecheck__ __subclasscheck__ __getinitargs__ __getnewargs__ __getstate__ __setstate__ __reduce__
    __reduce_ex__ __subclasshook__ __dict__ __doc__ __annotations__ __wrapped__
    """.split()  # noqa: SIM905 - one word after the other is how it can be read
)
_SHORTEST_DUNDER = 4


def is_private(name: str) -> bool:
    """Tell whether this name can never be reached from outside."""
    if not name.startswith("_"):
        return False
    return name in _PRIVATE_DUNDERS or not (
        len(name) > _SHORTEST_DUNDER and name.startswith("__") and name.endswith("__")
    )


@overload
def expose(method_or_class: T) -> T: ...
@overload
def expose(method_or_class: None = None) -> Callable[[T], T]: ...
def expose(method_or_class: Any = None) -> Any:
    """Mark a method, a property or all public members of a class as reachable from outside.

    On a class, its public methods and properties are marked, but not those it inherits from a class that is not
    exposed itself. With ``staticmethod``, ``classmethod`` and ``property``, write ``@expose`` above them or below them
    alike. (S17, S18; feature inventory B2.)

    Raises:
        AttributeError: the member is private.
        TypeError: the thing cannot be exposed.
    """
    if method_or_class is None:
        return expose
    thing = method_or_class
    if inspect.isclass(thing):
        _expose_class(thing)
    elif isinstance(thing, staticmethod | classmethod):
        _mark(thing.__func__)
    elif isinstance(thing, property):
        for accessor in (thing.fget, thing.fset, thing.fdel):
            if accessor is not None:
                _mark(accessor)
    elif callable(thing) and hasattr(thing, "__name__"):
        _mark(thing)
    else:
        raise TypeError(f"cannot expose {thing!r}: it is no method, property or class")
    return thing


def _mark(function: Any) -> None:
    if is_private(function.__name__):
        raise AttributeError(f"exposing private names (starting with _) is not allowed: {function.__name__}")
    function._pyroExposed = True


def _expose_class(cls: type) -> None:
    for name, member in vars(cls).items():
        if is_private(name):
            continue
        if isinstance(member, property | staticmethod | classmethod | FunctionType):
            if isinstance(member, FunctionType) and member.__name__ != name and is_private(member.__name__):
                # A lambda or a private helper that was given a public name.
                member._pyroExposed = True  # type: ignore[attr-defined]
            else:
                expose(member)
    cls._pyroExposed = True  # type: ignore[attr-defined]


def oneway(method: T) -> T:
    """Mark a method as one that callers do not wait for: they get None at once, and no error. (S53-S58.)"""
    target: Any = method.__func__ if isinstance(method, staticmethod | classmethod) else method
    target._pyroOneway = True
    return method


def callback(method: T) -> T:
    """Mark a method whose errors are logged here too, besides being sent to the caller. (S82, S83.)"""
    target: Any = method.__func__ if isinstance(method, staticmethod | classmethod) else method
    target._pyroCallback = True
    return method


def behavior(
    instance_mode: str = "session", instance_creator: InstanceCreator | None = None
) -> Callable[[Class], Class]:
    """Say how instances of a registered class are made. (Feature inventory B2.)

    Args:
        instance_mode: ``single`` (one for the daemon), ``session`` (one for each connection) or ``percall``.
        instance_creator: makes an instance from the class; without one the class is called without arguments.

    Raises:
        ValueError: there is no such mode.
        TypeError: the decorator was put on something that is no class, or the creator cannot be called.
    """
    if not isinstance(instance_mode, str):
        raise TypeError("behavior needs its mode in brackets: @behavior(instance_mode='single')")
    if instance_mode not in INSTANCE_MODES:
        raise ValueError(f"invalid instance mode {instance_mode!r}; use one of {', '.join(INSTANCE_MODES)}")
    if instance_creator is not None and not callable(instance_creator):
        raise TypeError("instance_creator must be callable")

    def decorate(cls: Class) -> Class:
        if not inspect.isclass(cls):
            raise TypeError("behavior can only be used on a class")
        cls._pyroInstancing = (instance_mode, instance_creator)  # type: ignore[attr-defined]
        return cls

    return decorate


def is_exposed(member: Any) -> bool:
    """Tell whether a member, as found on its class, is marked as exposed."""
    if type(member) is FunctionType:
        return bool(member.__dict__.get("_pyroExposed", False))
    if isinstance(member, property):
        return any(is_exposed(f) for f in (member.fget, member.fset, member.fdel) if f is not None)
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    # The mark must be the member's own: an exposed class, or an instance of one, that lies on an object exposes its
    # members and is no method itself.
    if inspect.isclass(member):
        return False
    return bool(getattr(member, "__dict__", {}).get("_pyroExposed", False))


def is_reachable(member: Any, *, require_expose: bool) -> bool:
    """Tell whether a member of a class, whose name is not private, can be reached from outside.

    Where marks are not required (REQUIRE_EXPOSE), that is every function and property.
    """
    return is_exposed(member) if require_expose else isinstance(member, property) or _is_function(member)


def _is_function(member: Any) -> bool:
    return isinstance(member, staticmethod | classmethod) or inspect.isroutine(member)


def members_of(cls: type, *, details: bool = True, require_expose: bool = True) -> Metadata:
    """Collect what a class exposes: methods, oneway methods, attributes, and their documentation.

    Nothing is called and no property is read. `details` adds signatures, types and docstrings.
    """
    methods: dict[str, MethodDetails] = {}
    attributes: dict[str, AttributeDetails] = {}
    oneways: set[str] = set()
    for name in dir(cls):
        if is_private(name):
            continue
        member = inspect.getattr_static(cls, name, None)
        if not is_reachable(member, require_expose=require_expose):
            continue
        if isinstance(member, property):
            described = _describe_property(member, require_expose=require_expose)
            attributes[name] = described if details else AttributeDetails()
            continue
        function = member.__func__ if isinstance(member, staticmethod | classmethod) else member
        if not callable(function):
            continue
        bound = not isinstance(member, staticmethod)
        methods[name] = _describe_method(function, bound=bound) if details else MethodDetails()
        if getattr(function, "_pyroOneway", False):
            oneways.add(name)
    return Metadata(
        methods=frozenset(methods),
        oneway=frozenset(oneways),
        attributes=frozenset(attributes),
        details=Details(
            class_name=f"{cls.__module__}.{cls.__qualname__}",
            doc=_doc(cls) if cls.__doc__ != object.__doc__ else "",
            methods=methods,
            attributes=attributes,
        )
        if details
        else None,
    )


def _doc(thing: Any) -> str:
    # The class's own text only: inspect would give a class without one the text of its base.
    text = thing.__doc__
    return inspect.cleandoc(text) if isinstance(text, str) else ""


def _describe_method(function: Any, *, bound: bool) -> MethodDetails:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return MethodDetails(signature="(...)", doc=_doc(function))
    parameters = list(signature.parameters.values())
    if (
        bound
        and parameters
        and parameters[0].kind
        in (
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        )
    ):
        signature = signature.replace(parameters=parameters[1:])
    return MethodDetails(signature=_signature_text(signature), doc=_doc(function))


def _signature_text(signature: inspect.Signature) -> str:
    """Write a signature as the source would have it; postponed annotations are texts already and lose their quotes.

    A default that does not show itself as Python, such as ``<object object at ...>``, becomes an ellipsis: with it the
    whole signature could not be read.
    """

    def plain(annotation: Any) -> Any:
        return _Text(annotation) if isinstance(annotation, str) else annotation

    def shown(default: Any) -> Any:
        return default if default is inspect.Parameter.empty or _is_source(repr(default)) else _Text("...")

    parameters = [
        p.replace(annotation=plain(p.annotation), default=shown(p.default)) for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters, return_annotation=plain(signature.return_annotation)))


def _is_source(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


class _Text(str):
    """A text that shows itself without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _describe_property(member: property, *, require_expose: bool) -> AttributeDetails:
    kind = ""
    if member.fget is not None:
        annotation = getattr(member.fget, "__annotations__", {}).get("return", "")
        kind = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    writable = member.fset is not None and is_reachable(member, require_expose=require_expose)
    return AttributeDetails(type=kind, doc=_doc(member), writable=writable)
