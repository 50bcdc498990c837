"""A page of JupyterLab as a user has it: the panel, the notebook, its cells. Every wait has a condition."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

from tests.support.programs import settings_folder, write_setting
from tests.support.waiting import eventually, scaled

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
THEMES = {"light": LIGHT, "dark": DARK, "contrast": "JupyterLab Dark High Contrast"}

KERNEL_IDLE = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    if (!panel?.sessionContext) return false;
    await panel.sessionContext.ready;
    return panel.sessionContext.session?.kernel?.status === 'idle';
}"""

# Cells far from the view have no element; their index is on those that do.
CELL = '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook .jp-Cell[data-windowed-list-index="{}"]'

# The files of which JupyterLab and Notebook 7 consist; the names of ours, and of our parts, have `pyronb` in them.
LAB_ITSELF = re.compile(r"/static/(lab|notebook)/")


def ms(seconds: float) -> float:
    """Give this time as Playwright wants it: in milliseconds, scaled."""
    return scaled(seconds) * 1000


def notebook(*sources: str, kernel: str = "python3") -> str:
    """Give the text of a notebook file with these code cells."""
    cells = [
        {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "execution_count": None, "outputs": [], "source": text}
        for n, text in enumerate(sources or [""])
    ]
    spec = {"name": kernel, "display_name": "Python 3 (ipykernel)", "language": "python"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5})


class LabPage:
    """One page.

    Attributes:
        page: Playwright's page.
        panel: the panel "Pyro objects".
        errors: what the page complained about in its console, and exceptions that nobody caught.
    """

    def __init__(self, page: Page, url: str, token: str, root: Path, folder: Path, shots: Path, workspace: str) -> None:
        self.page = page
        self.root = root
        self.errors: list[str] = []
        self._url, self._token = url, token
        self._folder = folder
        self._shots = shots
        self._workspace = workspace
        self.theme = "light"
        self.panel = page.locator("#pyronb-panel")
        # So that what our part has to do with an exception is seen, however deep in Lab it was raised.
        page.add_init_script("Error.stackTraceLimit = 200")
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.errors.append(f"uncaught: {error.stack or error}"))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    # Pages and looks

    def open(self, file: str = "", *sources: str, theme: str = "light") -> None:
        """Open Lab, with a new notebook file of these cells if one is named, and wait until it can be used."""
        self.theme = theme
        shutil.rmtree(settings_folder(self._folder), ignore_errors=True)
        setting = json.dumps({"theme": THEMES[theme], "adaptive-theme": False})
        write_setting(self._folder, "@jupyterlab/apputils-extension:themes", setting)
        write_setting(
            self._folder,
            "@jupyterlab/apputils-extension:notification",
            '{"fetchNews": "false", "checkForUpdates": false}',
        )
        # Lab gives a kernel a second to tell how a word goes on, and then shows nothing.
        write_setting(self._folder, "@jupyterlab/completer-extension:manager", f'{{"providerTimeout": {ms(10)}}}')
        if file and not (self.root / file).exists():
            (self.root / file).write_text(notebook(*sources))
        tree = f"/tree/{file}" if file else ""
        self.page.goto(f"{self._url}/lab/workspaces/{self._workspace}{tree}?token={self._token}&reset")
        self.wait_until_up()
        expect(self.notebook if file else self.page.locator(".jp-Launcher")).to_be_visible(timeout=ms(20))

    def wait_until_up(self) -> None:
        """Wait until Lab has come up."""
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=ms(40))
        self.page.wait_for_function("() => window.jupyterapp !== undefined", timeout=ms(20))

    def reload(self, remembered: str = "") -> None:
        """Have the page come up anew, in the same workspace, once that was saved with this JSON, less its blanks."""
        if remembered:
            headers = {"Authorization": f"token {self._token}"}
            saved = f"{self._url}/lab/api/workspaces/{self._workspace}"
            eventually(lambda: remembered in re.sub(r"\s", "", self.page.request.get(saved, headers=headers).text()))
        self.page.goto(self.page.url.split("?")[0])
        self.wait_until_up()

    def saving(self, text: str) -> AbstractContextManager[Any]:
        """Wait at the end of the block until the workspace has been saved with this text in it."""
        return self.page.expect_response(
            lambda response: (
                response.request.method == "PUT"
                and "/workspaces" in response.url
                and text in (response.request.post_data or "")
            )
        )

    def command(self, name: str, /, **args: Any) -> None:
        """Execute a command of Lab and wait until it is done."""
        self.page.evaluate("async ([name, args]) => { await jupyterapp.commands.execute(name, args); }", [name, args])

    def set_theme(self, theme: str) -> None:
        """Change the theme, and wait until it is in force."""
        self.command("apputils:change-theme", theme=THEMES[theme])
        light = "true" if theme == "light" else "false"
        expect(self.page.locator("body")).to_have_attribute("data-jp-theme-light", light, timeout=ms(10))
        # Lab shows its splash while it changes the theme, and trips over itself when that comes again too soon.
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0, timeout=ms(10))
        self.theme = theme

    def shoot(self, step: str, target: Locator | None = None) -> None:
        """Keep a picture of the page, or of a part of it, under the step's name and the theme's."""
        path = self._shots / f"{step}.{self.theme}.png"
        (target or self.page).screenshot(path=path)

    def shoot_both(self, step: str, target: Locator | None = None) -> None:
        """Keep a picture in this theme, and one in the other."""
        before = self.theme
        self.shoot(step, target)
        self.set_theme("dark" if before == "light" else "light")
        self.shoot(step, target)
        self.set_theme(before)

    # The panel

    def toast(self, text: str) -> Locator:
        """The notification that says this, once it is in its place."""
        toast = self.page.locator(".Toastify__toast", has_text=text)
        expect(toast).to_be_visible()
        toast.evaluate("async toast => { await Promise.all(toast.getAnimations().map(moving => moving.finished)); }")
        return toast

    def show_panel(self) -> None:
        """Open the panel from the sidebar, unless it is open."""
        if not self.panel.is_visible():
            self.page.get_by_role("tab", name="Pyro objects").click()
        expect(self.panel).to_be_visible()

    def look_at(self, address: str, *, wait: bool = True) -> None:
        """Go over to this name server, which is added if need be."""
        header = self.panel.locator(".pyronb-Header-address")
        header.click()
        expect(self.panel.get_by_label("Address of a name server")).to_be_visible()
        there = self.panel.locator(".pyronb-NameServers-choice", has_text=address)
        if there.count():
            there.first.click()
        else:
            self.panel.get_by_label("Address of a name server").fill(address)
            self.page.keyboard.press("Enter")
        expect(header).to_have_text(address)
        if wait:
            expect(self.state).not_to_have_text("connecting")

    def report(self, what: str, figure: Any) -> None:
        """Keep a figure that was measured, beside the pictures."""
        with (self._shots / "figures.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({what: figure}) + "\n")

    def row(self, path: str) -> Locator:
        """The line of the tree of this name or group."""
        return self.panel.locator(f"[role=treeitem][data-pyronb-path={json.dumps(path, ensure_ascii=False)}]")

    def expect_names(self, *names: str) -> None:
        """Wait until exactly these names are listed, and that of the name server itself."""
        rows = self.panel.locator("[role=treeitem][data-pyronb-name]")
        listed = sorted([*names, "Pyro.NameServer"])
        read = "rows => rows.map(row => row.dataset.pyronbName).sort()"
        eventually(lambda: rows.evaluate_all(read) == listed, 15, what=f"exactly {', '.join(listed)} in the panel")

    def select(self, name: str) -> Locator:
        """Click a name, and give the card of its object."""
        self.row(name).click()
        card = self.card
        expect(card).to_have_attribute("data-pyronb-object", name)
        return card

    @property
    def card(self) -> Locator:
        """What the panel shows about the selected object."""
        return self.panel.get_by_role("article")

    @property
    def state(self) -> Locator:
        """The word for the state of the name server."""
        return self.panel.locator(".pyronb-Header-state")

    def button(self, name: str) -> Locator:
        """A button of the panel."""
        return self.panel.get_by_role("button", name=name, exact=True)

    # The notebook

    @property
    def notebook(self) -> Locator:
        """The notebook on view."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook")

    def wait_for_kernel(self) -> None:
        """Wait until the kernel of the notebook is there and has nothing to do."""
        self.page.wait_for_function(KERNEL_IDLE, timeout=ms(40))

    def sources(self) -> list[str]:
        """The texts of all cells."""
        return self.page.evaluate(
            "() => [...jupyterapp.shell.currentWidget.model.cells].map(c => c.sharedModel.getSource())"
        )

    def active(self) -> int:
        """The index of the active cell."""
        return self.page.evaluate("() => jupyterapp.shell.currentWidget.content.activeCellIndex")

    def counts(self) -> list[int | None]:
        """The execution counts of all cells; None for one that was not run."""
        return self.page.evaluate(
            "() => [...jupyterapp.shell.currentWidget.model.cells].map(c => c.sharedModel.execution_count ?? null)"
        )

    def cell(self, index: int) -> Locator:
        """The cell of this index; it must be near the view."""
        return self.page.locator(CELL.format(index))

    def output(self, index: int) -> Locator:
        """The outputs of a cell, one match for each."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def expect_done(self, index: int, timeout: float = 30.0) -> None:
        """Wait until a cell has been run to its end."""
        prompt = self.cell(index).locator(".jp-InputPrompt")
        expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=ms(timeout))

    def type_cell(self, source: str) -> int:
        """Type into the active cell if that is empty, else into a new one below it; give its index."""
        index = self.active()
        if self.sources()[index].strip():
            self.command("notebook:insert-cell-below")
            index += 1
        editor = self.cell(index).locator(".cm-content")
        editor.click()
        expect(editor).to_be_focused()
        self.page.keyboard.insert_text(source)
        self.page.wait_for_function(
            "([index, text]) => jupyterapp.shell.currentWidget.model.cells.get(index).sharedModel.getSource() === text",
            arg=[index, source],
        )
        return index

    def run_active(self) -> int:
        """Run the active cell as Shift-Enter does; give its index at once."""
        index = self.active()
        self.page.keyboard.press("Shift+Enter")
        return index

    def do(self, source: str, timeout: float = 30.0) -> Locator:
        """Type a cell, run it to its end, and give its outputs."""
        index = self.type_cell(source)
        self.run_active()
        self.expect_done(index, timeout)
        return self.output(index)

    def threads(self, *names: str, most: int) -> int:
        """Count the kernel's threads of these names, once there are no more than so many: they end in their time."""
        count = f"sum(t.name in {names!r} for t in threading.enumerate())"
        wait = f"while {count} > {most} and time.monotonic() < end: time.sleep(0.01)"
        begin = f"import threading, time\nend = time.monotonic() + {scaled(20)}"
        return int(self.do(f"{begin}\n{wait}\n{count}").inner_text())

    def outputs(self) -> list[list[dict[str, Any]]]:
        """What all cells have put out, as in the file."""
        return self.page.evaluate(
            "() => [...jupyterapp.shell.currentWidget.model.cells].map(c => c.toJSON().outputs ?? [])"
        )

    def unexpected(self, allowed: Iterable[str]) -> list[str]:
        """The complaints of the page that match none of these patterns; those of Lab about itself are only reported."""
        found = []
        for error in self.errors:
            if LAB_ITSELF.search(error) and "pyronb" not in error:
                self.report("complained about itself", error)
            elif not any(re.search(pattern, error) for pattern in allowed):
                found.append(error)
        return found
