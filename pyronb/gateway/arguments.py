"""What a request says: the arguments of a call, read from the query and the body. Pure text work.

- Each parameter of the query, and each field of a form, is a keyword argument that is a text; one that comes several
  times is a list of texts. That is what Pyro's gateways do.
- A body of JSON has types: an object holds keyword arguments, an array positional ones. Both together are an object
  with the positional ones under ``$args``.
- The parameter or field ``$json`` holds such JSON as text, which is how a plain HTML form can send typed arguments.
- ``$key`` is the gateway's key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import parse_qs

__all__ = ["Arguments", "BadRequestError", "read_arguments"]

_MAX_FIELDS = 1000
_FORM = "application/x-www-form-urlencoded"
_ARGS, _JSON, _KEY = "$args", "$json", "$key"


class BadRequestError(Exception):
    """A request makes no sense.

    Attributes:
        status: the HTTP status that says so.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Arguments:
    """What a call is made with.

    Attributes:
        args: positional arguments.
        kwargs: keyword arguments.
        key: the gateway's key, as far as it was in a parameter.
    """

    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    key: str = ""

    def __bool__(self) -> bool:
        return bool(self.args or self.kwargs)


def read_arguments(query: str, content_type: str = "", body: bytes = b"") -> Arguments:
    """Read the arguments of a call.

    Args:
        query: the part of the URL after the question mark.
        content_type: of the body.
        body: empty for none.

    Raises:
        BadRequestError: they make no sense.
    """
    found = Arguments()
    _add_texts(found, query, "query")
    if not body:
        return found
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        _add_json(found, _text(body))
    elif kind == _FORM:
        _add_texts(found, _text(body), "form")
    else:
        raise BadRequestError(415, f"a body can be application/json or {_FORM}, not {kind or 'of no type'}")
    return found


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequestError(400, f"the body is not UTF-8: {error}") from error


def _add_texts(found: Arguments, text: str, where: str) -> None:
    try:
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise BadRequestError(400, f"the {where} cannot be read: {error}") from error
    found.key = fields.pop(_KEY, [found.key])[-1]
    for typed in fields.pop(_JSON, ()):
        if typed.strip():
            _add_json(found, typed)
    _add(found, {name: values[0] if len(values) == 1 else values for name, values in fields.items()})


def _add_json(found: Arguments, text: str) -> None:
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(400, f"this is no JSON: {error}") from error
    if isinstance(value, list):
        found.args += value
    elif isinstance(value, dict):
        args = value.pop(_ARGS, [])
        if not isinstance(args, list):
            raise BadRequestError(400, f"{_ARGS} has to be an array of positional arguments")
        found.args += args
        found.key = str(value.pop(_KEY, found.key))
        _add(found, value)
    else:
        raise BadRequestError(400, "arguments are a JSON object (keyword arguments) or a JSON array (positional ones)")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _add(found: Arguments, more: dict[str, Any]) -> None:
    twice = sorted(found.kwargs.keys() & more.keys())
    if twice:
        raise BadRequestError(400, f"the argument {twice[0]!r} was given in two places")
    found.kwargs.update(more)
