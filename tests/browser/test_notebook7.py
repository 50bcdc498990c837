"""The panel in Notebook 7, which has sidebars of its own."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.test_kernel import section
from tests.support.labpage import ms, notebook

pytest.importorskip("notebook")


@pytest.fixture
def seven(lab, server):
    """A page of Notebook 7 with the panel, and a notebook that connects to an object and calls it."""
    source = "%load_ext pyronb\n%pyro_connect demo.host as host"
    (server.root / "seven.ipynb").write_text(notebook(source, "host.memory()", ""))
    page = lab.page
    page.goto(f"{server.url}/notebooks/seven.ipynb?token={server.token}")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(3, timeout=ms(40))
    page.get_by_role("menuitem", name="View").click()
    page.get_by_role("menuitem", name="Pyro Objects").click()
    expect(lab.panel).to_be_visible()
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    return lab


def test_names_and_objects(seven):
    lab = seven
    expect(lab.row("demo.host")).to_have_attribute("aria-description", "reachable", timeout=ms(15))
    lab.cell(2).click()
    lab.select("demo.scope")
    expect(lab.card).to_contain_text("reachable")
    lab.shoot("notebook-7-names")
    lab.card.get_by_role("button", name="Insert", exact=True).click()
    expect(lab.cell(2)).to_contain_text("%pyro_connect demo.scope as scope")


def test_what_belongs_to_the_kernel(seven):
    """Beside the notebook, and below it, where this application has its only room for more."""
    lab = seven
    here = section(lab, "This notebook")
    expect(here).to_contain_text("pyronb is not loaded in this kernel", timeout=ms(40))
    lab.cell(0).click()
    lab.page.keyboard.press("Shift+Enter")
    host = here.locator("[data-pyronb-variable=host]")
    expect(host).to_contain_text("connected", timeout=ms(30))

    calls = section(lab, "Calls")
    calls.get_by_role("button", name="Record").click()
    expect(calls).to_contain_text("Recording.")
    lab.cell(1).click()
    lab.page.keyboard.press("Shift+Enter")
    expect(calls.locator(".pyronb-Call")).to_have_count(1)
    calls.get_by_role("button", name="Open below the notebook").click()
    below = lab.page.locator(".jp-MainAreaWidget .pyronb-Calls")
    expect(below.locator(".pyronb-Call")).to_contain_text("demo.host.memory()")

    host.get_by_role("button", name="Open demo.host").click()
    tab = lab.page.locator(".pyronb-Tab[data-pyronb-object='demo.host']")
    expect(tab.get_by_role("status").first).to_contain_text("reachable")
    expect(below).to_be_hidden()
    lab.shoot("notebook-7-kernel")
    lab.page.get_by_role("tab", name="Remote calls").click()
    expect(below).to_be_visible()
    # The same again comes to the front.
    host.get_by_role("button", name="Open demo.host").click()
    expect(tab).to_be_visible()
    expect(tab).to_have_count(1)
