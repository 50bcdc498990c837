"""In the notebook: completion and help for remote objects, the live view in a cell, the tutorial."""

from __future__ import annotations

import json
import shutil
import time

import pytest
from playwright.sync_api import expect

from tests.support.labpage import ms
from tests.support.paths import ROOT

TUTORIAL = ROOT / "notebooks" / "01-first-steps.ipynb"


def complete(lab, text):
    """Type into a new cell and press Tab; give the completer and the seconds until it showed."""
    lab.type_cell(text)
    began = time.monotonic()
    lab.page.keyboard.press("Tab")
    completer = lab.page.locator(".jp-Completer:not(.lm-mod-hidden)")
    expect(completer).to_be_visible(timeout=ms(10))
    return completer, time.monotonic() - began


def test_completion_and_help(lab, site):
    lab.open("complete.ipynb", "%load_ext pyronb\n%pyro_connect demo.host as host")
    lab.wait_for_kernel()
    lab.cell(0).click()
    lab.run_active()
    lab.expect_done(0)

    completer, _ = complete(lab, "host.")
    expect(completer.locator("li", has_text="host.cpu_percent")).to_be_visible()
    expect(completer.locator("li", has_text="host.hostname")).to_be_attached()
    lab.shoot_both("complete-1-tab")
    lab.page.keyboard.press("Escape")
    expect(completer).to_have_count(0)

    lab.page.keyboard.insert_text("processes(")
    lab.page.keyboard.press("Shift+Tab")
    tooltip = lab.page.locator(".jp-Tooltip")
    expect(tooltip).to_contain_text("limit")
    expect(tooltip).to_contain_text("sort_by")
    expect(tooltip).to_contain_text("Measure what the running processes use.")
    lab.shoot_both("complete-2-tooltip")
    lab.page.keyboard.press("Escape")
    expect(tooltip).to_have_count(0)
    shown = lab.do("host.processes?")
    expect(shown).to_contain_text("sort_by")
    expect(shown).to_contain_text("Measure what the running processes use.")

    site.stop_demo()
    completer, seconds = complete(lab, "host.")
    expect(completer.locator("li", has_text="host.cpu_percent")).to_be_visible()
    lab.report("seconds until completions were on view, with the object away", round(seconds, 3))


def test_live_view_in_a_cell(lab, site):
    busy = "import os, time\nend = time.time() + 600\nwhile time.time() < end and not os.path.exists('go'): pass"
    lab.open("widget.ipynb", "from pyronb.widgets import NameServerBrowser\nNameServerBrowser()", busy)
    lab.wait_for_kernel()
    lab.cell(0).click()
    lab.run_active()
    view = lab.cell(0).locator(".pyronb-browser")
    options = view.locator("select option")
    expect(view).to_be_visible(timeout=ms(20))
    expect(options).to_have_text(["Pyro.NameServer", "demo.host", "demo.scope", "demo.store"])
    lab.expect_done(0)

    lab.run_active()
    expect(lab.cell(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    site.register("lab.new", "PYRO:new@localhost:1", "fresh")
    expect(options.filter(has_text="lab.new")).to_have_count(1)
    expect(lab.cell(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    site.remove("lab.new")
    expect(options.filter(has_text="lab.new")).to_have_count(0)
    (lab.root / "go").touch()
    lab.expect_done(1)

    view.locator("select").select_option("demo.scope")
    expect(view).to_contain_text("waveform(")
    view.get_by_role("textbox").fill("store")
    expect(options).to_have_text(["demo.store"])
    view.get_by_role("textbox").fill("")
    expect(options).to_have_count(4)
    lab.cell(0).scroll_into_view_if_needed()
    lab.shoot_both("widget-1-browser")

    assert lab.threads("pyronb-names", most=1) == 1
    lab.cell(0).locator(".cm-content").click()
    lab.run_active()
    expect(lab.cell(0).locator(".jp-InputPrompt")).to_have_text("[4]:")
    expect(lab.cell(0).locator(".pyronb-browser")).to_have_count(1)
    expect(options).to_have_count(4)
    lab.cell(2).click()
    assert lab.threads("pyronb-names", most=1) == 1


@pytest.mark.skipif(not TUTORIAL.exists(), reason="the tutorial is not here")
def test_the_tutorial_runs(lab, shots):
    pytest.importorskip("matplotlib")
    for old in shots.glob("tutorial-*"):
        old.unlink()
    shutil.copyfile(TUTORIAL, lab.root / TUTORIAL.name)
    cells = json.loads(TUTORIAL.read_text(encoding="utf-8"))["cells"]
    may_fail = ["raises-exception" in cell["metadata"].get("tags", []) for cell in cells]
    lab.open(TUTORIAL.name)
    lab.wait_for_kernel()
    lab.page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
    lab.page.wait_for_function(
        """() => [...jupyterapp.shell.currentWidget.model.cells]
            .every(c => c.type !== 'code' || c.executionCount !== null)
            && jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'""",
        timeout=ms(90),
    )
    failed = [
        any(output["output_type"] == "error" or "UsageError" in str(output) for output in outputs)
        for outputs in lab.outputs()
    ]
    assert failed == may_fail
    shoot_slices(lab)


def shoot_slices(lab):
    """Keep pictures of the whole notebook, a screen at a time, in both themes."""
    lab.page.set_viewport_size({"width": 1100, "height": 1000})
    if lab.page.locator("#jp-left-stack").is_visible():
        lab.command("application:toggle-left-area")
    for theme in ("light", "dark"):
        lab.set_theme(theme)
        outer = lab.notebook.locator(".jp-WindowedPanel-outer")
        for number in range(1, 30):
            ended = outer.evaluate(
                """async (outer, number) => {
                    outer.scrollTop = (number - 1) * (outer.clientHeight - 60);
                    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
                    const last = jupyterapp.shell.currentWidget.model.cells.length - 1;
                    const cell = outer.querySelector(`[data-windowed-list-index="${last}"]`);
                    return cell?.getBoundingClientRect().bottom <= outer.getBoundingClientRect().bottom;
                }""",
                number,
            )
            lab.shoot(f"tutorial-{number:02}")
            if ended:
                break
