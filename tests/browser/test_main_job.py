"""The main job: see what is there, look at an object, bring it into the notebook, call it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

import psutil
import pytest
from playwright.sync_api import expect

from tests.support.labpage import ms
from tests.support.programs import LOCAL


def nsc(site, *words):
    """Do as a user does in a terminal."""
    command = [sys.executable, "-m", "pyronb", "nsc", "-n", LOCAL, "-p", str(site.port), *words]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_from_a_name_to_a_result(lab, site, theme):
    lab.open("main.ipynb", theme=theme)
    lab.show_panel()
    lab.expect_names("demo.host", "demo.scope", "demo.store")
    expect(lab.state).to_have_text("connected")
    expect(lab.panel).to_contain_text(site.address)
    expect(lab.panel).to_contain_text(re.compile(r"updated \d+ s ago"))
    lab.wait_for_kernel()
    lab.shoot("main-1-names")

    nsc(site, "register", "lab.laser", "PYRO:laser@localhost:7766", "optics")
    expect(lab.row("lab.laser")).to_be_visible()
    expect(lab.row("lab.laser")).to_contain_text("optics")
    lab.shoot("main-2-a-new-name")
    nsc(site, "remove", "lab.laser")
    expect(lab.row("lab.laser")).to_have_count(0)
    lab.expect_names("demo.host", "demo.scope", "demo.store")

    card = lab.select("demo.host")
    expect(card).to_contain_text("reachable")
    methods = card.get_by_role("list", name=re.compile("Methods"))
    expect(methods).to_contain_text("cpu_percent(interval: float = 0.1) -> float")
    expect(methods).to_contain_text("processes(limit: int = 20")
    expect(methods.locator("[data-pyronb-member=memory] .pyronb-Doc")).to_be_visible()
    expect(card.get_by_role("list", name=re.compile("Attributes"))).to_contain_text("hostname")
    lab.shoot("main-3-object")

    lab.button("Insert").click()
    expect(lab.cell(0)).to_contain_text("%pyro_connect demo.host as host")
    assert lab.sources() == ["%load_ext pyronb\n%pyro_connect demo.host as host"]
    assert lab.active() == 0
    assert lab.counts() == [None]
    expect(lab.output(0)).to_have_count(0)
    lab.shoot("main-4-inserted")

    lab.page.keyboard.press("Shift+Enter")
    lab.expect_done(0)
    shown = lab.output(0).locator(".pyronb-card")
    expect(shown).to_be_visible()
    expect(shown).to_contain_text("demo.host")
    expect(shown).to_contain_text("cpu_percent(")
    lab.shoot("main-5-connected")

    percent = lab.do("host.cpu_percent()").inner_text()
    assert 0 <= float(percent) <= 100
    assert lab.do("host.hostname").inner_text() == repr(socket.gethostname())
    assert int(lab.do('int(host.memory()["total"])').inner_text()) == psutil.virtual_memory().total

    batch = "%%pyro_batch host\nfor n in range(3):\n    host.cpu_count()\nhost.processes(limit=-1)\nhost.memory()"
    table = lab.do(batch).get_by_role("table")
    expect(table.locator("tbody tr")).to_have_count(5)
    expect(table.locator("tbody tr").nth(0)).to_contain_text(str(psutil.cpu_count()))
    expect(table.locator("tbody tr").nth(3)).to_contain_text("ValueError")
    expect(table.locator("tbody tr").nth(4)).to_contain_text("not run")
    lab.cell(lab.active()).scroll_into_view_if_needed()
    lab.shoot("main-6-called")


def test_a_second_name_gets_a_variable_of_its_own(lab, site):
    site.register("other.host", "PYRO:nothing@localhost:1")
    lab.open("second.ipynb", "%load_ext pyronb", "%pyro_connect other.host as host", "1 + 1")
    lab.wait_for_kernel()
    lab.show_panel()
    lab.cell(2).click()
    lab.select("demo.host")
    lab.button("Insert").click()
    expect(lab.cell(3)).to_contain_text("demo.host")
    inserted = lab.sources()[3]
    assert "%load_ext" not in inserted
    assert re.fullmatch(r"%pyro_connect demo.host as (?!host\b)\w+", inserted)
    assert lab.active() == 3

    # The same object again is the same variable again.
    lab.button("Insert").click()
    lab.page.wait_for_function("() => jupyterapp.shell.currentWidget.model.cells.length === 5")
    assert lab.sources()[4] == inserted


def test_insert_and_run_while_the_kernel_starts(lab):
    lab.open("early.ipynb")
    lab.show_panel()
    lab.select("demo.scope")
    lab.button("Insert and run").click()
    lab.expect_done(0, 60)
    expect(lab.output(0).locator(".pyronb-card")).to_contain_text("demo.scope")
    assert lab.counts()[0] == 1
    assert "scope" in lab.do("scope.identity").inner_text().lower()


def test_copy_code_and_uri(lab, site):
    lab.open("copy.ipynb")
    lab.show_panel()
    lab.select("demo.store")
    lab.button("Copy code").click()
    expect(lab.page.get_by_text("Copied.")).to_be_visible()
    assert (
        lab.page.evaluate("() => navigator.clipboard.readText()")
        == "%load_ext pyronb\n%pyro_connect demo.store as store"
    )
    with site.names() as names:
        uri = str(names.lookup("demo.store"))
    lab.button("Copy URI").click()
    lab.page.wait_for_function("uri => navigator.clipboard.readText().then(text => text === uri)", arg=uri)


def test_no_notebook_is_open(lab):
    lab.open()
    lab.show_panel()
    lab.select("demo.host")
    lab.button("Insert").click()
    notice = lab.toast("No notebook is open")
    expect(lab.card).to_contain_text("reachable")
    # In one theme: the notification goes by itself after a while, which changing the theme may take.
    lab.shoot("no-notebook")
    notice.get_by_role("button", name="New notebook").click()
    expect(lab.notebook).to_be_visible(timeout=ms(20))
    expect(lab.cell(0)).to_contain_text("%pyro_connect demo.host as host")
    lab.wait_for_kernel()
