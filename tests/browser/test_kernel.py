"""What the panel shows of the kernel: what is open in it, and the calls that it makes."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import expect

import pyronb
from pyronb.server.exposure import expose
from tests.support.labpage import ms, notebook
from tests.support.serving import serving

ATTACK = '<img src=x onerror="hacked=1">'


class Work:
    """Something that is half done until the test lets it go on."""

    def __init__(self):
        self.goes_on = threading.Event()

    @expose
    def do(self):
        """Do it."""
        for step in pyronb.track(range(4)):
            if step == 2:
                self.goes_on.wait(600)


@pytest.fixture
def work(site):
    """The same, registered as lab.work."""
    work = Work()
    with serving() as daemon:
        site.register("lab.work", daemon.register(work))
        yield work
        work.goes_on.set()


def section(lab, title):
    """A section of the panel, unfolded."""
    heading = lab.panel.locator(".lm-AccordionPanel-title", has_text=title)
    if heading.get_attribute("aria-expanded") == "false":
        heading.click()
    widget = lab.panel.locator({"This notebook": ".pyronb-Kernel", "Calls": ".pyronb-Calls"}[title])
    expect(widget).to_be_visible()
    return widget


def test_this_notebook(lab, work):
    """From a kernel without pyronb to what is open in it, by one button."""
    lab.open("kernel.ipynb")
    lab.wait_for_kernel()
    lab.show_panel()
    here = section(lab, "This notebook")
    expect(here).to_contain_text("pyronb is not loaded in this kernel")
    lab.shoot_both("kernel-1-absent")
    here.get_by_role("button", name="Insert and run").click()
    lab.expect_done(0)
    assert lab.sources()[0] == "%load_ext pyronb"
    expect(here).to_contain_text("No variable holds a proxy.")

    lab.do("%pyro_connect demo.host as host demo.scope as scope")
    host = here.locator("[data-pyronb-variable=host]")
    expect(host).to_contain_text("connected")
    expect(host).to_contain_text("demo.host")
    lab.do(
        "import pyronb\nlater = pyronb.asyncproxy(host).cpu_percent()\njobs = [pyronb.FutureResult()]\nlater.result()"
    )
    expect(here.locator("[data-pyronb-future=later]")).to_contain_text("done")
    job = here.locator("[data-pyronb-future='jobs[0]']")
    expect(job).to_contain_text("pending")
    lab.do("class Lamp:\n    @pyronb.expose\n    def on(self): ...\n%pyro_serve Lamp() as kernel.lamp")
    expect(here.locator("[data-pyronb-served='kernel.lamp']")).to_contain_text("registered")
    lab.shoot_both("kernel-2-open")

    job.get_by_role("button", name="Cancel jobs[0]").click()
    expect(job).to_contain_text("cancelled")

    # How far a call is, and what is called from elsewhere; with room to see it.
    for title in ("Names", "Object"):
        lab.panel.locator(".lm-AccordionPanel-title", has_text=title).click()
    lab.do("%pyro_connect lab.work as work")
    lab.do("def hear(sample): pass\nhost.subscribe(hear, 0.2)\ntest = pyronb.asyncproxy(work).do()")
    test = here.locator("[data-pyronb-future=test]")
    expect(test.get_by_role("progressbar", name="Progress of test")).to_be_visible()
    expect(test).to_contain_text("2 of 4")
    expect(here.locator("[data-pyronb-callback]")).to_contain_text(re.compile(r"\d+ calls"), timeout=ms(20))
    lab.shoot_both("kernel-4-progress")
    work.goes_on.set()
    expect(test).to_contain_text("done")
    host.get_by_role("button", name="Close the connection of host").click()
    expect(host).to_contain_text("not connected")


def test_futures_stay_where_they_are_under_the_pointer(lab):
    """So that who cancels one after the other cancels no other."""
    lab.open("futures.ipynb", "%load_ext pyronb\nimport pyronb\na, b, c = (pyronb.FutureResult() for _ in range(3))")
    lab.wait_for_kernel()
    lab.notebook.click()
    lab.command("notebook:run-cell")
    lab.expect_done(0)
    lab.show_panel()
    here = section(lab, "This notebook")
    names = here.locator("[data-pyronb-future] .pyronb-Item-name")
    expect(names).to_have_text(["a", "b", "c"])
    here.get_by_role("button", name="Cancel a").click()
    expect(here.locator("[data-pyronb-future=a]")).to_contain_text("cancelled")
    expect(here).to_contain_text("2 of 3 outstanding")
    expect(names).to_have_text(["a", "b", "c"])
    lab.notebook.hover()
    expect(names).to_have_text(["b", "c", "a"])


def test_calls(lab):
    """Off, recording, a list that can be filtered, and all there is about one of them."""
    lab.open("calls.ipynb", "%load_ext pyronb\n%pyro_connect demo.host as host demo.store as store")
    lab.wait_for_kernel()
    lab.notebook.click()
    lab.command("notebook:run-cell")
    lab.expect_done(0)
    lab.show_panel()
    calls = section(lab, "Calls")
    expect(calls).to_contain_text("while it is off it costs nothing")
    calls.get_by_role("button", name="Record").click()
    expect(calls).to_contain_text("Recording.")
    lab.do("for n in range(10): host.cpu_percent()\nhost.memory()\nstore.put('a', 'x' * 5000)\nlist(store.keys())")
    lab.do(f"store.get({ATTACK!r})")
    rows = calls.locator(".pyronb-Call")
    expect(rows).to_have_count(14)
    lab.shoot_both("calls-1-list")

    filter_box = calls.get_by_role("searchbox", name="Filter calls")
    filter_box.fill("is:error")
    expect(rows).to_have_count(1)
    expect(calls.get_by_text("1 of 14")).to_be_visible()
    filter_box.press("Escape")
    expect(rows).to_have_count(14)

    last = rows.last.get_by_role("button").first
    last.press("Enter")
    expect(last).to_have_attribute("aria-expanded", "true")
    details = calls.get_by_role("group", name="Details of the call")
    expect(details).to_contain_text("KeyError")
    # Of what does not fit, the call itself stays on view, and the section is not moved.
    expect(last).to_be_in_viewport()
    assert calls.locator(".pyronb-CallLog").evaluate("log => log.scrollTop") == 0
    expect(details).to_contain_text("store.py")
    expect(details).to_contain_text(ATTACK)
    lab.shoot_both("calls-2-details")
    details.get_by_role("button", name="Copy as code").click()
    assert lab.page.evaluate("navigator.clipboard.readText()") == f"store.get({ATTACK!r})"
    last.press("ArrowUp")
    expect(rows.nth(12).get_by_role("button")).to_be_focused()
    with lab.page.expect_download() as download:
        calls.get_by_role("button", name="Export calls as JSON").click()
    exported = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert [made["method"] for made in exported[-3:]] == ["put", "keys", "get"]

    calls.get_by_role("button", name="Open below the notebook").click()
    below = lab.page.locator("#jp-down-stack .pyronb-Calls")
    expect(below.locator(".pyronb-Call")).to_have_count(14)
    below.locator(".pyronb-Call").nth(11).get_by_role("button").click()
    details = below.get_by_role("group", name="Details of the call")
    expect(details).to_contain_text("put(")
    expect(details.get_by_text("Began")).to_be_in_viewport()
    expect(below.locator(".pyronb-Call").nth(11).get_by_role("button").first).to_be_in_viewport(ratio=0.9)
    lab.shoot_both("calls-3-below")

    calls.get_by_role("button", name="Stop").click()
    expect(calls.get_by_role("button", name="Record")).to_be_visible()
    lab.do("host.memory()")
    expect(rows).to_have_count(14)
    calls.get_by_role("button", name="Forget all calls").click()
    expect(calls).to_contain_text("while it is off it costs nothing")
    assert lab.page.evaluate("() => typeof window.hacked") == "undefined"


def test_a_busy_kernel_a_restart_and_other_notebooks(lab):
    """What is shown belongs to the notebook on view, at this moment."""
    lab.open("busy.ipynb", "%load_ext pyronb\n%pyro_connect demo.host as host")
    (lab.root / "other.ipynb").write_text(notebook("1"))
    lab.wait_for_kernel()
    lab.notebook.click()
    lab.command("notebook:run-cell")
    lab.expect_done(0)
    lab.show_panel()
    here = section(lab, "This notebook")
    expect(here.locator("[data-pyronb-variable=host]")).to_be_visible()

    # While the cell runs it changes what is there, and the future is cancelled; that ends it.
    lab.type_cell("import pyronb, time\njob = pyronb.FutureResult()\nwhile not job.cancelled(): time.sleep(0.01)")
    lab.run_active()
    job = here.locator("[data-pyronb-future=job]")
    expect(job).to_contain_text("pending")
    expect(here).to_contain_text(re.compile(r"busy\s*as of \d+ s ago"))
    lab.shoot("kernel-3-busy")
    job.get_by_role("button", name="Cancel job").click()
    expect(job).to_contain_text("cancelled")
    lab.expect_done(1)

    lab.command("docmanager:open", path="other.ipynb")
    lab.wait_for_kernel()
    expect(here).to_contain_text("pyronb is not loaded in this kernel")
    lab.command("docmanager:open", path="busy.ipynb")
    expect(here.locator("[data-pyronb-variable=host]")).to_be_visible()
    lab.page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect(here).to_contain_text("pyronb is not loaded in this kernel", timeout=ms(30))
    lab.command("docmanager:save-all")
    lab.command("application:close-all")
    expect(here).to_contain_text("No notebook is on view")
    here.get_by_role("button", name="New notebook").click()
    expect(here).to_contain_text("pyronb is not loaded in this kernel", timeout=ms(30))


def test_no_violations_that_axe_finds(lab):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    lab.open("axe.ipynb", "%load_ext pyronb\n%pyro_calls on\n%pyro_connect demo.host as host\nhost.memory()")
    found = {}

    def look(moment):
        results = axe.run(lab.page, context="#pyronb-panel", options={"resultTypes": ["violations"]})
        if results.violations_count:
            found[moment] = results.generate_report()

    lab.wait_for_kernel()
    lab.show_panel()
    here = section(lab, "This notebook")
    expect(here).to_contain_text("pyronb is not loaded")
    look("absent")
    lab.notebook.click()
    lab.command("notebook:run-cell")
    lab.expect_done(0)
    expect(here.locator("[data-pyronb-variable=host]")).to_be_visible()
    calls = section(lab, "Calls")
    calls.locator(".pyronb-Call button").first.click()
    expect(calls.get_by_role("group", name="Details of the call")).to_contain_text("Result")
    for theme in ("light", "dark"):
        lab.set_theme(theme)
        look(theme)
    assert found == {}
