"""Exceptions on their way through the serializers: none is lost."""

from __future__ import annotations

import builtins
import json
import sqlite3
import struct
import sys
from typing import Any

import pytest

from pyronb import errors
from pyronb.dialects import PYRO4, PYRO5
from pyronb.errors import RemoteError
from pyronb.options import WireOptions
from pyronb.serializers.base import Serializer, SerializerBase
from pyronb.serializers.exceptions import resolve, stand_in
from pyronb.serializers.json import JsonSerializer

GROUP: Any = getattr(builtins, "ExceptionGroup", None)


class MotorStalled(Exception):
    """An exception that no peer knows."""


def travel(serializer: Serializer, error: Any, times: int = 1) -> Any:
    """Write and read a value."""
    for _ in range(times):
        error = serializer.loads(serializer.dumps(error))
    return error


def described(name: str, *args: Any, **attributes: Any) -> dict[str, Any]:
    """Give an exception as it stands on the wire."""
    return {"__class__": name, "__exception__": True, "args": list(args), "attributes": attributes}


KNOWN = [
    (ValueError, "builtins.ValueError"),
    (ValueError, "exceptions.ValueError"),
    (ValueError, "ValueError"),
    (OSError, "IOError"),
    (TimeoutError, "builtins.TimeoutError"),
    (errors.TimeoutError, "TimeoutError"),
    (errors.NamingError, "NamingError"),
    (errors.NamingError, "Pyro5.errors.NamingError"),
    (errors.NamingError, "Pyro4.errors.NamingError"),
    (errors.NamingError, "pyronb.errors.NamingError"),
    (struct.error, "struct.error"),
    (sqlite3.OperationalError, "sqlite3.OperationalError"),
]


@pytest.mark.parametrize(("cls", "name"), KNOWN)
def test_known_names(serializer: Serializer, cls: type, name: str) -> None:
    """The exceptions of Python and of all families come alive with arguments, attributes and remote traceback."""
    actual = travel(serializer, described(name, "boom", 7, extra=1, _pyroTraceback=["line\n"]))

    assert cls is type(actual)
    assert ("boom", 7) == actual.args
    assert 1 == actual.extra
    assert ["line\n"] == actual._pyroTraceback


@pytest.mark.parametrize(
    "name",
    [
        "KeyboardInterrupt",
        "builtins.SystemExit",
        "builtins.GeneratorExit",
        "builtins.BaseException",
        "asyncio.exceptions.CancelledError",
        "__main__.MyError",
        "builtins.len",
        "builtins.__import__",
        "Pyro5.errors.Nope",
        "sqlite3.connect",
        "sqlite3.NoSuchError",
        "myproject.errors.MotorStalled",
        "Nope",
    ],
)
def test_other_names(serializer: Serializer, name: str) -> None:
    """Any other exception becomes a RemoteError that keeps all of it, and goes out again under its own name."""
    actual = travel(serializer, described(name, "boom", 7, extra=1, _pyroTraceback=["line\n"]), times=3)

    assert RemoteError is type(actual)
    assert name == actual.class_name
    assert (name, "boom", 7) == actual.args
    assert {"extra": 1} == actual.attributes
    assert ["line\n"] == actual._pyroTraceback


def test_sqlite3_is_not_loaded_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of an exception imports nothing."""
    monkeypatch.delitem(sys.modules, "sqlite3")

    assert resolve("sqlite3.OperationalError") is None
    assert "sqlite3" not in sys.modules


def test_own_class_travels_as_remote_error(serializer: Serializer) -> None:
    """An exception of a class of the program arrives under its full name."""
    error = MotorStalled("axis", 3)
    error.add = {"speed": 1}  # type: ignore[attr-defined]

    actual = travel(serializer, error)

    assert f"{__name__}.MotorStalled" == actual.class_name
    assert "axis" == actual.message
    assert {"add": {"speed": 1}} == actual.attributes


def test_registered_exception(serializer: Serializer) -> None:
    """A converter for the name of an exception comes before anything else."""
    SerializerBase.register_dict_to_class("x.__MyError", lambda _, data: MotorStalled(*data["args"]))

    assert MotorStalled is type(travel(serializer, described("x.__MyError", 1)))


@pytest.mark.parametrize("for_name", ["TimeoutError", "NamingError", "PyroError", "SerializeError"])
def test_library_errors_travel_under_the_dialects_name(serializer: Serializer, for_name: str) -> None:
    """The library's own errors are written under the name that the family knows."""
    error = getattr(errors, for_name)("x")

    assert f"Pyro5.errors.{for_name}".encode() in serializer.dumps(error)
    assert type(error) is type(travel(serializer, error))


def test_private_subclass_travels_as_its_public_base(serializer: Serializer) -> None:
    """A class that some part of pyronb made for itself is written as the public error it is."""
    private = type("Private", (errors.NamingError,), {"__module__": "pyronb.somewhere"})

    assert errors.NamingError is type(travel(serializer, private("x")))


@pytest.mark.parametrize("name", ["serpent", "marshal", "msgpack"])
def test_arguments_that_are_bytes(catalog: Any, name: str) -> None:
    """An exception whose constructor insists on bytes is rebuilt."""
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    actual = travel(catalog.by_name(name), error)

    assert UnicodeDecodeError is type(actual)
    assert error.args == actual.args


@pytest.mark.parametrize("args", [(), (1,), ("a", 2, 3), ("utf-8", {"encoding": "base64", "data": "!"}, 0, 1, "x")])
def test_arguments_that_the_constructor_refuses(serializer: Serializer, args: tuple[Any, ...]) -> None:
    """An exception comes out with its arguments even where its constructor would not take them."""
    actual = travel(serializer, described("builtins.UnicodeDecodeError", *args))

    assert UnicodeDecodeError is type(actual)
    assert args == actual.args
    assert isinstance(str(actual), str)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_exception_group(serializer: Serializer) -> None:
    """A group arrives with its exceptions; one that cannot be made becomes a RemoteError."""
    group = eval("ExceptionGroup")

    actual = travel(serializer, group("many", [ValueError(1), MotorStalled(2)]))

    assert group is type(actual)
    assert [ValueError, RemoteError] == [type(error) for error in actual.exceptions]
    assert RemoteError is type(travel(serializer, described("builtins.ExceptionGroup", 5)))


def test_class_dicts_inside_an_exception(serializer: Serializer) -> None:
    """What is inside an exception is rebuilt where it can be, and kept as it is where not."""
    unknown = {"__class__": "some.Thing", "a": 1}
    nested = described("builtins.KeyError", "k")

    actual = travel(serializer, described("builtins.ValueError", nested, unknown, inner=unknown, list=[nested]))

    assert KeyError is type(actual.args[0])
    assert unknown == actual.args[1]
    assert unknown == actual.inner
    assert KeyError is type(actual.list[0])


@pytest.mark.parametrize("rest", [{}, {"args": 5}, {"args": None, "attributes": 7}, {"attributes": {"a": 1}}])
def test_missing_parts(serializer: Serializer, rest: dict[str, Any]) -> None:
    """Arguments and attributes may be missing or of a wrong type."""
    actual = travel(serializer, {"__class__": "builtins.ValueError", "__exception__": True, **rest})

    assert ValueError is type(actual)
    assert () == actual.args


def test_attributes_that_are_not_set(serializer: Serializer) -> None:
    """The peer cannot replace methods or Python's own attributes; notes travel."""
    actual = travel(
        serializer,
        described(
            "builtins.ValueError", __class__="x", __traceback__=1, with_traceback=5, __notes__=["n"], __cause__=1, ok=1
        ),
    )

    assert {"ok": 1, "__notes__": ["n"]} == vars(actual)


def test_filename_travels(serializer: Serializer) -> None:
    """What an OSError keeps outside of its arguments and attributes arrives too."""
    actual = travel(serializer, FileNotFoundError(2, "No such file", "a.txt"))

    assert "a.txt" == actual.filename
    assert FileNotFoundError is type(actual)


FOREIGN = [
    MotorStalled("axis", 3),
    RemoteError("other.Error", "text", [1]),
    errors.PyroError("plain"),
    ValueError("kept"),
    KeyError("k"),
    errors.NamingError("n"),
    struct.error("s"),
    sqlite3.IntegrityError("i"),
]


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
def test_for_a_real_pyro_nothing_is_lost(for_real_pyro: Serializer, error: Exception) -> None:
    """What is written for a real Pyro is read here as if it were written for pyronb."""
    expected = travel(for_real_pyro, error)
    name = getattr(error, "class_name", f"{type(error).__module__}.{type(error).__name__}")

    if type(error) in (MotorStalled, RemoteError):
        assert RemoteError is type(expected)
        assert name == expected.class_name
        assert (name, *(error.args[1:] if isinstance(error, RemoteError) else error.args)) == expected.args
        assert {} == expected.attributes
    else:
        assert type(error) is type(expected)
        assert error.args == expected.args


def test_form_for_a_real_pyro() -> None:
    """A class that a real Pyro would refuse is written as a PyroError with a readable text."""
    serializer = _json(foreign_exceptions=False)
    error = MotorStalled("axis", 3)
    error._pyroTraceback = ["line\n"]  # type: ignore[attr-defined]

    written = json.loads(serializer.dumps(error))

    name = f"{__name__}.MotorStalled"
    assert {
        "__class__": "Pyro5.errors.PyroError",
        "__exception__": True,
        "args": [f"{name}: ('axis', 3)"],
        "attributes": {"_pyroTraceback": ["line\n"], "pyronb_class": name, "pyronb_args": ["axis", 3]},
    } == written


def test_form_for_a_real_pyro_without_plain_arguments() -> None:
    """Arguments that a real Pyro could not read stay behind in the text."""
    serializer = _json(foreign_exceptions=False)

    actual = travel(serializer, MotorStalled({1: object}))

    assert f"{__name__}.MotorStalled" == actual.class_name
    assert (f"{__name__}.MotorStalled", "{1: <class 'object'>}") == actual.args


def test_shared_exception_for_a_real_pyro(for_real_pyro: Serializer) -> None:
    """An exception with a registered converter goes to a real Pyro as it is, which has the converter too."""
    name = f"{__name__}.MotorStalled"
    SerializerBase.register_dict_to_class(name, lambda _, data: MotorStalled(*data["args"]))

    assert b"pyronb_class" not in for_real_pyro.dumps(MotorStalled(1))
    assert MotorStalled is type(travel(for_real_pyro, MotorStalled(1)))


def test_interrupts_for_a_real_pyro(for_real_pyro: Serializer) -> None:
    """An exception that would end the program of a real client goes as a PyroError."""
    for error in (KeyboardInterrupt(), RemoteError("builtins.SystemExit", 1)):
        assert b"Pyro5.errors.PyroError" in for_real_pyro.dumps(error)


def test_broken_text_for_a_real_pyro(for_real_pyro: Serializer) -> None:
    """An exception whose text cannot be made is still written."""
    broken = type("Broken", (Exception,), {"__str__": lambda _: 1 / 0})

    assert f"{__name__}.Broken" == travel(for_real_pyro, broken(1)).class_name


def _json(*, foreign_exceptions: bool) -> JsonSerializer:
    return JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=foreign_exceptions)


# What an exception was raised from


def raised_from(error: Exception, cause: Exception | None, context: Exception | None = None) -> Exception:
    """Give an exception with its links."""
    error.__cause__, error.__context__ = cause, context
    error.__suppress_context__ = cause is not None
    return error


def test_causes(serializer: Serializer) -> None:
    """What an exception was raised from is linked to it, and travels on with it."""
    first = raised_from(MotorStalled("axis", 3), None, KeyError("k"))
    vars(first)["__notes__"] = ["grease it"]
    actual = travel(serializer, raised_from(ValueError("boom"), first), times=2)

    assert ("boom",) == actual.args
    assert actual.__suppress_context__
    cause = actual.__cause__
    assert (RemoteError, f"{__name__}.MotorStalled", ("axis", 3)) == (type(cause), cause.class_name, cause.args[1:])
    assert ["grease it"] == cause.__notes__
    assert (KeyError, ("k",)) == (type(cause.__context__), cause.__context__.args)
    assert not cause.__suppress_context__


def test_the_traceback_of_a_cause(serializer: Serializer) -> None:
    """It is that of the cause alone, for that of the whole has it all."""
    try:
        try:
            {}["k"]
        except KeyError as cause:
            raise ValueError("boom") from cause
    except ValueError as error:
        actual = travel(serializer, error)

    lines = "".join(actual.__cause__._pyroTraceback)
    assert '{}["k"]' in lines
    assert "boom" not in lines


def test_from_none(serializer: Serializer) -> None:
    """A context that is not shown does not travel."""
    error = raised_from(ValueError("boom"), None, KeyError("k"))
    error.__suppress_context__ = True
    actual = travel(serializer, error)

    assert (None, None) == (actual.__cause__, actual.__context__)


def test_causes_that_go_round_or_never_end(serializer: Serializer) -> None:
    """They are cut somewhere, and the exception arrives."""
    round_and_round = ValueError("a")
    raised_from(round_and_round, raised_from(KeyError("b"), round_and_round))
    long = ValueError("0")
    for number in range(1, 500):
        long = raised_from(ValueError(str(number)), long)

    assert ("a",) == travel(serializer, round_and_round).args
    assert ("499",) == travel(serializer, long).args


def test_a_cause_that_cannot_be_written(serializer: Serializer) -> None:
    """It has text for what cannot, and does not spoil the exception it belongs to."""
    cause = MotorStalled(object(), "\ud800\0", [1, b"x"])
    actual = travel(serializer, raised_from(ValueError("boom"), cause))

    assert ("boom",) == actual.args
    text, bad, kept = actual.__cause__.args[1:]
    assert text.startswith("<object object at")
    assert "\\ud800\\x00" == bad
    assert [1, "b'x'"] == kept


def test_real_pyro_gets_no_links(for_real_pyro: Serializer) -> None:
    """It would not know what to do with them; the text of the traceback has it all."""
    data = for_real_pyro.dumps(raised_from(ValueError("boom"), KeyError("k")))

    assert b"KeyError" not in data
    assert b"cause" not in data


def test_notes(serializer: Serializer) -> None:
    """They belong to an exception of a known class as to any other."""
    for error in (ValueError("boom"), MotorStalled("axis")):
        vars(error)["__notes__"] = ["one", "two"]
        assert ["one", "two"] == travel(serializer, error, times=2).__notes__


@pytest.mark.skipif(GROUP is None, reason="Python has exception groups from 3.11 on")
def test_groups(serializer: Serializer) -> None:
    """A group arrives with all that is in it, also with classes that nobody knows."""
    inner = GROUP("inner", [MotorStalled("axis", 3)])
    group = raised_from(GROUP("outer", [ValueError("boom"), inner]), KeyError("k"))
    actual = travel(serializer, group, times=2)

    assert (GROUP, "outer") == (type(actual), actual.message)
    value, nested = actual.exceptions
    assert (ValueError, ("boom",)) == (type(value), value.args)
    assert f"{__name__}.MotorStalled" == nested.exceptions[0].class_name
    assert isinstance(actual.__cause__, KeyError)


@pytest.mark.skipif(GROUP is None, reason="Python has exception groups from 3.11 on")
def test_groups_for_real_pyro(for_real_pyro: Serializer) -> None:
    """A real Pyro cannot make one, so it gets an error that it can, with the group's text."""
    actual = json.loads(
        JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=False).dumps(GROUP("g", [KeyError("k")]))
    )

    assert "Pyro5.errors.PyroError" == actual["__class__"]
    assert "builtins.ExceptionGroup: g (1 sub-exception)" in actual["args"][0]


LATE = [name for name in ("EncodingWarning", "PythonFinalizationError") if hasattr(builtins, name)]


@pytest.mark.parametrize("name", LATE)
def test_exceptions_that_came_late(for_real_pyro: Serializer, name: str) -> None:
    """A real Pyro on an older Python would not know them; a pyronb peer makes the same of either form."""
    error = getattr(builtins, name)("boom")
    data = for_real_pyro.dumps(error)

    assert b"PyroError" in data
    assert type(error) is type(for_real_pyro.loads(data))


def test_what_only_one_family_takes() -> None:
    """Pyro5 makes a struct.error, Pyro4 hangs up over it."""
    names = [
        json.loads(JsonSerializer(dialect, WireOptions(), foreign_exceptions=False).dumps(struct.error("s")))[
            "__class__"
        ]
        for dialect in (PYRO5, PYRO4)
    ]

    assert ["struct.error", "Pyro4.errors.PyroError"] == names


def test_a_stand_in_that_real_pyro_could_not_make() -> None:
    """Its class wants bytes, for which there is text: it goes as an error that can be made."""
    error = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    told = stand_in(error, PYRO5, "json writes no bytes")
    real, ours = (JsonSerializer(PYRO5, WireOptions(), foreign_exceptions=pyronb) for pyronb in (False, True))

    assert "Pyro5.errors.PyroError" == json.loads(real.dumps(told))["__class__"]
    assert "builtins.UnicodeDecodeError" == json.loads(ours.dumps(told))["__class__"]
    assert isinstance(ours.loads(ours.dumps(told)), UnicodeDecodeError)
    assert isinstance(real.loads(real.dumps(told)), UnicodeDecodeError)


FORGED_LINKS = [5, "x", [], {}, {"__class__": 5}, described("SystemExit"), {"__class__": "x.Y"}]


@pytest.mark.parametrize("link", FORGED_LINKS)
@pytest.mark.parametrize("key", ["cause", "context"])
def test_links_that_are_none(serializer: Serializer, key: str, link: Any) -> None:
    """Whatever a peer puts there, the exception arrives, and nothing is linked that would end a program."""
    actual = travel(serializer, {**described("builtins.ValueError", "boom"), key: link})

    assert (ValueError, ("boom",)) == (type(actual), actual.args)
    for linked in (actual.__cause__, actual.__context__):
        assert linked is None or isinstance(linked, RemoteError)
