"""The walk through the sidebar that the last tutorial shows in pictures. `make pictures` takes them anew."""

from __future__ import annotations

import io
import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_kernel import section
from tests.browser.test_main_job import nsc
from tests.browser.test_object_tab import member, open_tab
from tests.browser.test_panel import resize_panel
from tests.support.labpage import ms

Image = pytest.importorskip("PIL.Image", reason="Pillow, which comes with matplotlib, makes the pictures small")

# Nobody sees that these are all the colours there are, and the file is a third of the size.
COLORS, SPREAD = 256, 1

# Whose machine it was taken on is nobody's business.
SAME_EVERYWHERE = """() => {
    const walker = document.createTreeWalker(document.querySelector('#pyronb-panel'), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        node.data = node.data.replace(/Jupyter server on .*/, 'Jupyter server on lab-pc');
    }
}"""


@pytest.fixture
def picture(lab, shots):
    """Keep a picture of the page, or of a part of it, small."""
    lab.page.set_viewport_size({"width": 1200, "height": 720})

    def keep(name, target=None):
        lab.page.evaluate(SAME_EVERYWHERE)
        lab.page.mouse.move(900, 600)
        shot = Image.open(io.BytesIO((target or lab.page).screenshot())).convert("RGB")
        shot.quantize(COLORS, SPREAD).save(shots / f"sidebar-{name}.png", optimize=True)

    return keep


def fold(lab, title):
    """Fold a section of the panel, to make room for the others."""
    heading = lab.panel.locator(".lm-AccordionPanel-title", has_text=title)
    if heading.get_attribute("aria-expanded") == "true":
        heading.click()
    expect(heading).to_have_attribute("aria-expanded", "false")


def test_names_and_objects(lab, site, picture):
    """From what there is to a first call."""
    lab.open("experiment.ipynb")
    lab.wait_for_kernel()
    lab.show_panel()
    resize_panel(lab, 330)
    for title in ("Object", "This notebook", "Calls"):
        fold(lab, title)
    nsc(site, "register", "lab.laser", "PYRO:laser@localhost:7766", "optics")
    lab.expect_names("demo.host", "demo.scope", "demo.store", "lab.laser")
    expect(lab.state).to_have_text("connected")
    expect(lab.row("lab.laser")).to_have_attribute("aria-description", "unreachable", timeout=ms(15))
    picture("names")

    search = lab.panel.get_by_role("searchbox", name="Search objects")
    search.fill("optics")
    expect(lab.row("demo.scope")).to_have_count(0)
    expect(lab.row("lab.laser")).to_be_visible()
    picture("search", lab.panel)
    search.fill("")
    lab.expect_names("demo.host", "demo.scope", "demo.store", "lab.laser")

    lab.panel.locator(".lm-AccordionPanel-title", has_text="Object").click()
    card = lab.select("lab.laser")
    expect(card).to_contain_text("unreachable")
    picture("unreachable", lab.panel)
    card = lab.select("demo.scope")
    expect(card).to_contain_text("reachable")
    expect(card.get_by_role("list", name=re.compile("Methods"))).to_contain_text("acquire(averages: int = 16)")
    lab.button("Insert").click()
    expect(lab.cell(0)).to_contain_text("%pyro_connect demo.scope as scope")
    picture("inserted")
    lab.set_theme("dark")
    picture("dark")
    lab.set_theme("light")
    nsc(site, "remove", "lab.laser")
    lab.expect_names("demo.host", "demo.scope", "demo.store")


def test_tab_of_an_object(lab, picture):
    """A form for a call, which becomes a cell."""
    lab.open("experiment.ipynb")
    lab.wait_for_kernel()
    tab = open_tab(lab)
    fold(lab, "This notebook")
    acquire = member(tab, "acquire")
    acquire.get_by_role("button", name="Call acquire").click()
    acquire.get_by_label("averages").fill("64")
    expect(acquire.locator(".pyronb-Code")).to_contain_text("scope.acquire(64)")
    picture("tab")


def test_kernel_and_calls(lab, picture):
    """What is open in the notebook, and each call that it makes."""
    lab.open("experiment.ipynb", "%load_ext pyronb\n%pyro_connect demo.scope as scope demo.store as store")
    lab.wait_for_kernel()
    lab.notebook.click()
    lab.command("notebook:run-cell")
    lab.expect_done(0)
    lab.show_panel()
    resize_panel(lab, 330)
    for title in ("Names", "Object"):
        fold(lab, title)
    here, calls = section(lab, "This notebook"), section(lab, "Calls")
    expect(here.locator("[data-pyronb-variable=scope]")).to_be_visible()
    calls.get_by_role("button", name="Record").click()
    expect(calls).to_contain_text("Recording.")
    lab.do("for channel in (1, 2, 3, 4):\n    store.put(f'vpp {channel}', scope.measure('vpp', channel))")
    lab.do("import pyronb\naverage = pyronb.asyncproxy(scope).acquire(averages=4)\naverage.wait(20)")
    lab.do("try:\n    store.get('vpp 5')\nexcept KeyError as error:\n    print(error)")
    expect(calls.locator(".pyronb-Call")).to_have_count(10)
    expect(calls.locator(".pyronb-Call").last).to_contain_text("ms")
    expect(here.locator("[data-pyronb-future=average]")).to_contain_text("done")
    lab.page.set_viewport_size({"width": 1200, "height": 860})
    picture("kernel")


def test_workbench(lab, picture):
    """What the README shows: names, a connected object, a batch, and a call that tells how far it is."""
    lab.open("experiment.ipynb", "%load_ext pyronb\n%pyro_connect demo.scope as scope")
    lab.wait_for_kernel()
    lab.notebook.click()
    lab.command("notebook:run-cell")
    lab.expect_done(0)
    lab.show_panel()
    resize_panel(lab, 300)
    for title in ("Object", "Calls"):
        fold(lab, title)
    lab.do("%%pyro_batch scope\nfor channel in (1, 2, 3, 4):\n    scope.measure('vrms', channel)")
    index = lab.type_cell("scope.self_test()")
    lab.run_active()
    lab.page.set_viewport_size({"width": 1200, "height": 900})
    expect(lab.cell(index).locator(".pyronb-waiting progress")).to_be_visible(timeout=ms(20))
    expect(section(lab, "This notebook").locator("[data-pyronb-variable=scope]")).to_be_visible()
    picture("workbench")
    lab.expect_done(index)
