"""The pages of the gateway in a real browser: they work without scripts, are readable by day and night, and to all."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from pyronb.server.exposure import expose
from tests.support.labpage import ms
from tests.support.programs import running
from tests.support.serving import LOCAL, naming, serving

pytestmark = pytest.mark.timeout(120)


@expose
class Pump:
    """A pump of the lab."""

    def run(self, seconds: float, speed: int = 3) -> str:
        """Run for some time."""
        return f"ran {seconds!r} s at {speed!r}"

    def items(self):
        """Give three numbers."""
        yield from range(3)

    @property
    def pressure(self) -> float:
        """In bar."""
        return 1.25


@pytest.fixture(scope="module")
def pages():
    """Start gateways, each until the module's end; gives the address of its index."""
    with ExitStack() as stack:
        names = stack.enter_context(naming())
        daemon = stack.enter_context(serving())
        names.nameserver.register("http.pump", daemon.register(Pump()), metadata=["class:Pump"])
        names.nameserver.register("http.<b>bold</b>", daemon.register(Pump()))

        def start(**env):
            words = ("-H", LOCAL, "-p", "0", "--ns", f"{LOCAL}:{names.uri.port}")
            program = stack.enter_context(running("gateway", *words, env=env))
            return program.wait_for(r"^(http://\S+); Ctrl-C stops it$")[1]

        yield start


@pytest.fixture(scope="module")
def index(pages):
    return pages()


@pytest.fixture
def open_page(browser):
    """Open pages in a browser of this look, with or without scripts."""

    @contextmanager
    def opened(url, **look):
        context = browser.new_context(viewport={"width": 1000, "height": 900}, **look)
        context.set_default_timeout(ms(15))
        page = context.new_page()
        complaints = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        try:
            page.goto(url)
            yield page
        finally:
            context.close()
        assert not [text for text in complaints if "Content Security Policy" in text or "Error" in text]

    return opened


def test_a_call_can_be_tried_without_scripts(open_page, index, shots):
    """From the index to the answer."""
    with open_page(index, java_script_enabled=False) as page:
        expect(page.get_by_role("link", name="http.<b>bold</b>")).to_be_visible()
        page.get_by_role("link", name="http.pump").click()
        expect(page.get_by_role("heading", name="http.pump")).to_be_visible()
        answer = page.frame_locator("iframe[name=answer]").locator("body")
        arguments = page.get_by_label("Arguments").nth(0)
        expect(arguments).to_have_value('{"seconds": ""}')
        arguments.fill('{"seconds": 1.5}')
        page.get_by_role("button", name="Call run").click()
        expect(answer).to_contain_text('"ran 1.5 s at 3"')
        arguments.fill("[2, 9]")
        page.get_by_role("button", name="Call run").click()
        expect(answer).to_contain_text('"ran 2 s at 9"')
        page.get_by_role("button", name="Read pressure").click()
        expect(answer).to_contain_text("1.25")
        page.get_by_role("button", name="Call items").click()
        expect(answer).to_contain_text("0\n1\n2")
        page.screenshot(path=shots / "gateway-light.png")
        page.get_by_role("link", name="all objects").click()
        expect(page.get_by_role("heading", name="Remote objects over HTTP")).to_be_visible()


def test_a_key_is_asked_for_once(open_page, pages):
    """And goes along, but not in addresses."""
    with open_page(pages(PYRO_HTTPGATEWAY_KEY="secret"), java_script_enabled=False) as page:
        page.get_by_label("Key").fill("wrong")
        page.get_by_role("button", name="Enter").click()
        expect(page.get_by_text("not the right one")).to_be_visible()
        page.get_by_label("Key").fill("secret")
        page.get_by_role("button", name="Enter").click()
        page.get_by_role("button", name="http.pump").click()
        page.get_by_role("button", name="Read pressure").click()
        expect(page.frame_locator("iframe[name=answer]").locator("body")).to_contain_text("1.25")
        assert "secret" not in page.url
        page.get_by_role("button", name="all objects").click()
        expect(page.get_by_role("button", name="http.pump")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(open_page, index, shots, scheme):
    """No complaint from axe, by day or night."""
    for name, url in (("index", index), ("object", f"{index}?name=http.pump")):
        with open_page(url, color_scheme=scheme, bypass_csp=True) as page:
            page.screenshot(path=shots / f"gateway-{name}-{scheme}.png")
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
