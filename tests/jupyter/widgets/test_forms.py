"""Forms: fields from signatures, arguments from fields, code from arguments."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.jupyter.widgets.forms import MAX_FIELDS, Field, call_code, fields_of, read_fields
from pyronb.rpc.metadata import parse_signature


def fields(text):
    return fields_of(parse_signature(text))


def arguments(text, **values):
    known = {field.name: values.get(field.name, field.default) for field in fields(text)}
    return read_fields(fields(text), known)


@pytest.mark.parametrize(
    ("text", "kind", "default"),
    [
        ("(x: int)", "whole", None),
        ("(x: int = 3)", "whole", 3),
        ("(x: 'int' = 3)", "whole", 3),
        ("(x=3)", "whole", 3),
        ("(x: float = 0.5)", "number", 0.5),
        ("(x: float = 1)", "number", 1),
        ("(x: bool = True)", "truth", True),
        ("(x=False)", "truth", False),
        ("(x: str = 'a')", "text", "a"),
        ("(x='a')", "text", "a"),
        ("(x: Literal['a', 'b'] = 'b')", "choice", "b"),
        ("(x: typing.Literal[1, 2])", "choice", None),
        ("(x: Literal['a'] = 'c')", "value", "c"),
        ("(x: Literal[oops])", "value", None),
        ("(x: int | None = None)", "value", None),
        ("(x: int = None)", "value", None),
        ("(x: int = True)", "value", True),
        ("(x: int = 99999999999999999999)", "value", 99999999999999999999),
        ("(x: list[int])", "value", None),
        ("(x)", "value", None),
    ],
)
def test_kinds(text, kind, default):
    (field,) = fields(text)

    assert (field.kind, field.default) == (kind, default)
    assert field.required is ("=" not in text)


def test_without_a_signature_one_field_takes_it_all():
    assert [field.kind for field in fields_of(None)] == ["more"]
    assert read_fields(fields_of(None), {"arguments": "1, 'two', three=[3]"}) == ([1, "two"], {"three": [3]})


def test_what_has_its_default_is_left_out():
    text = "(a: int, b: int = 2, c: str = 'c', *, d: bool = False)"
    assert arguments(text, a=1) == ([1], {})
    assert arguments(text, a=1, b=5) == ([1, 5], {})
    assert arguments(text, a=1, c="x") == ([1], {"c": "x"})
    assert arguments(text, a=1, d=True) == ([1], {"d": True})
    assert arguments("(x: float = 1)", x=1.0) == ([], {})
    assert arguments("(x: float = 1)", x=1.5) == ([1.5], {})


def test_literals():
    assert arguments("(x, y=None)", x="[1, 'two']", y="") == ([[1, "two"]], {})
    assert arguments("(x, y=None)", x="'t'", y=" None ") == (["t"], {})
    with pytest.raises(ValueError, match="x: a value is needed"):
        arguments("(x)", x=" ")
    with pytest.raises(ValueError, match="did you mean 'abc'"):
        arguments("(x)", x="abc")
    with pytest.raises(ValueError, match="no Python literal"):
        arguments("(x)", x="__import__('os')")


def test_further_arguments():
    text = "(a: int = 1, *rest, **options)"
    assert arguments(text, a=2, arguments="3, 4, k='v'") == ([2, 3, 4], {"k": "v"})
    assert arguments(text, a=1, arguments="k=1") == ([], {"k": 1})
    with pytest.raises(ValueError, match="fields before them"):
        arguments(text, a=1, arguments="3")
    with pytest.raises(ValueError, match="given twice"):
        arguments("(*, a, **options)", a="1", arguments="a=2")
    for wrong in ("1) + f(2", "**{}", "1 +", "*[1]", "f(2)", "1)(2"):
        with pytest.raises(ValueError, match="argument"):
            arguments(text, a=2, arguments=wrong)


def test_arguments_without_a_name_over_there():
    assert arguments("(a=1, b=2, /)", a=5, b=2) == ([5], {})
    with pytest.raises(ValueError, match="no name over there"):
        arguments("(a=1, b=2, /)", a=1, b=3)


def test_there_are_not_too_many_fields():
    many = fields(f"({', '.join(f'p{n}=0' for n in range(100))})")

    assert len(many) == MAX_FIELDS + 1
    assert many[-1].kind == "more"


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.lists(VALUES), st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES))
def test_the_code_is_what_is_called(args, kwargs):
    """Whoever runs the code that is shown calls with the same arguments."""
    call = ast.parse(call_code("thing", "method", (args, kwargs)), mode="eval").body

    assert [ast.literal_eval(arg) for arg in call.args] == args
    assert {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords} == kwargs
    assert ast.unparse(call.func) == "thing.method"


@given(VALUES)
def test_every_literal_can_be_typed(value):
    field = Field("x", "value", "x", required=True)

    assert read_fields([field], {"x": repr(value)}) == ([value], {})


@given(st.sampled_from([("x", "value"), ("arguments", "more")]), st.text())
def test_whatever_is_typed_is_taken_or_refused(which, text):
    name, kind = which
    try:
        args, kwargs = read_fields([Field(name, kind, name, required=True)], {name: text})
    except ValueError as error:
        refused = str(error)
    else:
        refused = ""
        assert isinstance(args, list)
        assert isinstance(kwargs, dict)
    assert not refused or refused.startswith(name)
