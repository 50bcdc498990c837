"""The panel by itself: keyboard, hostile peers, failures, accessibility, restoration."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from pyronb.server.exposure import expose
from tests.support.labpage import ms
from tests.support.programs import LOCAL, free_port
from tests.support.serving import serving
from tests.support.site import web_server
from tests.support.waiting import scaled

ATTACK = '<img src=x onerror="hacked=1">'
OVERRIDE = "\u202egnp.evil"
LONG = "very-long-" * 20


class Hostile:
    """<img src=x onerror="hacked=1"> <script>hacked = 1</script> & more."""

    @expose
    def method(self):
        """<img src=x onerror="hacked=1"> is not an image."""

    @expose
    def method_with_an_extremely_long_name_that_will_not_fit_into_any_panel_of_this_world(self, argument: str = ATTACK):
        """None."""


Hostile.method_with_an_extremely_long_name_that_will_not_fit_into_any_panel_of_this_world.__doc__ = LONG


def expect_fits(lab):
    """Nothing in the panel is wider than the panel, and its sections do not scroll sideways."""
    wide = lab.panel.evaluate(
        """panel => {
            const edge = panel.getBoundingClientRect();
            return [...panel.querySelectorAll('button, .pyronb-Row, .pyronb-Notice, .pyronb-Card, .pyronb-Card *')]
                .filter(e => getComputedStyle(e).overflow !== 'hidden' && !e.closest('.pyronb-Row *'))
                .filter(e => e.getClientRects().length > 0 && !clipped(e))
                .filter(e => e.getBoundingClientRect().right > edge.right + 1)
                .map(e => e.outerHTML.slice(0, 200));
            function clipped(e) {
                for (let p = e.parentElement; p && p !== panel; p = p.parentElement) {
                    if (getComputedStyle(p).textOverflow === 'ellipsis') return true;
                }
                return false;
            }
        }"""
    )
    assert wide == []
    scrolls = lab.panel.evaluate(
        "p => [...p.querySelectorAll('.pyronb-Section, .pyronb-Tree')].map(e => e.scrollWidth - e.clientWidth)"
    )
    assert set(scrolls) <= {0}


def resize_panel(lab, width):
    """Drag the edge of the panel."""
    box = lab.panel.bounding_box()
    x, y = box["x"] + box["width"] + 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 20, y, steps=3)
    lab.page.mouse.move(box["x"] + width + 2, y, steps=5)
    lab.page.mouse.up()
    lab.page.wait_for_function(
        "width => Math.abs(document.querySelector('#pyronb-panel').clientWidth - width) < 5", arg=width
    )


def test_hostile_names_tags_and_docs_are_text(lab, site):
    with serving() as daemon:
        uri = daemon.register(Hostile())
        site.register(ATTACK, uri, ATTACK, "plain")
        site.register(f"deep.{LONG}.{LONG}", uri, LONG)
        site.register(OVERRIDE, uri, OVERRIDE)
        site.register("名前.измерение.🔬", uri, "タグ")
        lab.open()
        lab.show_panel()
        resize_panel(lab, 250)
        row = lab.panel.get_by_role("treeitem", name=ATTACK)
        expect(row).to_contain_text(ATTACK)
        row.click()
        expect(lab.card).to_contain_text("reachable")
        expect(lab.card).to_contain_text(f"{ATTACK} <script>hacked = 1</script> & more.")
        expect(lab.card.locator("[data-pyronb-member=method]")).to_contain_text(f"{ATTACK} is not an image.")
        expect_fits(lab)
        lab.shoot_both("hostile-1-attack")
        # Such a name cannot be written into a magic line, and the panel says so instead of inserting it.
        for name in (OVERRIDE, "名前.измерение.🔬", f"deep.{LONG}.{LONG}"):
            lab.panel.get_by_label("Search objects").fill(name[:40])
            lab.select(name)
            expect(lab.card.locator(".pyronb-Card-state")).to_contain_text("reachable")
            expect_fits(lab)
        lab.shoot_both("hostile-2-long")
        assert lab.page.evaluate("() => typeof window.hacked") == "undefined"
        assert lab.panel.locator("img, script").count() == 0


def test_keyboard_alone(lab):
    lab.open("keys.ipynb")
    lab.command("pyronb:open")
    search = lab.panel.get_by_role("searchbox", name="Search objects")
    expect(search).to_be_focused()
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    keyboard = lab.page.keyboard

    keyboard.type("sto")
    expect(lab.panel.get_by_text("1 of 4")).to_be_visible()
    expect(lab.row("demo.store")).to_be_visible()
    expect(lab.row("demo.host")).to_have_count(0)
    expect(lab.row("demo.store").locator(".pyronb-Row-label mark")).to_have_text("sto")
    lab.shoot_both("keyboard-1-search")
    keyboard.press("Escape")
    expect(search).to_have_value("")
    expect(lab.panel.get_by_text("4 names")).to_be_visible()

    keyboard.type("zebra")
    expect(lab.panel.get_by_text("Nothing matches “zebra”")).to_be_visible()
    lab.shoot("keyboard-2-nothing")
    keyboard.press("Escape")

    keyboard.press("ArrowDown")
    expect(lab.row("demo")).to_be_focused()
    keyboard.press("End")
    expect(lab.row("Pyro.NameServer")).to_be_focused()
    keyboard.press("Home")
    expect(lab.row("demo")).to_be_focused()
    keyboard.press("ArrowLeft")
    expect(lab.row("demo")).to_have_attribute("aria-expanded", "false")
    expect(lab.row("demo.host")).to_have_count(0)
    keyboard.press("ArrowRight")
    expect(lab.row("demo")).to_have_attribute("aria-expanded", "true")
    keyboard.press("ArrowRight")
    expect(lab.row("demo.host")).to_be_focused()
    keyboard.press("s")
    expect(lab.row("demo.scope")).to_be_focused()
    expect(lab.row("demo.scope")).to_have_attribute("aria-selected", "true")
    expect(lab.card).to_contain_text("reachable")
    lab.shoot_both("keyboard-3-tree")

    keyboard.press("/")
    expect(search).to_be_focused()
    expect(search).to_have_value("")
    keyboard.press("Enter")
    expect(lab.row("demo.scope")).to_be_focused()
    keyboard.press("Enter")
    expect(lab.cell(0)).to_contain_text("%pyro_connect demo.scope as scope")
    assert lab.counts() == [None]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_violations_that_axe_finds(lab, site, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    site.register("lab.gone", f"PYRO:gone@{LOCAL}:{free_port()}", "broken")
    lab.open(theme=theme)
    lab.show_panel()
    found = {}

    def look(moment):
        results = axe.run(lab.page, context="#pyronb-panel", options={"resultTypes": ["violations"]})
        if results.violations_count:
            found[moment] = results.generate_report()

    lab.expect_names("demo.host", "demo.scope", "demo.store", "lab.gone")
    look("names")
    expect(lab.select("demo.host")).to_contain_text("reachable")
    look("object")
    lab.panel.get_by_label("Search objects").fill("demo")
    expect(lab.row("demo.host").locator("mark")).to_have_count(1)
    look("search")
    lab.panel.get_by_label("Search objects").fill("nothing like that")
    expect(lab.panel.get_by_text("Nothing matches")).to_be_visible()
    look("no match")
    lab.panel.get_by_label("Search objects").fill("")
    expect(lab.select("lab.gone")).to_contain_text("The object cannot be reached")
    look("dead object")
    site.stop_names()
    expect(lab.state).to_have_text("unreachable")
    look("name server down")
    assert found == {}


def test_panel_is_there_again_after_a_reload(lab):
    lab.open("again.ipynb")
    with lab.saving("pyronb-panel"):
        lab.show_panel()
        lab.expect_names("demo.host", "demo.scope", "demo.store")
    lab.page.goto(lab.page.url.split("?")[0])
    lab.wait_until_up()
    expect(lab.panel).to_be_visible(timeout=ms(15))
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    expect(lab.state).to_have_text("connected")


def test_panel_moves_to_the_other_side(lab):
    lab.open("right.ipynb")
    lab.show_panel()
    lab.page.get_by_role("tab", name="Pyro objects").click(button="right")
    lab.page.get_by_role("menuitem", name="Switch Sidebar Side").click()
    other_side = lab.page.get_by_role("complementary", name="alternate sidebar")
    expect(other_side.get_by_role("tab", name="Pyro objects")).to_be_visible()
    lab.show_panel()
    assert lab.panel.bounding_box()["x"] > 600
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    lab.shoot("right-side")


def test_a_dead_object_and_a_web_server(lab, site):
    with web_server() as port:
        site.register("lab.gone", f"PYRO:gone@{LOCAL}:{free_port()}")
        site.register("lab.web", f"PYRO:web@{LOCAL}:{port}")
        lab.open()
        lab.show_panel()
        card = lab.select("lab.gone")
        expect(card.locator(".pyronb-Card-state")).to_contain_text("unreachable")
        expect(card).to_contain_text("The object cannot be reached")
        expect(card).to_contain_text("nothing listens there")
        expect(card).to_contain_text("Start the program that serves it")
        lab.shoot_both("object-dead")
        card = lab.select("lab.web")
        expect(card.locator(".pyronb-Card-state")).to_contain_text("wrong version")
        expect(card).to_contain_text("The object speaks another protocol")
        lab.shoot_both("object-web-server")
        expect_fits(lab)
        # The name server itself is none the worse.
        expect(lab.state).to_have_text("connected")


def test_the_name_server_goes_and_comes_back(lab, site):
    lab.open("down.ipynb")
    lab.wait_for_kernel()
    lab.show_panel()
    expect(lab.select("demo.host")).to_contain_text("reachable")
    lab.card.get_by_role("button", name="Insert and run").click()
    lab.expect_done(0)

    site.stop_names()
    began = time.monotonic()
    expect(lab.state).to_have_text("unreachable")
    lab.report("seconds until it was on view that the name server is away", round(time.monotonic() - began, 3))
    notice = lab.panel.locator(".pyronb-Names .pyronb-Notice")
    expect(notice).to_contain_text("The name server cannot be reached")
    expect(notice).to_contain_text(site.address)
    expect(notice).to_contain_text("is not running: nothing listens there")
    expect(notice).to_contain_text("pyronb ns")
    expect(notice).to_contain_text(re.compile(r"Next try in \d+ s|Trying"))
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    expect(lab.panel.get_by_role("tree")).to_have_class(re.compile("pyronb-mod-stale"))
    lab.shoot_both("down-1-panel")

    began = time.monotonic()
    said = lab.do("%pyro_connect demo.scope").inner_text()
    # At once; the rest is for a browser and a kernel on a busy machine.
    assert time.monotonic() - began < scaled(10)
    assert said.startswith("UsageError: ")
    assert len(said.strip().splitlines()) == 1
    assert site.address in said
    # Who is connected stays connected.
    assert 0 <= float(lab.do("host.cpu_percent()").inner_text()) <= 100

    site.stop_demo()
    failed = lab.do("host.cpu_percent()")
    expect(failed).to_contain_text("Error")
    lab.panel.get_by_role("button", name="Refresh").click()
    expect(lab.card).to_contain_text("not asked: no name server")
    expect(lab.card.locator(".pyronb-Notice")).to_have_count(0)
    lab.shoot_both("down-2-notebook")

    site.start()
    expect(lab.state).to_have_text("connected", timeout=ms(40))
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    expect(lab.panel.get_by_role("tree")).not_to_have_class(re.compile("pyronb-mod-stale"))
    expect(notice).to_have_count(0)
    expect(lab.card).to_contain_text("reachable", timeout=ms(20))
    expect(lab.do("%pyro_connect demo.host as host").locator(".pyronb-card")).to_contain_text("demo.host")
    assert 0 <= float(lab.do("host.cpu_percent()").inner_text()) <= 100
