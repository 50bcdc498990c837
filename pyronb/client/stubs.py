"""Stubs: what remote objects expose, written as Python source that type checkers and editors read.

All that is known of a remote object are texts of another machine. They are parsed, and what is understood is written
anew: names that Python can write, plain literals, types from the tables below. Whatever else they say becomes `Any`,
``...``, or is left out, so no text of a peer can become code.

The class of an object is made from `Proxy`: Python's type system has no intersections, and "a proxy that also has these
members" is a subclass. Its members are there for type checkers alone; when the program runs, the proxy asks over there.
"""

from __future__ import annotations

import ast
import inspect
import keyword
import math
import re
import unicodedata
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pyronb.rpc.metadata import AttributeDetails, Metadata, parse_signature

__all__ = ["Subject", "stub_of", "writable"]

_INDENT = "    "
_MAX_DEFAULT = 60
"""Most characters of a default value; a longer one is shown as an ellipsis."""
_MAX_DEPTH = 20
_MAX_LEFT_OUT = 10
"""Most names that are listed as left out."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A remote object that a stub is made for: the name that it was found by, what it exposes, what to call its class.

    Without a `class_name` the class is called as over there, or else after the name.
    """

    name: str
    metadata: Metadata
    class_name: str = ""


def stub_of(subjects: Sequence[Subject], *, aio: bool = False, kept: bool = False) -> str:
    """Write the classes of these objects, as one module that is good as a ``.pyi`` and as a ``.py``.

    Objects that expose the same, under the same name of a class, share it.

    Args:
        subjects: the objects.
        aio: whether the classes are proxies of `pyronb.aio`, whose methods are awaited.
        kept: whether values arrive as what they were; without, results of types that the text formats change on their
            way, such as bytes and dates, are `Any`.
    """
    classes: dict[str, Subject] = {}
    found_by: dict[str, list[str]] = {}
    for subject in subjects:
        name = _class_name(subject)
        number = 1
        while (chosen := name if number == 1 else f"{name}{number}") in classes:
            if classes[chosen].metadata == subject.metadata:
                break
            number += 1
        classes.setdefault(chosen, subject)
        found_by.setdefault(chosen, []).append(subject.name)
    taken = set(classes).union(*(s.metadata.methods | s.metadata.attributes for s in classes.values()))
    writer = _Writer(taken, aio=aio, kept=kept)
    bodies = [line for name, subject in classes.items() for line in ("", "", *writer.body_of(name, subject.metadata))]
    asked = ", ".join(f"{name} ({', '.join(map(_plain, found_by[name]))})" for name in classes)
    return "\n".join(
        [
            f"# Made by `pyronb stub`: {asked}.",
            "# Good as a stub (.pyi), which only type checkers read, and as a module (.py), which can be imported too.",
            "",
            *writer.imports(),
            *bodies,
            "",
        ]
    )


# Names


def writable(name: str) -> bool:
    """Tell whether a name can be written in Python, and stands for itself there."""
    return name.isidentifier() and not keyword.iskeyword(name) and name == unicodedata.normalize("NFKC", name)


def _class_name(subject: Subject) -> str:
    for name in (
        subject.class_name,
        subject.metadata.details.class_name.rpartition(".")[2].lstrip("_") if subject.metadata.details else "",
        "".join(word[:1].upper() + word[1:] for word in re.split(r"[\W_]+", subject.name.partition("@")[0])),
    ):
        if writable(name):
            return name
    return "Remote"


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


# Types

_SCALARS = {
    **dict.fromkeys(("bool", "bytearray", "bytes", "complex", "float", "int", "object", "str"), "builtins"),
    **dict.fromkeys(("date", "datetime", "time", "timedelta"), "datetime"),
    "Any": "typing",
    "Decimal": "decimal",
    "UUID": "uuid",
}
_GENERICS = {
    "list": ("builtins", 1),
    "set": ("builtins", 1),
    "frozenset": ("builtins", 1),
    "dict": ("builtins", 2),
    "Collection": ("collections.abc", 1),
    "Container": ("collections.abc", 1),
    "Iterable": ("collections.abc", 1),
    "Iterator": ("collections.abc", 1),
    "Mapping": ("collections.abc", 2),
    "MutableMapping": ("collections.abc", 2),
    "MutableSequence": ("collections.abc", 1),
    "Sequence": ("collections.abc", 1),
}
"""Types with parameters: where they come from, and how many they have."""
_OLD_NAMES = {"Dict": "dict", "FrozenSet": "frozenset", "List": "list", "Set": "set", "Text": "str", "Tuple": "tuple"}
_MODULES = {"", "builtins", "collections.abc", "datetime", "decimal", "typing", "typing_extensions", "uuid"}
_MODULES |= {"abc", "dt", "t"}  # as they are often imported
_STREAMS = {"AsyncGenerator", "AsyncIterable", "AsyncIterator", "Generator", "Iterator"}
"""What becomes a stream when a method gives it."""
_LATER = {"Awaitable": 0, "Coroutine": 2}
"""What a daemon awaits itself, and at which place its result is."""
_CHANGED = {"bytearray", "bytes", "date", "datetime", "Decimal", "frozenset", "time", "timedelta", "UUID"}
"""Types of results that serpent and json make something else of (serializers/VALUES.md)."""
_ITEMS = {"__delitem__": 1, "__getitem__": 1, "__iter__": 0, "__setitem__": 2}
"""What Python asks of containers with items of one type, and how many arguments that has."""


@dataclass(slots=True)
class _Writer:
    """Writes classes; `taken` are names that would hide a type of the same name."""

    taken: Collection[str]
    aio: bool
    kept: bool
    used: dict[str, set[str]] = field(default_factory=dict)

    def name(self, module: str, name: str) -> str:
        """Give the word for a thing of a module, and have it imported."""
        if name in self.taken:
            # No class and no remote member begins with an underscore.
            self.used.setdefault(module, set()).add(f"{name} as _{name}")
            return f"_{name}"
        if module != "builtins":
            self.used.setdefault(module, set()).add(name)
        return name

    def imports(self) -> Iterator[str]:
        """Give the lines that import what was used, in the usual order."""
        own = {module for module in self.used if module.partition(".")[0] == "pyronb"}
        for modules in (self.used.keys() - own, own):
            for module in sorted(modules):
                names = sorted(self.used[module], key=lambda name: (not name.isupper(), name))
                yield f"from {module} import {', '.join(names)}"
            if modules != own:
                yield ""

    # Classes

    def body_of(self, class_name: str, metadata: Metadata) -> Iterator[str]:
        """Give the lines of one class."""
        base = self.name("pyronb.aio" if self.aio else "pyronb", "Proxy")
        yield f"class {class_name}({base}):"
        doc = metadata.details.doc if metadata.details else ""
        yield from _docstring(doc or f"A remote {class_name}.", _INDENT)
        yield ""
        yield f"{_INDENT}if {self.name('typing', 'TYPE_CHECKING')}:"
        yield f"{_INDENT * 2}# A name that is not here is a mistake, and not one to be asked for over there."
        for name in ("__getattr__", "__setattr__"):
            yield f"{_INDENT * 2}{name}: None  # type: ignore[assignment, misc]"
        left_out = []
        for name in sorted(metadata.attributes):
            if name.startswith("_") or not writable(name):
                left_out.append(name)
                continue
            yield ""
            yield from self.attribute(name, metadata.attribute(name))
        for name in sorted(metadata.methods - metadata.attributes):
            lines = self.method(name, metadata)
            if not lines:
                left_out.append(name)
                continue
            yield ""
            yield from lines
        unwritten = [name for name in left_out if not name.startswith("_")]
        if unwritten:
            names = ", ".join(map(ascii, unwritten[:_MAX_LEFT_OUT]))
            more = ", ..." if len(unwritten) > _MAX_LEFT_OUT else ""
            yield ""
            yield f"{_INDENT * 2}# Not here, for Python cannot write them: {names}{more}"

    def attribute(self, name: str, details: AttributeDetails) -> Iterator[str]:
        """Give the lines of an attribute; one of which nobody said that it is read-only can be set."""
        kind = self.result(details.type, stream=False)
        given = f"{self.name('collections.abc', 'Awaitable')}[{kind}]" if self.aio else kind
        yield f"{_INDENT * 2}@{self.name('builtins', 'property')}"
        yield from _function(f"def {name}(self) -> {given}:", details.doc)
        if details.writable is not False and not self.aio:
            value = self.parameter_type(details.type)
            yield ""
            yield f"{_INDENT * 2}@{name}.setter"
            yield from _function(f"def {name}(self, value: {value}) -> None:", "")

    def method(self, name: str, metadata: Metadata) -> list[str]:
        """Give the lines of a method; none when it cannot be written."""
        details = metadata.method(name)
        signature = _signature(details.signature)
        if name.startswith("_"):
            # Of these, Python uses the ones that `Proxy` has, and expects them in their usual form.
            if self.aio or name not in _ITEMS or _plain_parameters(signature) != _ITEMS[name]:
                return []
        elif not writable(name):
            return []
        returns = "None" if name in metadata.oneway or name in {"__delitem__", "__setitem__"} else ""
        returns = returns or self.result(_text(signature.return_annotation))
        if name == "__iter__" and not returns.lstrip("_").startswith("Iterator["):
            return []
        parameters = ", ".join(self.parameters(signature))
        return list(_function(f"{'async ' if self.aio else ''}def {name}({parameters}) -> {returns}:", details.doc))

    # Parameters

    def parameters(self, signature: inspect.Signature) -> Iterator[str]:
        """Give what stands between the parentheses, piece by piece."""
        own = "self"
        while own in signature.parameters:
            own += "_"
        yield own
        kinds = [parameter.kind for parameter in signature.parameters.values()]
        for index, parameter in enumerate(signature.parameters.values()):
            before = kinds[index - 1] if index else None
            if parameter.kind is parameter.KEYWORD_ONLY and before not in {
                parameter.KEYWORD_ONLY,
                parameter.VAR_POSITIONAL,
            }:
                yield "*"
            yield self.parameter(parameter)
            if parameter.kind is parameter.POSITIONAL_ONLY and kinds[index + 1 : index + 2] != [parameter.kind]:
                yield "/"

    def parameter(self, parameter: inspect.Parameter) -> str:
        """Give one parameter, with its type and its default."""
        stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else stars
        kind = self.parameter_type(_text(parameter.annotation))
        text = f"{stars}{parameter.name}: {kind}"
        return text if parameter.default is parameter.empty else f"{text} = {_default(parameter.default, kind)}"

    # Types

    def parameter_type(self, text: str) -> str:
        """Give the type of what is sent, from its annotation over there."""
        return self.spelled(_parsed(text), 0) or self.unknown()

    def result(self, text: str, *, stream: bool = True) -> str:
        """Give the type of what arrives, from the annotation over there."""
        tree = _parsed(text)
        return (self.stream(tree, 0) if stream else self.arriving(tree, 0)) or self.unknown()

    def unknown(self) -> str:
        """Give the word for a type of which nothing is known."""
        return self.name("typing", "Any")

    def stream(self, tree: ast.expr | None, depth: int) -> str:
        """Give the type of a result as a whole, which may be a stream."""
        name, parts = _generic(tree)
        if name in _LATER and len(parts) > _LATER[name]:
            return self.stream(parts[_LATER[name]], depth + 1) if depth < _MAX_DEPTH else ""
        if name in _STREAMS:
            item = (self.arriving(parts[0], depth + 1) if parts else "") or self.unknown()
            return f"{self.name('collections.abc', 'AsyncIterator' if self.aio else 'Iterator')}[{item}]"
        if self.aio and name == "Iterable":
            return ""  # a stream or a list, and one of them is asynchronous
        return self.arriving(tree, depth)

    def arriving(self, tree: ast.expr | None, depth: int) -> str:
        """Give the type of a part of a result."""
        for node in ast.walk(tree) if tree is not None else ():
            name = _last(node)
            if name in _STREAMS or (name in _CHANGED and not self.kept):
                return ""
        return self.spelled(tree, depth)

    def spelled(self, tree: ast.expr | None, depth: int) -> str:
        """Give the type that a tree stands for; empty when it is not known."""
        if tree is None or depth > _MAX_DEPTH:
            return ""
        if isinstance(tree, ast.Constant):
            return "None" if tree.value is None else ""
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.BitOr):
            return self.union([tree.left, tree.right], depth)
        name, parts = _generic(tree)
        special = _SPECIAL.get(name)
        return special(self, parts, depth) if special is not None else self.plain(name, parts, depth)

    def plain(self, name: str, parts: Sequence[ast.expr], depth: int) -> str:
        """Give a type out of the tables."""
        if name in _SCALARS and not parts:
            return self.name(_SCALARS[name], name)
        module, count = _GENERICS.get(name, ("", 0))
        inner = parts or [ast.Name("Any")] * count
        if not module or len(inner) != count:
            return ""
        return f"{self.name(module, name)}[{', '.join(self.known(part, depth) for part in inner)}]"

    def known(self, part: ast.expr, depth: int) -> str:
        """Give the type of a part, which is anything where it is not known."""
        return self.spelled(part, depth + 1) or self.unknown()

    def union(self, parts: Iterable[ast.expr], depth: int) -> str:
        """Give a type that is one of these; one unknown makes all of it unknown."""
        types = [self.spelled(part, depth + 1) for part in parts]
        return " | ".join(dict.fromkeys(types)) if all(types) else ""

    def optional(self, parts: Sequence[ast.expr], depth: int) -> str:
        """Give a type that is this or None."""
        return self.union([*parts, ast.Constant(None)], depth)

    def annotated(self, parts: Sequence[ast.expr], depth: int) -> str:
        """Give a type without what is noted on it."""
        return self.spelled(parts[0], depth + 1) if parts else ""

    def literal(self, parts: Sequence[ast.expr], _depth: int) -> str:
        """Give a type that is one of these values."""
        values = []
        for part in parts:
            try:
                value = ast.literal_eval(part)
            except (ValueError, TypeError):
                return ""
            if type(value) not in {bool, bytes, int, str, type(None)}:
                return ""
            values.append(repr(value))
        return f"{self.name('typing', 'Literal')}[{', '.join(values)}]" if values else ""

    def pack(self, parts: Sequence[ast.expr], depth: int) -> str:
        """Give the type of a tuple of these, or of any number of one."""
        word = self.name("builtins", "tuple")
        if not parts:
            return f"{word}[{self.unknown()}, ...]"
        endless = len(parts) == 2 and isinstance(parts[1], ast.Constant) and parts[1].value is Ellipsis
        types = [self.known(part, depth) for part in (parts[:1] if endless else parts)]
        return f"{word}[{', '.join(types)}{', ...' if endless else ''}]"

    def function(self, parts: Sequence[ast.expr], depth: int) -> str:
        """Give the type of a function."""
        word = self.name("collections.abc", "Callable")
        if len(parts) != 2:
            return f"{word}[..., {self.unknown()}]"
        taken, given = parts
        result = self.known(given, depth)
        if not isinstance(taken, ast.List):
            return f"{word}[..., {result}]"
        return f"{word}[[{', '.join(self.known(p, depth) for p in taken.elts)}], {result}]"


_SPECIAL: dict[str, Callable[[_Writer, Sequence[ast.expr], int], str]] = {
    "Annotated": _Writer.annotated,
    "Callable": _Writer.function,
    "Literal": _Writer.literal,
    "Optional": _Writer.optional,
    "Union": _Writer.union,
    "tuple": _Writer.pack,
}
"""What writes the types that are not in the tables."""


def _parsed(text: str) -> ast.expr | None:
    """Parse an annotation, and those within that are written as texts; None when it is none, or too odd."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree: ast.expr = _Unquoted().visit(ast.parse(text.strip(), mode="eval").body)
        ast.unparse(tree)  # fails for what is nested too deeply to be walked through
    except (SyntaxError, ValueError, RecursionError, MemoryError, SystemError):
        return None
    return tree


class _Unquoted(ast.NodeTransformer):
    """Puts types in the place of their texts."""

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        """Parse a text; whatever it has in quotes itself is not known."""
        return ast.parse(node.value.strip(), mode="eval").body if isinstance(node.value, str) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        """Leave the texts alone that are values."""
        return node if _last(node.value) == "Literal" else self.generic_visit(node)  # type: ignore[return-value]


def _last(node: ast.AST) -> str:
    """Give the name that a node stands for, without its module; empty when it may be anybody's."""
    module, name = "", ""
    if isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Attribute):
        module, name = ast.unparse(node.value), node.attr
    return _OLD_NAMES.get(name, name) if module in _MODULES else ""


def _generic(tree: ast.expr | None) -> tuple[str, list[ast.expr]]:
    """Take a type with parameters apart; there are none where it has none."""
    if isinstance(tree, ast.Subscript):
        inner = tree.slice
        return _last(tree.value), list(inner.elts) if isinstance(inner, ast.Tuple) else [inner]
    return ("" if tree is None else _last(tree)), []


# Pieces of text


def _signature(text: str) -> inspect.Signature:
    """Read a signature; where nothing can be made of it, the method may take anything."""
    signature = parse_signature(text)
    if signature is None or any(name.startswith("__") for name in signature.parameters):
        # To type checkers such names mean something else, and one of them Python refuses.
        signature = parse_signature("(*args, **kwargs)")
    assert signature is not None
    return signature


def _text(annotation: object) -> str:
    return "" if annotation is inspect.Parameter.empty else str(annotation)


def _plain_parameters(signature: inspect.Signature) -> int | None:
    """Count the parameters, when each is a plain one without a default; None otherwise."""
    parameters = signature.parameters.values()
    plain = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return len(parameters) if all(p.kind in plain and p.default is p.empty for p in parameters) else None


def _default(value: object, kind: str) -> str:
    """Give a default as a literal, where it is a short one that goes with the type."""
    if type(value) not in {bool, bytes, float, int, str, type(None)}:
        return "..."
    word = "None" if value is None else type(value).__name__
    fits = {"bool": {"bool", "int", "float"}, "int": {"int", "float"}}.get(word, {word})
    if (isinstance(value, float) and not math.isfinite(value)) or (isinstance(value, int) and abs(value) >= 1 << 64):
        return "..."
    text = repr(value)
    if kind.startswith("Literal["):
        goes = text in kind.removeprefix("Literal[").removesuffix("]").split(", ")
    else:
        goes = kind.lstrip("_") == "Any" or not fits.isdisjoint(kind.split(" | "))
    return text if goes and len(text) <= _MAX_DEFAULT else "..."


def _function(head: str, doc: str) -> Iterator[str]:
    """Give the lines of a function without a body."""
    indent = _INDENT * 2
    if not doc:
        yield f"{indent}{head} ..."
        return
    yield f"{indent}{head}"
    yield from _docstring(doc, indent + _INDENT)
    yield f"{indent}{_INDENT}..."


def _docstring(doc: str, indent: str) -> Iterator[str]:
    """Give the lines of a docstring; whatever the text is, this is one string."""
    lines = [_escaped(line.rstrip()) for line in doc.strip().split("\n")]
    first, *more = lines
    yield f'{indent}"""{first}' + ("" if more else '"""')
    for line in more:
        yield indent + line if line else ""
    if more:
        yield f'{indent}"""'


def _escaped(line: str) -> str:
    """Write a line as it is within three quotes."""
    line = re.sub(r'"{3,}|"+$', lambda quotes: '\\"' * len(quotes[0]), line.replace("\\", "\\\\"))
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
