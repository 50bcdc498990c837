"""``pyronb config``: the settings, which of them are not the default, and where they come from."""

from __future__ import annotations

import argparse
import importlib.util
import platform
import sys
from pathlib import Path
from typing import Any

from pyronb.cli.options import add_json, plain, tell_json
from pyronb.config import ITEMS, config
from pyronb.dialects import DIALECTS
from pyronb.options import WireOptions
from pyronb.serializers.catalog import Catalog
from pyronb.version import __version__

__all__ = ["EPILOG", "configure", "run"]

EPILOG = """A setting is changed by an environment variable, PYRO_NAME or PYRONB_NAME, or in a program by
pyronb.config.NAME = value. Passwords are not shown."""

_SECRET = "PASSWD"  # noqa: S105 - how the names of passwords end
_HIDDEN = "(hidden)"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--changed", action="store_true", help="only the settings that are not the default")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print it all."""
    try:
        facts = _facts()
    except ValueError as error:
        args.misuse(str(error))
    if args.changed:
        facts["settings"] = {name: row for name, row in facts["settings"].items() if row["changed"]}
    if args.json:
        tell_json(facts)
    else:
        _print(facts)
    return 0


def _facts() -> dict[str, Any]:
    sources = config.sources()
    return {
        "version": __version__,
        "loaded_from": str(Path(__file__).parents[1]),
        "python": f"{platform.python_implementation()} {platform.python_version()} ({platform.system()})",
        "executable": sys.executable,
        "protocols": {
            str(dialect.version): {
                "family": dialect.family,
                "serializers": list(Catalog(dialect, WireOptions(), pyronb_peer=False).names()),
            }
            for dialect in DIALECTS.values()
        },
        "extras": {name: importlib.util.find_spec(module) is not None for name, module in _EXTRAS.items()},
        "settings": {name: _row(name, value, sources.get(name)) for name, value in sorted(config.asDict().items())},
    }


_EXTRAS = {"demo": "psutil", "gateway": "uvicorn", "lab": "jupyterlab", "notebook": "ipywidgets", "pickles": "dill"}
"""Parts that need more packages, each with one of these."""


def _row(name: str, value: Any, source: str | None) -> dict[str, Any]:
    default = ITEMS[name].default
    return {
        "value": _shown(name, value),
        "default": _shown(name, default),
        "changed": value != default,
        "source": source,
        "meaning": ITEMS[name].meaning,
    }


def _shown(name: str, value: Any) -> Any:
    if name.endswith(_SECRET) and value:
        return _HIDDEN
    return sorted(value) if isinstance(value, set | frozenset) else value


def _print(facts: dict[str, Any]) -> None:
    print(f"pyronb {facts['version']} in {facts['loaded_from']}")
    print(f"{facts['python']}, {facts['executable']}")
    for number, spoken in facts["protocols"].items():
        print(f"protocol {number} ({spoken['family']}) with {', '.join(spoken['serializers'])}")
    there = [name for name, found in facts["extras"].items() if found]
    missing = [name for name, found in facts["extras"].items() if not found]
    print(f"extras: {', '.join(there) or 'none'}" + (f"; not installed: {', '.join(missing)}" if missing else ""))
    settings = facts["settings"]
    changed = sum(row["changed"] for row in settings.values())
    print(f"\n{len(settings)} settings, {changed} of them not the default, marked with *:")
    width = max(map(len, settings), default=0)
    for name, row in settings.items():
        value = ", ".join(row["value"]) if isinstance(row["value"], list) else repr(row["value"])
        notes = [f"from {row['source']}"] if row["source"] else []
        if row["changed"]:
            notes.append(f"default {row['default']!r}")
        note = f"  ({'; '.join(notes)})" if notes else ""
        print(f"{'*' if row['changed'] else ' '} {name:<{width}} = {plain(value)}{plain(note)}")
