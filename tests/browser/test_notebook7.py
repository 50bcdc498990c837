"""The panel in Notebook 7, which has sidebars of its own."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.support.labpage import ms, notebook

pytest.importorskip("notebook")


def test_panel_in_notebook_7(lab, site, server, allowed_errors):
    # The server of JupyterLab, which serves the page here, does not have all settings of Notebook's own parts.
    allowed_errors.append(r"(?s)reading 'schema'.*/static/notebook/")
    # Nor does this page have all commands that Notebook's own parts run when a server opens a notebook by its address.
    allowed_errors.append(r"(?s)Command 'filebrowser:open-path' not registered.*/static/notebook/")
    (server.root / "seven.ipynb").write_text(notebook(""))
    page = lab.page
    page.goto(f"{server.url}/notebooks/seven.ipynb?token={server.token}")
    expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(1, timeout=ms(40))
    page.get_by_role("menuitem", name="View").click()
    page.get_by_role("menuitem", name="Pyro Objects").click()
    expect(lab.panel).to_be_visible()
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    expect(lab.row("demo.host")).to_have_attribute("aria-description", "reachable", timeout=ms(15))
    lab.select("demo.host")
    expect(lab.card).to_contain_text("reachable")
    lab.shoot("notebook-7")
    lab.card.get_by_role("button", name="Insert", exact=True).click()
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_contain_text(re.compile(r"%pyro_connect demo\.host as host"))
