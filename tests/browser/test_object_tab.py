"""The tab of one object: calls that become cells, attributes that are read, and how code gets into its place."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from pyronb.server.exposure import expose
from tests.support.labpage import ms
from tests.support.programs import write_setting
from tests.support.serving import serving


def open_tab(lab, name="demo.scope"):
    """Open the tab of an object from the panel, and give its content."""
    lab.show_panel()
    lab.select(name)
    lab.card.get_by_role("button", name="Open", exact=True).click()
    tab = lab.page.locator(f".pyronb-Tab[data-pyronb-object={json.dumps(name)}]")
    expect(tab).to_be_visible()
    expect(tab.get_by_role("status").first).to_contain_text("reachable")
    return tab


def member(tab, name):
    return tab.locator(f"[data-pyronb-member={json.dumps(name)}]")


def test_attributes(lab):
    """Nothing is read by itself; then one is, and one again and again, with a plot; restored with the tab."""
    lab.open("tab.ipynb")
    tab = open_tab(lab)
    expect(tab).to_contain_text("as seen from")
    expect(tab.locator("[data-pyronb-field=told]")).to_contain_text("ago")
    assert tab.locator(".pyronb-Value").count() == 0
    lab.shoot_both("tab-1-object")

    rate = member(tab, "sample_rate")
    rate.get_by_role("button", name="Read sample_rate").click()
    expect(rate.locator(".pyronb-Value-text")).to_have_text(re.compile(r"[\d.e+]+"))
    with lab.saving("sample_rate"):
        rate.get_by_role("button", name="Pin sample_rate").click()
        expect(rate.locator("svg[role=img]")).to_be_visible(timeout=ms(20))
    lab.shoot_both("tab-2-values")

    lab.page.goto(lab.page.url.split("?")[0])
    lab.wait_until_up()
    lab.page.get_by_role("tab", name="scope").click()
    expect(rate.locator("svg[role=img]")).to_be_visible(timeout=ms(20))
    expect(rate.get_by_role("button", name="Pin sample_rate")).to_have_attribute("aria-pressed", "true")


def test_calls_become_cells(lab):
    """The form tells what it makes, complains of what is wrong, and runs nothing but what the user runs."""
    lab.open("form.ipynb")
    lab.wait_for_kernel()
    tab = open_tab(lab, "demo.store")
    put = member(tab, "put")
    put.get_by_role("button", name="Call put").click()
    key = put.get_by_label("key")
    expect(key).to_be_focused()
    key.fill("it's")
    put.get_by_label("value").fill("[1, 2")
    expect(put.get_by_role("alert")).to_contain_text("a bracket or a text is left open")
    expect(put.get_by_role("button", name="Insert", exact=True)).to_be_disabled()
    put.get_by_label("value").fill("[1, 2]")
    expect(put.locator(".pyronb-Code")).to_have_text(
        '%load_ext pyronb\n%pyro_connect demo.store as store\nstore.put("it\'s", [1, 2])'
    )
    lab.shoot_both("tab-3-form")
    put.get_by_role("button", name="Insert and run").click()
    lab.page.wait_for_function("() => jupyterapp.shell.currentWidget?.title.label === 'form.ipynb'")
    lab.expect_done(0)

    lab.page.get_by_role("tab", name="store").click()
    count = member(tab, "keys")
    count.get_by_role("button", name="Call keys").click()
    # The notebook is connected by now, and the call alone is left.
    count.get_by_role("button", name="Insert", exact=True).click()
    lab.page.wait_for_function("() => jupyterapp.shell.currentWidget?.title.label === 'form.ipynb'")
    assert [source for source in lab.sources() if source][-1] == "store.keys()"
    assert lab.counts()[-1] is None

    # Through the kernel, when the user says so.
    section = lab.panel.locator(".pyronb-Kernel")
    expect(section.locator("[data-pyronb-variable=store]")).to_be_visible()
    section.get_by_role("button", name="Open demo.store").click()
    expect(tab).to_be_visible()
    tab.get_by_label("as seen from").select_option("store")
    read = member(tab, "count")
    read.get_by_role("button", name="Read count").click()
    expect(read.locator(".pyronb-Value-text")).to_have_text(re.compile(r"\d+"))


def test_forms_of_code(lab, server):
    """A setting says how code is written."""
    lab.open("forms.ipynb")
    write_setting(server.folder, "pyronb-lab:plugin", '{"codeForm": "asyncio"}')
    lab.page.reload()
    lab.wait_until_up()
    lab.wait_for_kernel()
    lab.cell(0).click()
    lab.show_panel()
    lab.select("demo.host")
    lab.card.get_by_role("button", name="Insert and run").click()
    lab.expect_done(0)
    made = 'import pyronb.aio\n\nhost = pyronb.aio.Proxy("PYRONAME:demo.host")\nawait host._pyroBind()'
    assert lab.sources()[0] == made
    assert 0 <= float(lab.do("await host.cpu_percent()").inner_text()) <= 100


def take(lab, name):
    """Take a name out of the panel, and give the mouse that has it."""
    row, mouse = lab.row(name), lab.page.mouse
    row.hover(position={"x": 60, "y": 10})
    mouse.down()
    box = row.bounding_box()
    mouse.move(box["x"] + 90, box["y"] + 20, steps=5)
    expect(lab.page.locator(".pyronb-DragImage")).to_be_visible()
    return mouse


def test_drag(lab):
    """Into the notebook as a cell."""
    lab.open("drag.ipynb", "x = 1")
    lab.wait_for_kernel()
    lab.show_panel()
    mouse = take(lab, "demo.host")
    cell = lab.cell(0).bounding_box()
    mouse.move(cell["x"] + 100, cell["y"] + cell["height"] - 4, steps=10)
    expect(lab.page.locator(".jp-mod-dropTarget")).to_be_visible()
    lab.shoot("drag-1-over")
    mouse.up()
    lab.page.wait_for_function("() => jupyterapp.shell.currentWidget.model.cells.length === 2")
    assert any("%pyro_connect demo.host as host" in source for source in lab.sources())
    assert lab.counts() == [None, None]


@pytest.mark.parametrize("place", ["editor", "console"])
def test_drag_into_text(lab, place):
    """Into an editor, and a console, as text."""
    (lab.root / "notes.py").write_text("")
    lab.open()
    lab.show_panel()
    if place == "editor":
        lab.command("docmanager:open", path="notes.py", factory="Editor")
        target = lab.page.locator(".jp-FileEditor .cm-content")
    else:
        lab.command("console:create", kernelPreference={"name": "python3"})
        # What the kernel says first moves the place to type into.
        expect(lab.page.locator(".jp-CodeConsole-banner")).to_contain_text("IPython", timeout=ms(40))
        target = lab.page.locator(".jp-CodeConsole-input .cm-content")
    expect(target).to_be_visible(timeout=ms(30))
    mouse = take(lab, "demo.host")
    box = target.bounding_box()
    mouse.move(box["x"] + 40, box["y"] + 8, steps=10)
    expect(lab.page.locator(".jp-mod-dropTarget")).to_be_visible()
    mouse.up()
    expect(target).to_contain_text("%pyro_connect demo.host as host")


ATTACK = '<img src=x onerror="hacked=1">'


class Hostile:
    """<img src=x onerror="hacked=1">"""

    @expose
    def method(self, argument: str = ATTACK) -> str:
        """<img src=x onerror="hacked=1">"""
        return argument

    @expose
    @property
    def text(self) -> str:
        """<img src=x onerror="hacked=1">"""
        return ATTACK

    @expose
    @property
    def broken(self) -> str:
        """Never to be read."""
        raise ValueError(ATTACK)


def test_watching_a_hostile_object(lab, site):
    """Whatever an object says is text; what cannot be read says why."""
    with serving() as daemon:
        site.register("lab.hostile", daemon.register(Hostile()), ATTACK)
        lab.open()
        lab.show_panel()
        lab.select("lab.hostile")
        lab.command("pyronb:watch-object", name="lab.hostile")
        tab = lab.page.locator(".pyronb-Tab")
        expect(member(tab, "text").locator(".pyronb-Value-text")).to_contain_text(ATTACK, timeout=ms(20))
        expect(member(tab, "broken").locator(".pyronb-Value")).to_contain_text("ValueError: " + ATTACK)
        tab.get_by_role("button", name="Call method").click()
        expect(tab.get_by_label("argument")).to_have_value(ATTACK)
        assert lab.page.evaluate("() => typeof window.hacked") == "undefined"
        assert tab.locator("img").count() == 0
        lab.shoot_both("tab-4-hostile")
    # The object is gone, and the tab says so.
    expect(tab.get_by_role("alert")).to_contain_text("nothing listens there", timeout=ms(20))
    tab.get_by_role("button", name="Ask the object again").click()
    expect(tab.locator(".pyronb-Notice")).to_contain_text("The object cannot be reached", timeout=ms(20))
    # So does its card in the panel, and the row does not say otherwise.
    expect(lab.card.locator(".pyronb-Card-state")).to_contain_text("unreachable", timeout=ms(20))
    expect(lab.row("lab.hostile")).to_have_attribute("aria-description", "unreachable")
    lab.shoot_both("tab-5-gone")


def test_no_violations_that_axe_finds(lab):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    lab.open()
    tab = open_tab(lab)
    member(tab, "sample_rate").get_by_role("button", name="Pin sample_rate").click()
    expect(member(tab, "sample_rate").locator("svg[role=img]")).to_be_visible(timeout=ms(20))
    tab.get_by_role("button", name=re.compile("^Call ")).first.click()
    for theme in ("light", "dark"):
        lab.set_theme(theme)
        results = axe.run(lab.page, context=".pyronb-Tab", options={"resultTypes": ["violations"]})
        assert results.violations_count == 0, results.generate_report()
