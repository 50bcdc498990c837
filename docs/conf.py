"""How `make docs` builds the site. The root of the sources is the repository, so that its pages link to each other."""

from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from IPython.testing.globalipapp import start_ipython
from sphinx.application import Sphinx

from pyronb.config import ITEMS
from pyronb.version import __version__

project = "pyronb"
author = "The pyronb developers"
project_copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "README.md",
    "SECURITY.md",
    "docs/*.md",
    "notebooks/*.ipynb",
    "notebooks/README.md",
    "pyronb/README.md",
    "pyronb/serializers/VALUES.md",
]
html_theme = "furo"
html_title = f"pyronb {version}"
html_additional_pages = {"index": "start.html"}  # the site begins where everybody looks
templates_path = ["templates"]
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["wrap.css"]

# The notebooks are shown as they were run; `make notebooks` holds them to it.
nb_execution_mode = "off"
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "application/vnd.jupyter.widget-view+json", None)]
suppress_warnings = [
    "misc.highlighting_failure",  # cells of shell, and tracebacks with letters that the lexer does not know
    "mystnb.unknown_mime_type",  # our views bring a picture and a text for everybody else
]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
napoleon_use_rtype = False
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True


class _Generated(Directive):
    """What a part of pyronb says of itself, as the page's text."""

    required_arguments = 0
    final_argument_whitespace = True

    def parsed(self, text: str) -> list[nodes.Node]:
        """Read reStructuredText that was made here."""
        node = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), source="docs/conf.py"), self.content_offset, node)
        return node.children


class Settings(_Generated):
    """All items of the configuration, with their meaning."""

    def run(self) -> list[nodes.Node]:
        """Make a table of them."""
        rows = [".. list-table::", "   :header-rows: 1", "", "   * - item", "     - default", "     - meaning"]
        for name, item in sorted(ITEMS.items()):
            default = sorted(item.default) if isinstance(item.default, set) else item.default
            rows += [f"   * - ``{name}``", f"     - ``{default!r}``", f"     - {_escaped(item.meaning)}"]
        return self.parsed("\n".join(rows))


class Magic(_Generated):
    """The help of a magic."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show it as the notebook does."""
        name = self.arguments[0].lstrip("%")
        found = _shell().find_magic(name, "cell" if self.arguments[0].startswith("%%") else "line")
        return [nodes.literal_block(text := _dedented(found.__doc__), text, language="none")]


class Command(_Generated):
    """The help of a command."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Show it as the terminal does."""
        command = [sys.executable, "-m", *self.arguments[0].split(), "--help"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        return [nodes.literal_block(text, text, language="none")]


def _escaped(text: str) -> str:
    return re.sub(r"([*`_|\\])", r"\\\1", text)


def _dedented(text: str) -> str:
    return inspect.cleandoc(text).removeprefix("::").strip()


def _shell():  # noqa: ANN202 - IPython's
    shell = importlib.import_module("IPython").get_ipython() or start_ipython()
    if "pyronb" not in shell.extension_manager.loaded:
        shell.extension_manager.load_extension("pyronb")
    return shell


def setup(app: Sphinx) -> None:
    """Tell Sphinx of the directives."""
    app.add_directive("settings", Settings)
    app.add_directive("magic", Magic)
    app.add_directive("command", Command)
