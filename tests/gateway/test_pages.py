"""The pages, as text: they show what is known, and nothing that comes from elsewhere gets out of its place."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("starlette")

from pyronb.gateway.objects import Listed
from pyronb.gateway.pages import index_page, key_page, object_page, trouble_page
from pyronb.rpc.metadata import AttributeDetails, Details, Metadata, MethodDetails

ABOUT = Metadata(
    methods=frozenset({"add", "fire", "old", "stop"}),
    oneway=frozenset({"fire"}),
    attributes=frozenset({"level"}),
    details=Details(
        "lab.Pump",
        "Pumps water.\n\nA lot.",
        {
            "add": MethodDetails("(a: int, b: int = 2) -> int", "Adds."),
            "fire": MethodDetails("(*shots)", ""),
            "stop": MethodDetails("() -> None", ""),
        },
        {"level": AttributeDetails("float", "How high.", writable=False)},
    ),
)


class Page(HTMLParser):
    """What a browser makes of it."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text, self._in_style = [], "", False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in_style = tag == "style"

    def handle_endtag(self, tag):
        self._in_style = False

    def handle_data(self, data):
        if not self._in_style:
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_the_index_shows_names_and_members():
    """With a link to each; and why one could not be asked."""
    page = Page(
        index_page(
            [
                Listed("http.pump", "PYRO:x@y:1", ("class:Pump",)),
                Listed("http.gone", "PYRO:x@y:2"),
                Listed("http.c", ""),
            ],
            {"http.pump": ABOUT, "http.gone": "ConnectionClosedError: nobody there"},
            r"http\.",
            "lab:9090",
        )
    )

    assert [a["href"] for a in page.all("a")] == ["./?name=http.pump", "./?name=http.gone", "./?name=http.c"]
    for text in (r"http\.", "lab:9090", "class:Pump", "Pumps water.", "add, fire, old, stop", "level", "nobody there"):
        assert text in page.text
    assert "A lot" not in page.text


def test_an_empty_index_says_what_can_be_done():
    """For both the objects and the pattern."""
    assert "pyronb gateway --expose" in index_page([], {}, "x", "lab:9090")


def test_very_many_names_are_not_all_shown():
    """But counted."""
    page = Page(index_page([Listed(f"n{i}", "") for i in range(1500)], {}, "", "lab:9090"))

    assert len(page.all("a")) == 1000
    assert "500 more are not shown" in page.text


def test_the_page_of_an_object_has_a_form_for_each_member():
    """Which starts with the arguments that are needed."""
    page = Page(object_page("http.pump", ABOUT))

    assert [form["action"] for form in page.all("form")] == [
        "http.pump/add",
        "http.pump/fire",
        "http.pump/old",
        "http.pump/stop",
        "http.pump/level",
    ]
    assert {form["method"] for form in page.all("form")} == {"post"}
    # The one without parameters needs no field.
    assert len(page.all("textarea")) == 3
    for text in ("lab.Pump", "A lot.", "(a: int, b: int = 2) -> int", '{"a": ""}', "Adds.", "oneway", ": float"):
        assert text in page.text
    assert "texts" in page.text
    assert "texts" not in Page(object_page("http.pump", ABOUT, post_only=True)).text


def test_an_object_without_details():
    """As a real Pyro tells it."""
    page = Page(object_page("x", Metadata(methods=frozenset({"go"}))))

    assert "go(...)" in page.text
    assert "{}" in page.text


def test_the_key_goes_along():
    """Hidden in forms, never in an address."""
    for html in (index_page([Listed("a", "")], {}, "", ""), object_page("a", ABOUT)):
        assert "$key" not in html
    for html in (index_page([Listed("a", "")], {}, "", "", 'k"<'), object_page("a", ABOUT, 'k"<')):
        page = Page(html)
        keys = [field["value"] for field in page.all("input") if field["name"] == "$key"]
        assert len(keys) == len(page.all("form"))
        assert set(keys) == {'k"<'}
        assert not page.all("a")


def test_the_page_that_asks_for_the_key():
    """And says when one was wrong."""
    assert "not the right one" not in key_page(wrong=False)
    assert "not the right one" in key_page(wrong=True)
    assert {"type": "password", "name": "$key"}.items() <= Page(key_page(wrong=True)).all("input")[0].items()


hostile = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ['"><script>alert(1)</script>', "'onload='x", "&lt;", "</textarea><b>", "\u202egnp.exe", "a/b?c#d", "\0"]
    ),
)


@given(hostile, hostile, hostile, hostile)
def test_nothing_gets_out_of_its_place(name, member, text, signature):
    """The elements of a page are the same whatever the texts in it are."""
    about = Metadata(
        methods=frozenset({member}),
        attributes=frozenset({member}),
        details=Details(text, text, {member: MethodDetails(signature, text)}, {member: AttributeDetails(text, text)}),
    )
    plain = Metadata(
        methods=frozenset({"m"}),
        attributes=frozenset({"m"}),
        details=Details("t", "t", {"m": MethodDetails("(...)", "t")}, {"m": AttributeDetails("t", "t")}),
    )

    def shape(html):
        page = Page(html)
        assert not page.all("script")
        assert "\u202e" not in html
        assert "\0" not in html
        return [(tag, sorted(attrs)) for tag, attrs in page.tags if tag not in {"p", "label", "textarea"}]

    for key in ("", "secret"):
        assert shape(object_page(name, about, key)) == shape(object_page("n", plain, key))
        listed = [Listed(name, text, (text,))]
        ours = index_page(listed, {name: about}, text or "x", text, key)
        assert shape(ours) == shape(index_page([Listed("n", "t", ("t",))], {"n": plain}, "x", "t", key))
    assert shape(trouble_page(text, "hint")) == shape(trouble_page("t", "hint"))


def test_long_texts_are_cut():
    """One object does not make a page of megabytes."""
    about = Metadata(methods=frozenset(f"m{i}" for i in range(5000)), details=Details("x" * 10**6, "y" * 10**6))

    assert len(object_page("n" * 100, about)) < 400_000
