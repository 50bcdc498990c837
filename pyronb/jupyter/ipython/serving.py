"""The magics that serve: `%pyro_serve`, `%%pyro_expose`, `%pyro_ns`."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
from collections.abc import Sequence
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand

from pyronb.config import config
from pyronb.errors import PyroError
from pyronb.jupyter.addresses import default_address, parse_address
from pyronb.jupyter.ipython.completion import known_names
from pyronb.jupyter.ipython.connect import LIMIT
from pyronb.jupyter.ipython.publishing import EmbeddedNameServer, Publisher, Served
from pyronb.jupyter.ipython.reprs import status_html, status_text
from pyronb.jupyter.ipython.views import Cell, Section, sections_html, sections_text
from pyronb.jupyter.ipython.words import arguments, parse, run_body, show
from pyronb.jupyter.models import NamesModel
from pyronb.jupyter.runtime import read_names
from pyronb.server.exposure import behavior, expose, members_of
from pyronb.uri import MAX_PORT

__all__ = ["ServingMagics"]

_AS = re.compile(r"(?P<expression>.*\S)\s+as\s+(?P<rest>\S.*)$", re.DOTALL)
_SERVE = "%pyro_serve Camera() as lab.camera"
_EXPOSE = "%%pyro_expose lab.camera"


@magics_class
class ServingMagics(Magics):
    """Magics for what this kernel serves."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, publisher: Publisher, nameserver: EmbeddedNameServer) -> None:
        """Serve objects of this shell."""
        super().__init__(shell)
        self._publisher = publisher
        self._nameserver = nameserver

    @no_var_expand
    @arguments.magic_arguments()
    @arguments.argument("words", nargs="+", metavar="EXPR as NAME", help="Python for the object, and its name")
    @arguments.argument("--tag", action="append", default=[], metavar="TAG", help="tag for the name; repeatable")
    @arguments.argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    @line_magic
    def pyro_serve(self, line: str) -> None:
        """Make an object of this notebook reachable from elsewhere, under a name.

        A daemon of this kernel serves it from threads of its own, until the kernel ends, pyronb is unloaded, or
        %pyro_close NAME. The name is registered where a name server is. Serving again under the same name replaces
        what was there. Members have to be marked with @pyronb.expose::

            %pyro_serve Camera() as lab.camera
            %pyro_serve camera as lab.camera --tag optics
        """
        __tracebackhide__ = True
        found = _AS.match(line.strip())
        if found is None:
            parse(self.pyro_serve, line, _SERVE)
            raise UsageError(f"write %pyro_serve EXPR as NAME; for example: {_SERVE}")
        args = parse(self.pyro_serve, found["rest"], _SERVE)
        self._publish(_one(args.words, _SERVE), self._value(found["expression"]), args)

    def _value(self, expression: str) -> Any:
        __tracebackhide__ = True
        try:
            code = compile(expression.strip(), "<%pyro_serve>", "eval")
        except (SyntaxError, ValueError) as error:
            raise UsageError(f"{expression} is no Python expression: {error}; for example: {_SERVE}") from None
        return eval(code, self.shell.user_global_ns, self.shell.user_ns)  # noqa: S307 - it is the user's own

    @no_var_expand
    @arguments.magic_arguments()
    @arguments.argument("words", nargs="+", metavar="NAME", help="name of the object")
    @arguments.argument("--tag", action="append", default=[], metavar="TAG", help="tag for the name; repeatable")
    @arguments.argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    @cell_magic
    def pyro_expose(self, line: str, cell: str) -> None:
        """Run the cell, and make the class that it ends with reachable from elsewhere, under a name.

        All public members of the class are exposed, unless some are marked with @pyronb.expose. One instance serves
        all clients, unless @pyronb.behavior says otherwise. Running the cell again replaces the class and its
        instance::

            %%pyro_expose lab.camera
            class Camera:
                def picture(self, size: int = 100):
                    ...
        """
        __tracebackhide__ = True
        args = parse(self.pyro_expose, line, _EXPOSE)
        name = _one(args.words, _EXPOSE)
        _check_name(name)
        classes = _classes(self.shell, cell)
        run_body(self.shell, "pyro_expose", line, cell, {})
        cls = self.shell.user_ns.get(classes[-1])
        if not inspect.isclass(cls):
            raise UsageError(f"{classes[-1]} is no class after the cell ran, so there is nothing to expose")
        offered = members_of(cls, details=False)
        if not offered.methods and not offered.attributes:
            expose(cls)
        if "_pyroInstancing" not in vars(cls):
            behavior(instance_mode="single")(cls)
        self._publish(name, cls, args)

    def _publish(self, name: str, obj: Any, args: argparse.Namespace) -> None:
        _check_name(name)
        place = None
        if args.ns is not None:
            try:
                place = str(parse_address(args.ns))
            except ValueError as error:
                raise UsageError(f"--ns: {error}") from None
        try:
            served = self._publisher.serve(name, obj, args.tag, place)
        except (OSError, PyroError, TypeError, ValueError) as error:
            raise UsageError(f"{name} is not served: {error}") from None
        section = _served(served)
        show(sections_text([section]), sections_html("served", [section]))

    @arguments.magic_arguments()
    @arguments.argument("what", nargs="?", default="status", metavar="start|stop", help="without: show how it is")
    @arguments.argument("--ns", metavar="HOST:PORT", help="the name server to ask, instead of the configured one")
    @arguments.argument("--port", metavar="PORT", help="port to start at, instead of the configured one; 0: a free one")
    @line_magic
    def pyro_ns(self, line: str) -> None:
        """Show how the name server is, or start and stop one in this kernel.

        One that is started here runs in the background until it is stopped, the kernel ends, or pyronb is unloaded.
        Meanwhile this kernel asks it, whatever is configured::

            %pyro_ns
            %pyro_ns start
            %pyro_ns stop
            %pyro_ns start --port 0
        """
        __tracebackhide__ = True
        args = parse(self.pyro_ns, line, "%pyro_ns start")
        if args.what not in ("status", "start", "stop"):
            raise UsageError(f"%pyro_ns shows how it is, %pyro_ns start and %pyro_ns stop; not: {args.what}")
        if args.port is not None and args.what != "start":
            raise UsageError("--port goes with %pyro_ns start")
        if args.ns is not None and args.what != "status":
            raise UsageError(f"--ns is whom to ask, and goes not with %pyro_ns {args.what}")
        if args.what == "stop":
            self._stop()
            return
        if args.what == "start":
            self._start(args.port)
        self._show(read_names(args.ns, timeout=LIMIT))

    def _start(self, given: str | None) -> None:
        if self._nameserver.address:
            raise UsageError(f"one runs in this kernel already, at {self._nameserver.address}; %pyro_ns stop ends it")
        here = default_address()
        port = here.port or 0
        if given is not None:
            if not (given.isascii() and given.isdigit() and int(given[:6]) <= MAX_PORT):
                raise UsageError(f"--port takes a number from 0 to {MAX_PORT}, not {given}")
            port = int(given)
        elif read_names(None, timeout=LIMIT)["state"] == "ok":
            raise UsageError(f"a name server answers at {here} already; %pyro_ns start --port 0 starts another one")
        try:
            self._nameserver.start(config.HOST, port)
        except (OSError, PyroError) as error:
            raise UsageError(f"it cannot be started: {error}; %pyro_ns start --port 0 takes a free port") from None

    def _stop(self) -> None:
        address = self._nameserver.address
        if not address:
            raise UsageError("none runs in this kernel; %pyro_ns shows the one that is asked")
        self._nameserver.stop()
        print(f"The name server at {address} is stopped; its names are forgotten.")  # noqa: T201 - a magic prints

    def _show(self, model: NamesModel) -> None:
        known_names.remember(model)
        own = self._nameserver.address == model["nameserver"]["address"]
        note = "runs in this kernel" if own else ""
        show(status_text(model, note=note), status_html(model, None, note=note))


def _one(words: Sequence[str], example: str) -> str:
    if len(words) != 1:
        raise UsageError(f"one name is needed, not: {' '.join(words)}; for example: {example}")
    return words[0]


def _check_name(name: str) -> None:
    """Refuse what no address can name, before anything is run.

    Raises:
        UsageError: it is such a name.
    """
    if not name or "@" in name or any(character.isspace() for character in name):
        raise UsageError(f"{name!r} cannot be the name of an object: it must not have white space or @ in it")


def _classes(shell: InteractiveShell, cell: str) -> list[str]:
    """List the classes that a cell defines, without running it.

    Raises:
        UsageError: there is none.
    """
    untyped: Any = shell
    try:
        tree = ast.parse(untyped.transform_cell(cell))
    except SyntaxError:
        # Running the body shows it as usual.
        return [""]
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    if not found:
        raise UsageError(f"the cell defines no class; for an object there is %pyro_serve; for example: {_EXPOSE}")
    return found


def _served(served: Served) -> Section:
    state = Cell(f"registered at {served.address}", "good") if served.registered else Cell("not registered", "muted")
    row = [Cell(served.name, "code"), Cell(served.kind), Cell(str(served.uri)), state]
    return Section("Served from here", ["Name", "Class", "Address", "State"], [row], served.note)
