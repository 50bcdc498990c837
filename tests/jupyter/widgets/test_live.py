"""What all live views have in common."""

from __future__ import annotations

import ipywidgets
import pytest

from pyronb.jupyter.widgets.live import VIEW_MIME, LiveView, button, with_picture
from tests.support.paths import ROOT
from tests.support.waiting import eventually


class Plain(LiveView):
    def __init__(self):
        self.part = ipywidgets.HTML()
        self.ended = 0
        super().__init__("plain", [ipywidgets.HBox([self.part])])
        self._feed.start()

    def _draw(self):
        self.part.value = "drawn"

    def _end(self):
        self.ended += 1

    def _as_text(self):
        return "as text"

    def _as_html(self):
        return "as html"


@pytest.fixture
def view(no_leaks):
    view = Plain()
    yield view
    view.close()


def test_it_is_drawn_and_closed_with_all_its_parts(view):
    eventually(lambda: view.part.value == "drawn")
    inner = view.children[1]
    view.close()
    view.close()
    view._feed.poke()

    assert view.closed
    assert view.ended == 1
    assert view.comm is view.part.comm is inner.comm is None
    eventually(lambda: not view._feed.alive)
    assert repr(view) == "as text"


def test_the_saved_picture(view):
    bundle = view._repr_mimebundle_()

    assert bundle["text/plain"] == "as text"
    assert bundle["text/html"].startswith("as html")
    assert "not connected" in bundle["text/html"]
    assert VIEW_MIME in bundle
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert with_picture(None, "t", "h").keys() == {VIEW_MIME, "text/plain", "text/html"}


def test_the_lab_extension_knows_the_same_type():
    source = (ROOT / "labextension" / "src" / "views.ts").read_text(encoding="utf-8")

    assert f"'{VIEW_MIME}'" in source


def test_labels_of_buttons_are_short_plain_text():
    made = button("<b>Call</b> \x1b[31m" + "x" * 200, "")

    assert made.description.startswith("<b>Call</b> \\x1b[31m")
    assert len(made.description) == 60
    made.close()
