"""The form for a call: which fields a signature asks for, and which arguments their values make.

Pure: no widget is known here. What is shown as the code of a call and what is called come from the same arguments.
"""

from __future__ import annotations

import ast
import inspect
import re
import warnings
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Arguments", "Field", "call_code", "field_of_value", "fields_of", "read_fields", "set_code", "shown_in"]

Kind = Literal["text", "whole", "number", "truth", "choice", "value", "more"]
"""What a field takes: a text as it is, a whole number, a number, yes or no, one of several values, any Python literal,
or further arguments written as in a call."""
Arguments = tuple[list[Any], dict[str, Any]]

MAX_FIELDS = 40
"""Most fields of a form; further arguments go into one."""
_NOTHING = inspect.Parameter.empty
_KINDS: dict[str, Kind] = {"str": "text", "int": "whole", "float": "number", "bool": "truth"}
_CLASSES: dict[Kind, tuple[type, ...]] = {
    "text": (str,), "whole": (int,), "number": (float, int), "truth": (bool,)
}  # fmt: skip
_MOST = 2**53
"""Whole numbers beyond it are not exact in a browser."""
_MANY = 100
"""Most items or characters of a value that a field is filled with."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form."""

    name: str
    kind: Kind
    label: str
    """The parameter as it stands in the signature."""
    required: bool = False
    default: Any = None
    choices: tuple[Any, ...] = ()
    by_name: bool = False
    """Whether the argument is written with its name."""
    by_position: bool = False
    """Whether it cannot be."""


def fields_of(signature: inspect.Signature | None) -> list[Field]:
    """Give the fields for a signature; without one, a single field takes all arguments."""
    if signature is None:
        return [Field("arguments", "more", "arguments, as in a call")]
    fields: list[Field] = []
    more = ""
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            more = f"{more}, {parameter}" if more else str(parameter)
        elif len(fields) < MAX_FIELDS:
            fields.append(_field(parameter))
        else:
            more = "further arguments"
    return [*fields, Field("arguments", "more", more)] if more else fields


def field_of_value(annotation: str) -> Field:
    """Give the field for a value of this type, such as that of an attribute; its name is ``value``."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return _field(inspect.Parameter("value", kind, annotation=annotation or _NOTHING))


def shown_in(field: Field, value: Any) -> Any:
    """Give what the field holds to stand for a value; None when it cannot."""
    if field.kind == "value":
        if isinstance(value, Sized) and len(value) > _MANY:
            return None
        text = repr(value)
        try:
            same = ast.literal_eval(_parsed(text)) == value
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
        return text if same else None
    return value if _suits(field.kind, value, field.choices) else None


def set_code(variable: str, attribute: str, value: Any) -> str:
    """Write the setting of an attribute as program text."""
    return f"{variable}.{attribute} = {value!r}"


def _field(parameter: inspect.Parameter) -> Field:
    annotation = "" if parameter.annotation is _NOTHING else str(parameter.annotation)
    default = parameter.default
    choices = _choices(annotation)
    kind: Kind = "choice" if choices else _KINDS.get(annotation.strip("'\""), "value")
    if default is not _NOTHING:
        if not annotation:
            kind = _kind_of(default)
        elif not _suits(kind, default, choices):
            kind, choices = "value", ()
    return Field(
        parameter.name,
        kind,
        str(parameter),
        required=default is _NOTHING,
        default=None if default is _NOTHING else default,
        choices=choices,
        by_name=parameter.kind is parameter.KEYWORD_ONLY,
        by_position=parameter.kind is parameter.POSITIONAL_ONLY,
    )


def _choices(annotation: str) -> tuple[Any, ...]:
    """Read ``Literal['a', 'b']``."""
    inside = re.fullmatch(r"(?:typing\.)?Literal(\[.*\])", annotation.strip("\"'"), re.DOTALL)
    if inside is None:
        return ()
    try:
        values = ast.literal_eval(inside[1])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ()
    return tuple(values) if isinstance(values, list) else ()


def _kind_of(default: Any) -> Kind:
    return next((kind for kind in _CLASSES if type(default) in _CLASSES[kind] and _suits(kind, default, ())), "value")


def _suits(kind: Kind, default: Any, choices: tuple[Any, ...]) -> bool:
    """Tell whether a field of this kind can show the default."""
    if kind == "choice":
        return default in choices
    if isinstance(default, bool) and kind != "truth":
        return kind == "value"
    if isinstance(default, int) and abs(default) > _MOST:
        return kind == "value"
    return isinstance(default, _CLASSES.get(kind, object))


def read_fields(fields: Sequence[Field], values: Mapping[str, Any]) -> Arguments:
    """Make the arguments of a call of what the fields hold; those that have their default are left out.

    Raises:
        ValueError: a required one is missing, or a text is no Python literal; the message names the field.
    """
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    skipped = False
    for field in fields:
        value = values[field.name]
        if field.kind == "more":
            further = _further(str(value))
            if skipped and further[0]:
                raise ValueError("arguments: those without a name need all fields before them to be filled in")
            twice = sorted(kwargs.keys() & further[1].keys())
            if twice:
                raise ValueError(f"arguments: {twice[0]} is given twice")
            args += further[0]
            kwargs.update(further[1])
            continue
        if field.kind == "value":
            text = str(value).strip()
            if not text:
                if field.required:
                    raise ValueError(f"{field.name}: a value is needed, such as 1, 'text' or [1, 2]")
                skipped = True
                continue
            value = _literal(field.name, text)
        same = type(value) is type(field.default) or field.kind == "number"
        if not field.required and same and value == field.default:
            skipped = True
        elif field.by_position and skipped:
            raise ValueError(f"{field.name}: it has no name over there, so all fields before it need other values")
        elif field.by_name or skipped:
            kwargs[field.name] = value
        else:
            args.append(value)
    return args, kwargs


def _literal(name: str, text: str) -> Any:
    try:
        return ast.literal_eval(_parsed(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        hint = f"; did you mean {text!r}?" if text.isidentifier() else ""
        raise ValueError(f"{name}: {text[:60]} is no Python literal{hint}") from None


def _parsed(text: str) -> ast.Expression:
    # What is typed may be odd Python, about which the user need not be warned.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval")


def _further(text: str) -> Arguments:
    """Read ``1, 'two', three=3``."""
    if not text.strip():
        return [], {}
    try:
        call = _parsed(f"f({text}\n)").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        call = None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        raise ValueError("arguments: write them as in a call, such as 1, 'two', three=3")
    kwargs = {}
    for keyword in call.keywords:
        if keyword.arg is None:
            raise ValueError("arguments: ** cannot be used here")
        kwargs[keyword.arg] = _literal(f"arguments: {keyword.arg}", ast.unparse(keyword.value))
    return [_literal("arguments", ast.unparse(arg)) for arg in call.args], kwargs


def call_code(variable: str, method: str, arguments: Arguments) -> str:
    """Write the call as program text."""
    args, kwargs = arguments
    given = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
    return f"{variable}.{method}({', '.join(given)})"
