"""Stubs: what texts of a peer become as Python source, and that no text becomes code."""

from __future__ import annotations

import ast
import inspect
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyronb.client.stubs import Subject, stub_of
from pyronb.rpc.metadata import AttributeDetails, Details, Metadata, MethodDetails


def metadata(class_name="lab.Thing", *, methods=(), attributes=(), oneway=(), doc=""):
    """Metadata of members that are given with what is told about them."""
    methods, attributes = dict(methods), dict(attributes)
    return Metadata(
        frozenset(methods),
        frozenset(oneway),
        frozenset(attributes),
        Details(
            class_name,
            doc,
            {name: MethodDetails(*told) for name, told in methods.items()},
            {name: AttributeDetails(*told) for name, told in attributes.items()},
        ),
    )


def members(text, class_name="Thing"):
    """The members that a class of a stub has for a type checker: lines without their indentation, by name."""
    found = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for each in next(part for part in node.body if isinstance(part, ast.If)).body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.setdefault(each.name, []).append(ast.get_source_segment(text, each).partition("\n")[0])
    return {name: lines[0] if len(lines) == 1 else lines for name, lines in found.items()}


def written(signature, **more):
    """How a method of this signature is written."""
    text = stub_of([Subject("thing", metadata(methods={"method": (signature,)}))], **more)
    return members(text)["method"].removeprefix("def method").removesuffix(" ...")


THERMOMETER = '''\
# Made by `pyronb stub`: Thermometer (lab.thermometer).
# Good as a stub (.pyi), which only type checkers read, and as a module (.py), which can be imported too.

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyronb import Proxy


class Thermometer(Proxy):
    """Measures."""

    if TYPE_CHECKING:
        # A name that is not here is a mistake, and not one to be asked for over there.
        __getattr__: None  # type: ignore[assignment, misc]
        __setattr__: None  # type: ignore[assignment, misc]

        @property
        def celsius(self) -> float:
            """Degrees."""
            ...

        @property
        def label(self) -> Any: ...

        @label.setter
        def label(self, value: Any) -> None: ...

        def fire(self, times: int) -> None: ...

        def read(self, channel: int = 0, *, unit: str = 'C') -> float:
            """Read a channel.

            Twice, if need be.
            """
            ...

        def stream(self) -> Iterator[float]: ...
'''


def test_a_stub():
    """The whole of one."""
    told = metadata(
        "lab.instruments.Thermometer",
        doc="Measures.",
        methods={
            "read": ("(channel: int = 0, *, unit: str = 'C') -> float", "Read a channel.\n\nTwice, if need be."),
            "fire": ("(times: int) -> bool",),
            "stream": ("() -> Generator[float, None, None]",),
        },
        oneway={"fire"},
        attributes={"celsius": ("float", "Degrees.", False), "label": ("", "", None)},
    )

    assert stub_of([Subject("lab.thermometer", told)]) == THERMOMETER


def test_a_stub_of_the_other_room():
    """Methods are coroutines, attributes are awaited and cannot be set, streams are asynchronous."""
    told = metadata(
        methods={"read": ("() -> bytes",), "stream": ("() -> Iterator[int]",), "fire": ("()",)},
        oneway={"fire"},
        attributes={"unit": ("str", "", True)},
    )
    text = stub_of([Subject("thing", told)], aio=True, kept=True)

    assert "from pyronb.aio import Proxy" in text
    assert members(text) == {
        "unit": "def unit(self) -> Awaitable[str]: ...",
        "read": "async def read(self) -> bytes: ...",
        "stream": "async def stream(self) -> AsyncIterator[int]: ...",
        "fire": "async def fire(self) -> None: ...",
    }


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("()", "(self) -> Any:"),
        ("(a, b=1)", "(self, a: Any, b: Any = 1) -> Any:"),
        ("(a, /, b, *, c) -> None", "(self, a: Any, /, b: Any, *, c: Any) -> None:"),
        ("(a, b, /)", "(self, a: Any, b: Any, /) -> Any:"),
        ("(*args: int, c, **kw: str)", "(self, *args: int, c: Any, **kw: str) -> Any:"),
        ("(self, self_)", "(self__, self: Any, self_: Any) -> Any:"),
        ("(...)", "(self, *args: Any, **kwargs: Any) -> Any:"),
        ("", "(self, *args: Any, **kwargs: Any) -> Any:"),
        ("(a=<object>)", "(self, *args: Any, **kwargs: Any) -> Any:"),
        ("(__debug__)", "(self, *args: Any, **kwargs: Any) -> Any:"),
        # Defaults: literals that go with their type.
        ("(a: int = None)", "(self, a: int = ...) -> Any:"),
        ("(a: int | None = None)", "(self, a: int | None = None) -> Any:"),
        ("(a: float = 1)", "(self, a: float = 1) -> Any:"),
        ("(a: str = 1)", "(self, a: str = ...) -> Any:"),
        ("(a: bool = True, b: int = False)", "(self, a: bool = True, b: int = False) -> Any:"),
        ("(a=1e999)", "(self, a: Any = ...) -> Any:"),
        ("(a=-2.5)", "(self, a: Any = -2.5) -> Any:"),
        ("(a=[], b={}, c=())", "(self, a: Any = ..., b: Any = ..., c: Any = ...) -> Any:"),
        ("(a=f(), b=...)", "(self, a: Any = ..., b: Any = ...) -> Any:"),
        (f"(a={'x' * 100!r})", "(self, a: Any = ...) -> Any:"),
        (f"(a={'9' * 100})", "(self, a: Any = ...) -> Any:"),
        ("(a: Literal['x', 'y'] = 'x')", "(self, a: Literal['x', 'y'] = 'x') -> Any:"),
        ("(a: Literal['x'] = 'y')", "(self, a: Literal['x'] = ...) -> Any:"),
        # Types.
        ("(a: list, b: dict, c: tuple)", "(self, a: list[Any], b: dict[Any, Any], c: tuple[Any, ...]) -> Any:"),
        ("(a: Optional[int])", "(self, a: int | None) -> Any:"),
        ("(a: Union[int, str, int])", "(self, a: int | str) -> Any:"),
        ("(a: int | Store)", "(self, a: Any) -> Any:"),
        ("(a: list[Store])", "(self, a: list[Any]) -> Any:"),
        ("(a: 'list[str]', b: list['int'])", "(self, a: list[str], b: list[int]) -> Any:"),
        ("(a: typing.List[str], b: t.Dict[str, int])", "(self, a: list[str], b: dict[str, int]) -> Any:"),
        ("(a: numpy.ndarray, b: str.join)", "(self, a: Any, b: Any) -> Any:"),
        ("(a: tuple[int, ...], b: tuple[int, str])", "(self, a: tuple[int, ...], b: tuple[int, str]) -> Any:"),
        ("(a: dict[int], b: int[str])", "(self, a: Any, b: Any) -> Any:"),
        ("(a: Annotated[int, exec('x')])", "(self, a: int) -> Any:"),
        ("(a: Callable)", "(self, a: Callable[..., Any]) -> Any:"),
        ("(a: Callable[[int, X], None])", "(self, a: Callable[[int, Any], None]) -> Any:"),
        ("(a: Callable[..., str])", "(self, a: Callable[..., str]) -> Any:"),
        ("(a: Literal[-1, None, b'x', True])", "(self, a: Literal[-1, None, b'x', True]) -> Any:"),
        ("(a: Literal[exit()], b: Literal[1.5])", "(self, a: Any, b: Any) -> Any:"),
        ("(a: datetime.datetime, b: date)", "(self, a: datetime, b: date) -> Any:"),
        ("(a: bytes) -> bytes", "(self, a: bytes) -> Any:"),
        ("() -> list['bytes']", "(self) -> Any:"),
        ("() -> dict[str, datetime]", "(self) -> Any:"),
        ("() -> Coroutine[Any, Any, int]", "(self) -> int:"),
        ("() -> Awaitable[int]", "(self) -> int:"),
        ("() -> AsyncIterator[int]", "(self) -> Iterator[int]:"),
        ("() -> Iterator", "(self) -> Iterator[Any]:"),
        ("() -> Iterator[bytes]", "(self) -> Iterator[Any]:"),
        ("() -> Iterable[int]", "(self) -> Iterable[int]:"),
        ("() -> list[Iterator[int]]", "(self) -> Any:"),
        ("() -> " + "list[" * 30 + "int" + "]" * 30, None),
        ("(a: x" + ".b" * 1900 + ")", "(self, *args: Any, **kwargs: Any) -> Any:"),
    ],
)
def test_signatures(signature, expected):
    """What is understood is written anew; the rest is anything."""
    result = written(signature)

    assert result == expected if expected else result.startswith("(self) -> list[list[")


def test_results_that_arrive_as_they_were():
    """Where nothing changes on the way, types are what they were over there."""
    assert written("() -> dict[str, datetime]", kept=True) == "(self) -> dict[str, datetime]:"
    assert written("() -> Iterator[bytes]", kept=True) == "(self) -> Iterator[bytes]:"


def test_a_real_pyro_tells_names_only():
    """So its methods take anything."""
    text = stub_of([Subject("lab.pump-2@host:1", Metadata(frozenset({"add"}), frozenset(), frozenset({"val"})))])

    assert members(text, "LabPump2") == {
        "val": ["def val(self) -> Any: ...", "def val(self, value: Any) -> None: ..."],
        "add": "def add(self, *args: Any, **kwargs: Any) -> Any: ...",
    }


def test_names_of_members_that_hide_types():
    """They hide nothing: the types get another word."""
    told = metadata(
        "Proxy",
        methods={"int": ("(a: int) -> list[int]",), "Any": ("(a)",), "TYPE_CHECKING": ("()",)},
        attributes={"property": ("int", "", False), "list": ("str", "", False)},
    )
    text = stub_of([Subject("x", told)])

    assert "from builtins import int as _int, list as _list, property as _property\n" in text
    assert "from pyronb import Proxy as _Proxy\n" in text
    assert "if _TYPE_CHECKING:" in text
    assert members(text, "Proxy")["int"] == "def int(self, a: _int) -> _list[_int]: ..."
    assert members(text, "Proxy")["Any"] == "def Any(self, a: _Any) -> _Any: ..."


def test_names_that_python_cannot_write():
    """They are told, and the private ones are not."""
    told = metadata(
        methods=dict.fromkeys(["a b", "class", "\N{LATIN SMALL LIGATURE FI}", "_x", "x): pass\nimport os #"], ("()",))
    )
    text = stub_of([Subject("thing", told)])

    assert members(text) == {}
    assert r"# Not here, for Python cannot write them: 'a b', 'class', 'x): pass\nimport os #', '\ufb01'" in text


def test_many_such_names():
    """There is an end to the list."""
    text = stub_of([Subject("thing", metadata(methods={f"{number}": ("()",) for number in range(20)}))])

    assert text.count("', '") == 9
    assert text.endswith(", ...\n")


def test_items():
    """What Python asks of containers is there with the types that it has, where it has its usual form."""
    told = metadata(
        methods={
            "__getitem__": ("(key: str) -> int",),
            "__setitem__": ("(key: str, value: int)",),
            "__delitem__": ("(key, more=1)",),
            "__iter__": ("() -> Iterator[str]",),
            "__len__": ("() -> int",),
            "__add__": ("(other)",),
        }
    )

    assert members(stub_of([Subject("thing", told)])) == {
        "__getitem__": "def __getitem__(self, key: str) -> int: ...",
        "__setitem__": "def __setitem__(self, key: str, value: int) -> None: ...",
        "__iter__": "def __iter__(self) -> Iterator[str]: ...",
    }
    assert members(stub_of([Subject("thing", told)], aio=True)) == {}


def test_several_objects():
    """Equal ones share a class; others of its name get a number."""
    one, two = metadata(methods={"a": ("()",)}), metadata(methods={"b": ("()",)})
    text = stub_of([Subject("x", one), Subject("y", two), Subject("z", one), Subject("v", one, "Valve")])

    assert text.startswith("# Made by `pyronb stub`: Thing (x, z), Thing2 (y), Valve (v).\n")
    assert [members(text, name).keys() for name in ("Thing", "Thing2", "Valve")] == [{"a"}, {"b"}, {"a"}]


@pytest.mark.parametrize(
    ("told", "name", "expected"),
    [
        ("m.Outer.<locals>._Inner", "x", "Inner"),
        ("m.class", "lab.pump_2", "LabPump2"),
        ("m.x y", "obj_0a1b", "Obj0a1b"),
        ("", "42", "Remote"),
        ("", "", "Remote"),
        ("m.__debug__", "x", "debug__"),
    ],
)
def test_names_of_classes(told, name, expected):
    """As over there, or after the name, or something."""
    assert f"class {expected}(Proxy):" in stub_of([Subject(name, metadata(told))])


@pytest.mark.parametrize(
    "doc", ['say """hi"""', 'ends with "', "back\\", '\\"""', "a\0b\x1b[31m", "x\n\n  y\n", '""""', "\ud800"]
)
def test_docstrings(doc):
    """Whatever they say, they are one text, and the same one."""
    text = stub_of([Subject("thing", metadata(doc=doc, methods={"m": ("()", doc)}))])
    cls = next(node for node in ast.parse(text).body if isinstance(node, ast.ClassDef))

    assert ast.get_docstring(cls) == inspect.cleandoc(doc.strip())


# No text becomes code

HOSTILE = st.text(st.sampled_from("()[]{}:=,*/->.'\"\\ab01_ \n\t\r#;@lambda|") | st.characters(), max_size=40)
NAMES = st.sampled_from(["a", "int", "Any", "property", "_x", "__getitem__", "self", "type", "if"]) | HOSTILE
ALLOWED = (
    ast.Module, ast.ImportFrom, ast.alias, ast.ClassDef, ast.Expr, ast.If, ast.AnnAssign, ast.FunctionDef,
    ast.AsyncFunctionDef, ast.arguments, ast.arg, ast.Constant, ast.Name, ast.Load, ast.Store, ast.Attribute,
    ast.Subscript, ast.Tuple, ast.List, ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(NAMES, st.tuples(HOSTILE | HOSTILE.map("({})".format), HOSTILE), max_size=4),
    st.dictionaries(NAMES, st.tuples(HOSTILE, HOSTILE, st.none() | st.booleans()), max_size=4),
    st.lists(NAMES, max_size=2),
    NAMES,
    HOSTILE,
    st.booleans(),
)
def test_no_text_becomes_code(methods, attributes, oneway, class_name, doc, aio):
    """Whatever a peer says, there are classes with members in it, and nothing that runs."""
    told = metadata(class_name, methods=methods, attributes=attributes, oneway=oneway, doc=doc)
    text = stub_of([Subject(class_name, told), Subject(doc, told)], aio=aio)
    tree = ast.parse(text)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compile(text, "stub.py", "exec")
    assert {type(node) for node in ast.walk(tree)} <= set(ALLOWED)
    for node in ast.walk(tree):
        if isinstance(node, ast.If):
            assert ast.unparse(node.test).endswith("TYPE_CHECKING")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert all(isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) for part in node.body)
            assert all(isinstance(part, ast.Name | ast.Attribute) for part in node.decorator_list)
