"""Model in, text and HTML out; nothing hostile gets through."""

from __future__ import annotations

import re

import pytest

from pyronb.jupyter.ipython import reprs, style
from tests.jupyter.ipython.scene import HOSTILE


def an_object(text="x", **changes):
    return {
        "name": f"name {text}",
        "uri": f"PYRO:{text}@h:1",
        "tags": [f"tag {text}"],
        "state": "ok",
        "reason": "",
        "hint": "",
        "latency": 0.0123,
        "server": f"server {text}",
        "serializer": "native",
        "class_name": f"class {text}",
        "doc": f"doc {text}\n\nmore of it",
        "methods": [{"name": f"m{text}", "signature": f"(a={text})", "doc": f"mdoc {text}\nsecond", "oneway": True}],
        "attributes": [{"name": f"a{text}", "type": f"t{text}", "doc": f"adoc {text}", "writable": False}],
        **changes,
    }


def names(text="x", count=1, **changes):
    return {
        "version": "1",
        "viewpoint": text,
        "nameserver": {"address": f"h:1 {text}", "default": True, "server": text},
        "state": "ok",
        "reason": "",
        "hint": "",
        "names": [{"name": f"n{i}{text}", "uri": f"PYRO:{text}@h:1", "tags": [text]} for i in range(count)],
        "total": count,
        "age": 0.0,
        **changes,
    }


BAD = {"state": "unreachable", "reason": f"reason {HOSTILE}", "hint": f"hint {HOSTILE}"}


@pytest.mark.parametrize(
    "html",
    [
        reprs.object_html(an_object(HOSTILE), variable=HOSTILE),
        reprs.object_html(an_object(HOSTILE), limit=None),
        reprs.object_html(an_object(HOSTILE, **BAD)),
        reprs.names_html(names(HOSTILE)),
        reprs.names_html(names(HOSTILE, **BAD)),
        reprs.status_html(names(HOSTILE), None),
        reprs.status_html(names(HOSTILE, **BAD), 4),
        reprs.note_html(HOSTILE),
        reprs.uri_html(HOSTILE),
        reprs.future_html("done", HOSTILE),
        reprs.batch_html([reprs.BatchRow(HOSTILE, state, HOSTILE) for state in ("ok", "error", "not run")]),
        style.table([HOSTILE], []),
    ],
)
def test_everything_is_escaped(html):
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<div") == html.count("</div>")
    assert html.count("<span") == html.count("</span>")


def test_attributes_cannot_be_broken_out_of():
    """Remote text only ever stands between tags."""
    text = '" onmouseover="alert(1)'

    assert 'onmouseover="alert' not in reprs.object_html(an_object(text)) + reprs.names_html(names(text))


def test_control_characters_are_made_visible():
    assert "\x1b" not in reprs.object_text(an_object("\x1b[31m"), limit=None)
    assert "\x1b" not in reprs.names_text(names("\x1b[31m"))
    assert "\u202e" not in reprs.object_html(an_object("\u202e"))


def test_colours_are_jupyters_own():
    """Each colour is a --jp- variable with a fallback, and no rule reaches beyond the view."""
    colours = re.findall(r"(?:color|border(?:-bottom)?):([^;}]+)", style.STYLE)

    assert all("var(--jp-" in value or value in ("inherit", "0") for value in colours), colours
    body = style.STYLE.removeprefix("<style>").removesuffix("</style>")
    for selectors in re.findall(r"([^{}]+)\{", body):
        assert all(selector.strip().startswith(".pyronb-view.pyronb-view") for selector in selectors.split(","))


def test_a_card_tells_all_that_is_known():
    text = reprs.object_text(an_object(), variable="v")

    assert text.splitlines() == [
        "v = name x",
        "  PYRO:x@h:1",
        "  server x",
        "  speaks native",
        "  connected in 12.3 ms",
        "  class x - doc x",
        "methods:",
        "  mx(a=x)  [oneway] mdoc x",
        "attributes:",
        "  ax: tx  [read-only] adoc x",
    ]


def test_without_a_limit_the_whole_docs_are_shown():
    assert "second" not in reprs.object_html(an_object())
    assert "second" in reprs.object_html(an_object(), limit=None)


def test_an_object_that_tells_nothing():
    """As with Pyro's own servers: no column of explanations."""
    bare = an_object(class_name="", doc="", tags=[], latency=None, server="", serializer="")
    bare["methods"] = [{"name": "m", "signature": "(...)", "doc": "", "oneway": False}]
    bare["attributes"] = []

    assert "About" not in reprs.object_html(bare)
    assert "m(...)" in reprs.object_text(bare)
    assert "xposes nothing" in reprs.object_html({**bare, "methods": []})
    assert "xposes nothing" in reprs.object_text({**bare, "methods": []})


def test_many_names_are_cut():
    model = names(count=60)

    assert "60 names" in reprs.names_text(model)
    assert "… 10 more" in reprs.names_text(model)
    assert "… 10 more" in reprs.names_html(model)
    assert reprs.names_html(model).count("<tr>") == 51


def test_no_names():
    assert "no names" in reprs.names_html(names(count=0))
    assert "1 name" in reprs.names_text(names(count=1))


def test_the_next_try_is_announced():
    bad = names(**BAD)

    assert "Trying again in 4 s." in reprs.status_html(bad, 4.2)
    assert "Trying again.<" in reprs.status_html(bad, 0.1)
    assert "Trying" not in reprs.status_html(bad, None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a", "a"), ("a\n  b", "a b"), ("x" * 10, "x" * 10), ("x" * 11, "x" * 9 + "…"), (" " * 1000 + "x", "…")],
)
def test_shorten(text, shown):
    assert shown == style.shorten(text, 10)


def test_latency():
    assert "1.5 s" in reprs.object_text(an_object(latency=1.5))
    assert "connected" not in reprs.object_text(an_object(latency=None))
