"""Where the cursor is, and what a cell binds."""

from __future__ import annotations

import pytest

from pyronb.jupyter.ipython.cursor import bound_by, spot_of, statements


@pytest.mark.parametrize(
    ("text", "kind", "path", "fragment"),
    [
        ("a.b", "member", ("a",), "b"),
        ("a.b.", "member", ("a", "b"), ""),
        ("x = a['k'].b", "member", ("a", ("k",)), "b"),
        ("a[i].b", "member", ("a", None), "b"),
        ("a(1, [2]).b", "member", ("a", None), "b"),
        ("f(a.b", "member", ("a",), "b"),
        ("a.m(x", "argument", ("a", "m"), "x"),
        ("a.m((1, 2), y=[", "item", None, ""),
        ("[a][0].", "member", (), ""),
        ("a.m(')', x", "argument", ("a", "m"), "x"),
        ("# it's\na.m(", "argument", ("a", "m"), ""),
        ("'''it's'''\na.", "member", ("a",), ""),
        ('f"{a.b', "member", ("a",), "b"),
        ("a[", "item", ("a",), ""),
        ("(a).b", "member", (), "b"),
        ("1.", "member", None, ""),
        ("", "member", None, ""),
        ("a", "member", None, ""),
        (")", "member", None, ""),
        ("a]).b", "member", None, ""),
        ("'a.b", "member", None, ""),
        ("return a.b", "member", ("a",), "b"),
    ],
)
def test_where_the_cursor_is(text, kind, path, fragment):
    spot = spot_of(text)

    if path is None:
        assert spot is None
    else:
        assert (spot.kind, spot.path, spot.fragment) == (kind, path, fragment)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("x = 1", {"x"}),
        ("x, y.z = a", {"x", "y"}),
        ("x = y = a", {"x", "y"}),
        ("for i, j in a: pass", {"i", "j"}),
        ("with a as b: pass", {"b"}),
        ("f(a)", set()),
        ("[i for i in a]", {"i"}),
    ],
)
def test_what_a_statement_binds(text, names):
    assert names == bound_by(statements(text)[0])


def test_statements_end_where_no_bracket_is_open():
    assert statements("a = [\n 1]; b\nc") == [["a", "=", "[", "1", "]"], ["b"], ["c"]]
