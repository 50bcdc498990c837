"""The live views in a notebook: while a cell is busy, under a flood, run again, reopened, in both themes."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Error, expect

from tests.support.labpage import ms
from tests.support.waiting import eventually

SERVER = """
import os, threading, time
import pyronb
from pyronb.widgets import *

@pyronb.expose
class Bench:
    '''A bench to try things on.

    With <b>more</b> below.'''

    def __init__(self):
        self.callbacks, self.reads, self.gate = [], 0, threading.Event()

    def measure(self, channel: int, gain: float = 1.5, label: str = "a", raw: bool = False, options=None) -> dict:
        '''Measure one channel.

        The gain is a factor.'''
        return {"channel": channel, "gain": gain, "label": label, "raw": raw, "options": options}

    def fail(self, text="<img src=x onerror=alert(1)>"):
        '''Fail.'''
        raise ValueError(text)

    def work(self, hurry: str, steps: int = 1000) -> str:
        '''Work in steps, slowly until there is a file of this name.'''
        for step in pyronb.track(range(steps), message="<b>stirring</b>"):
            if not os.path.exists(hurry):
                time.sleep(0.05)
        return "stirred"

    def wait(self, seconds: float = 600.0):
        self.gate.wait(seconds)
        return "opened"

    def subscribe(self, callback):
        self.callbacks.append(callback)

    def emit(self, value):
        for callback in self.callbacks:
            with callback:
                callback(value, time.time())

    @property
    def level(self) -> float:
        '''How high it is.'''
        self.reads += 1
        return self.reads / 10

bench = Bench()
daemon = pyronb.Daemon(host="127.0.0.1")
far = pyronb.Proxy(daemon.register(bench, "bench"))
threading.Thread(target=daemon.requestLoop, daemon=True).start()
far._pyroBind()
"""
BUSY = """import os, time
end = time.time() + 600
while time.time() < end and not os.path.exists({flag!r}): pass"""


@pytest.fixture
def bench(lab):
    """A notebook whose kernel serves a bench, and knows it as `far`."""
    lab.open("views.ipynb", SERVER)
    lab.wait_for_kernel()
    if lab.page.locator("#jp-left-stack").is_visible():
        lab.command("application:toggle-left-area")
    lab.cell(0).click()
    lab.run_active()
    lab.expect_done(0)
    return lab


def show(lab, source, kind):
    """Run a cell that shows a view; give the view."""
    lab.do(source)
    view = lab.notebook.locator(f".pyronb-live-{kind}").last
    expect(view).to_be_visible(timeout=ms(20))
    return view


def start_busy(lab, flag):
    """Run a cell that does not end before this file is there; give what ends it and waits for that."""
    index = lab.type_cell(BUSY.format(flag=flag))
    lab.run_active()
    prompt = lab.cell(index).locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:")

    def end():
        expect(prompt).to_have_text("[*]:")
        (lab.root / flag).touch()
        lab.expect_done(index)

    return end


def cut_off(view):
    """What of the view's parts is wider than its place, and cannot be scrolled."""
    return view.evaluate(
        """view => [...view.querySelectorAll('button, .widget-html-content > *, select, input')]
            .filter(part => part.offsetParent && part.getBoundingClientRect().right
                > view.closest('.jp-OutputArea-output').getBoundingClientRect().right + 1)
            .map(part => part.outerHTML.slice(0, 100))"""
    )


def test_calls_on_a_board(bench):
    lab = bench
    view = show(lab, "board = FutureBoard(); board", "futures")
    lab.do(
        "ours = [board.call(far.measure, 1), board.call(far.fail), board.call(far.wait)]\n"
        "ours.append(board.add(pyronb.FutureResult(), 'a <b>pending</b> one'))"
    )
    rows = view.locator(".pyronb-row")
    expect(rows).to_have_count(4)
    expect(view).to_contain_text("1 pending · 1 running · 1 done · 1 failed")

    end = start_busy(lab, "board")
    running = rows.filter(has_text="bench.wait()")
    clock = running.locator(".pyronb-time")
    before = clock.inner_text()
    expect(clock).not_to_have_text(before)
    end()

    failed = rows.filter(has_text="ValueError")
    expect(failed.locator("pre")).to_be_hidden()
    failed.locator("summary").click()
    expect(failed.locator("pre")).to_contain_text("in fail")
    expect(view.locator("img")).to_have_count(0)
    pending = rows.filter(has_text="a <b>pending</b> one")
    pending.get_by_role("button", name="Cancel").click()
    expect(pending).to_contain_text("cancelled")
    running.get_by_role("button", name="Cancel").click()
    expect(running).to_contain_text("the far side was told to stop")
    view.scroll_into_view_if_needed()
    lab.shoot_both("views-1-board")
    assert cut_off(view) == []
    lab.do("bench.gate.set()")
    expect(running).to_contain_text("opened")
    running.get_by_role("button", name="Retry").click()
    expect(running).to_contain_text("attempt 2")
    expect(running).to_contain_text("done")
    view.get_by_role("button", name="Clear finished").click()
    expect(rows).to_have_count(0)

    one = show(lab, "FutureView(board.call(far.measure, 2), 'far.measure(2)')", "futures")
    expect(one).to_contain_text("done")
    one.scroll_into_view_if_needed()
    lab.shoot("views-2-future")


def test_a_bar_moves_while_a_call_is_waited_for(bench):
    """The cell is busy, and shows how far the call is; what is left of it stays."""
    bench.do("%load_ext pyronb")
    index = bench.type_cell("far.work('hurry')")
    bench.run_active()
    bar = bench.cell(index).locator(".pyronb-waiting progress")
    expect(bar).to_be_visible(timeout=ms(20))
    expect(bench.cell(index).locator(".jp-InputPrompt")).to_have_text("[*]:")
    first = float(bar.get_attribute("value"))
    expect(bar).not_to_have_attribute("value", f"{first:.4f}")
    bench.shoot_both("bar-moving", bench.cell(index))
    expect(bench.cell(index).locator(".jp-InputPrompt")).to_have_text("[*]:")
    (bench.root / "hurry").touch()
    bench.expect_done(index)

    expect(bar).to_have_attribute("value", "1.0000")
    shown = bench.cell(index).locator(".pyronb-waiting")
    expect(shown).to_contain_text("1,000 of 1,000")
    expect(shown).to_contain_text("<b>stirring</b>")
    expect(bench.output(index).last).to_have_text("'stirred'")
    bench.shoot_both("bar-over", bench.cell(index))


def test_callbacks_in_a_flood(bench):
    lab = bench
    view = show(lab, "feed = CallbackFeed(limit=500); far.subscribe(feed); feed", "callbacks")
    expect(view).to_contain_text("Nothing came in yet.")
    lab.do("for n in range(3): far.emit({'sample': n, 'text': '<img src=x onerror=alert(1)>'})")
    expect(view).to_contain_text("3 calls")
    expect(view.locator("tbody tr")).to_have_count(3)
    expect(view.locator("img")).to_have_count(0)

    lab.do(
        "def flood():\n    for n in range(20000): feed(n, 'flood')\n    far.emit('the last')\n"
        "thread = threading.Thread(target=flood)"
    )
    index = lab.type_cell("thread.start()\n" + BUSY.format(flag="flood"))
    lab.run_active()
    expect(view.locator("tbody tr").first).to_contain_text("the last", timeout=ms(30))
    expect(lab.cell(index).locator(".jp-InputPrompt")).to_have_text("[*]:")
    (lab.root / "flood").touch()
    lab.expect_done(index)
    expect(view).to_contain_text("20004 calls")
    expect(view).to_contain_text("19504 dropped")
    expect(view.locator("tbody tr")).to_have_count(100)
    view.get_by_role("button", name="Pause").click()
    expect(view.get_by_role("button", name="Go on")).to_be_visible()
    lab.do("for n in range(2): far.emit(n)")
    expect(view).to_contain_text("paused, 2 new")
    view.get_by_role("textbox").fill("last")
    expect(view.locator("tbody tr")).to_have_count(1)
    expect(view).to_contain_text("1 of 500 match")
    view.scroll_into_view_if_needed()
    lab.shoot_both("views-3-callbacks")
    assert cut_off(view) == []
    view.get_by_role("textbox").fill("")
    view.get_by_role("button", name="Clear").click()
    view.get_by_role("button", name="Go on").click()
    expect(view).to_contain_text("Nothing came in yet.")
    lab.do("feed.close()")
    expect(view).to_have_count(0)


def test_an_object(bench):
    lab = bench
    view = show(lab, "view = ObjectView(far, interval=0.2); view", "object")
    cell = lab.active() - 1
    expect(view).to_contain_text("A bench to try things on.")
    members = view.locator("select")
    members.select_option("measure()")
    expect(view).to_contain_text("The gain is a factor.")
    view.locator("input[type=number]").first.fill("3")
    view.locator("input[type=number]").first.press("Tab")
    view.get_by_role("checkbox").check()
    expect(view).to_contain_text("far.measure(3, raw=True)")
    view.get_by_role("button", name="Call").click()
    expect(view.locator("pre")).to_contain_text("'channel': 3, 'gain': 1.5, 'label': 'a', 'raw': True, 'options': None")
    view.scroll_into_view_if_needed()
    lab.shoot_both("views-4-object")
    assert cut_off(view) == []

    members.select_option("fail()")
    expect(view).to_contain_text("far.fail()")
    view.get_by_role("button", name="Call").click()
    view.locator("summary").filter(has_text="ValueError").click()
    expect(view.locator("pre")).to_contain_text("in fail")
    expect(view.locator("img")).to_have_count(0)
    members.select_option("level")
    expect(view).to_contain_text("How high it is.")
    view.get_by_role("button", name="Read").click()
    expect(view.locator("pre")).to_be_visible()
    view.get_by_role("button", name="Pin").click()
    pinned = view.locator("tbody tr").filter(has_text="level")
    expect(pinned).to_be_visible()
    end = start_busy(lab, "object")
    before = pinned.text_content()
    expect(pinned).not_to_have_text(before)
    end()
    view.scroll_into_view_if_needed()
    lab.shoot_both("views-5-attribute")

    assert lab.threads("pyronb-errands", "pyronb-view", most=3) == 3
    count = lab.counts()[cell]
    lab.cell(cell).locator(".cm-content").click()
    lab.run_active()
    expect(lab.cell(cell).locator(".jp-InputPrompt")).not_to_have_text(f"[{count}]:")
    lab.expect_done(cell)
    expect(lab.cell(cell).locator(".pyronb-live-object")).to_have_count(1)
    lab.cell(cell + 2).click()
    assert lab.threads("pyronb-errands", "pyronb-view", most=1) == 1


def test_a_plot(bench):
    lab = bench
    view = show(lab, "plot = AttributePlot(far, 'level', interval=0.05); plot", "plot")
    curve = view.locator("polyline")
    end = start_busy(lab, "plot")
    expect(view).to_contain_text(re.compile(r"\d{2,} numbers"), timeout=ms(30))
    end()
    expect(curve).to_be_visible()
    view.get_by_role("button", name="Pause").click()
    expect(view).to_contain_text("paused")
    view.scroll_into_view_if_needed()
    lab.shoot_both("views-6-plot")
    assert cut_off(view) == []
    other = show(lab, "waves = AttributePlot(); far.subscribe(waves); waves", "plot")
    expect(other).to_contain_text("No numbers yet.")
    lab.do("import math\nfor n in range(60): far.emit(math.sin(n / 5))")
    expect(other).to_contain_text("60 numbers")


def at_the_end(lab):
    """Scroll to the last cell; not yet done when the notebook draws its cells anew meanwhile."""
    try:
        lab.notebook.locator(".jp-Cell").last.scroll_into_view_if_needed()
    except Error:
        return False
    return True


def test_a_saved_notebook_says_that_it_is_not_connected(bench, allowed_errors):
    """What was seen last stays in sight, in Lab without the kernel and in all that show notebooks without one."""
    allowed_errors.append("widget model not found")
    lab = bench
    views = (
        ("NameServerBrowser()", ".pyronb-browser"),
        ("FutureView(far._pyroAsync().measure(1))", ".pyronb-live-futures"),
        ("CallbackFeed()", ".pyronb-live-callbacks"),
        ("ObjectView(far)", ".pyronb-live-object"),
        ("AttributePlot(far, 'level')", ".pyronb-live-plot"),
    )
    for source, place in views:
        lab.do(source)
        expect(lab.notebook.locator(place)).to_be_visible()
    lab.command("docmanager:save")
    shown = [output["data"] for outputs in lab.outputs() for output in outputs if "text/html" in output["data"]]
    assert len(shown) == len(views)
    for data in shown:
        assert "not connected" in "".join(data["text/html"])
        assert "".join(data["text/plain"])

    lab.command("kernelmenu:shutdown")
    lab.open("views.ipynb")
    eventually(lambda: at_the_end(lab))
    pictures = lab.notebook.get_by_text("not connected").filter(visible=True)
    expect(pictures).to_have_count(len(views), timeout=ms(20))
    expect(lab.notebook.get_by_text("Error displaying widget")).not_to_be_visible()
    expect(lab.notebook).to_contain_text("demo.host")
    lab.shoot_both("views-7-reopened")
