"""A site of our own, one JupyterLab that looks at it, one browser; for each test a page, a workspace and files."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError

import pytest

pytest.importorskip("jupyterlab")
pytest.importorskip("playwright")

from playwright.sync_api import expect, sync_playwright

from tests.support.chromium import ARGUMENTS, find_chromium
from tests.support.labpage import LabPage, ms
from tests.support.paths import BUNDLE, ROOT
from tests.support.programs import jupyter_folders, running
from tests.support.site import Site

SHOTS = ROOT / "tests" / "artifacts" / "browser"


@dataclass
class Server:
    """A running JupyterLab."""

    url: str
    token: str
    root: Path
    folder: Path

    def ask(self, path: str, method: str = "GET"):
        """Ask one of its REST APIs."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=ms(20) / 1000) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def end_sessions(self):
        """End all notebooks' kernels, those included that end by themselves meanwhile."""
        for session in self.ask("api/sessions"):
            try:
                self.ask(f"api/sessions/{session['id']}", "DELETE")
            except HTTPError as error:
                if error.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                    raise

    def forget_name_servers(self):
        """Have it know only the name servers of its configuration."""
        for known in self.ask("pyronb/api/nameservers")["nameservers"]:
            if known["origin"] == "added":
                self.ask(f"pyronb/api/nameservers?ns={known['address']}", "DELETE")


# Scope "package": a running Playwright is a running event loop, which the tests after these could not bear.


@pytest.fixture(scope="package")
def _site():
    site = Site()
    try:
        site.start()
        yield site
    finally:
        site.stop()


@pytest.fixture
def site(_site):
    """The name server and the demo objects, running, with no other names."""
    _site.restore()
    return _site


@pytest.fixture(scope="package")
def server(_site, tmp_path_factory):
    """A JupyterLab that looks at the site, as `pyronb lab` starts it."""
    if not (BUNDLE / "package.json").exists():
        pytest.skip("the lab extension is not built: `make bundle`")
    folder = tmp_path_factory.mktemp("jupyter")
    root = tmp_path_factory.mktemp("root")
    env = jupyter_folders(folder)
    words = ("--no-browser", "--port", "0", "--ns", _site.address, "--no-demo")
    with running("lab", ".", *words, cwd=root, env=env) as program:
        found = program.wait_for(r"JupyterLab +(http\S+)/lab\S*\?token=(\S+)", 60)
        yield Server(found[1], found[2], root, folder)


@pytest.fixture(scope="package")
def browser():
    """A browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def context(browser, server):
    """Windows that may use the clipboard, and share what they have fetched."""
    expect.set_options(timeout=ms(10))
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server.url)
    context.set_default_timeout(ms(15))
    yield context
    context.close()


@pytest.fixture(scope="package")
def shots():
    """The folder for pictures. Those of earlier runs stay until they are taken again, except those of failures."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for old in SHOTS.glob("failed-*"):
        old.unlink()
    return SHOTS


@pytest.fixture
def allowed_errors():
    """Patterns of what the page may complain about; tests that provoke complaints add theirs."""
    return []


@pytest.fixture
def lab(request, site, server, context, shots, allowed_errors):
    """A page of JupyterLab for this test alone; the test fails when the page complained."""
    workspace = re.sub(r"\W+", "-", request.node.name).strip("-")
    page = context.new_page()
    lab = LabPage(page, server.url, server.token, server.root, server.folder, shots, workspace)
    failures = request.session.testsfailed
    try:
        yield lab
        if request.session.testsfailed > failures:
            page.screenshot(path=shots / f"failed-{workspace}.png")
    finally:
        page.close()
        server.end_sessions()
        server.forget_name_servers()
        for file in server.root.iterdir():
            # What is being saved this moment may go by itself.
            shutil.rmtree(file, ignore_errors=True) if file.is_dir() else file.unlink(missing_ok=True)
    assert lab.unexpected(allowed_errors) == []
