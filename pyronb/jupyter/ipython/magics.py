"""The magics: `%pyro_connect` and `%%pyro_batch`.

Users' mistakes are `UsageError`s: one line, no traceback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class
from IPython.display import display

from pyronb.jupyter.ipython.batch import BatchRecorder, BatchResults, Queue, collect
from pyronb.jupyter.ipython.connect import (
    Found,
    Names,
    check_variable,
    connect,
    connect_all,
    is_proxy,
    seconds,
    serializer,
    taken,
    variables_for,
    wanted,
)
from pyronb.jupyter.ipython.reprs import connections_html, connections_text, object_html, object_text
from pyronb.sync.proxy import Proxy, batch

__all__ = ["BODY", "PyroMagics"]

# IPython has no types for these.
_arguments: Any = magic_arguments

_QUOTES = "\"'"


@magics_class
class PyroMagics(Magics):
    """Magics for remote objects."""

    shell: InteractiveShell

    @_arguments.magic_arguments()
    @_arguments.argument(
        "words",
        nargs="+",
        metavar="NAME_OR_URI [as VAR]",
        help="name in the name server, pattern of names such as lab.*, or URI; as VAR chooses the variable to bind, "
        "which by default is named after the name's last part",
    )
    @_arguments.argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    @_arguments.argument("--timeout", "-t", metavar="SECONDS", help="limit for each call; 0 waits for ever")
    @_arguments.argument(
        "--serializer",
        metavar="NAME",
        help="serializer for calls, instead of the configured one; auto is native or serpent, as the peer takes it",
    )
    @line_magic
    def pyro_connect(self, line: str) -> None:
        """Connect to remote objects and bind variables to their proxies.

        The connections are tried at once, for at most two seconds. A card shows what an object offers, a table what
        several are. Proxies that the variables held before are released::

            %pyro_connect lab.camera
            %pyro_connect lab.camera as cam --timeout 5
            %pyro_connect lab.camera as cam lab.stage lab.laser
            %pyro_connect lab.*
            %pyro_connect PYRO:camera@lab-pc:4433 as cam
            %pyro_connect lab.camera --ns lab-pc:9090
        """
        __tracebackhide__ = True
        args = _parse(self.pyro_connect, line, "%pyro_connect lab.camera as cam")
        timeout, name, names = seconds(args.timeout), serializer(args.serializer), Names()
        words = [word.strip(_QUOTES) for word in args.words]
        several = wanted(words, None if args.ns is None else args.ns.strip(_QUOTES), names)
        variables = variables_for(several)
        namespace = self.shell.user_ns
        for want, variable in zip(several, variables, strict=True):
            if not want.variable:
                taken(variable, namespace)
        failed: list[str] = []
        if len(several) == 1:
            found = [Found(variables[0], *connect(several[0].target, timeout, name, names))]
        else:
            found, failed = connect_all(several, variables, timeout, name, names)
        for each in found:
            old = namespace.get(each.variable)
            namespace[each.variable] = each.proxy
            if is_proxy(old):
                old._pyroRelease()
        if len(several) == 1:
            model, variable = found[0].model, found[0].variable
            show(object_text(model, variable=variable), object_html(model, variable=variable))
        elif found:
            rows = [(each.variable, each.model) for each in found]
            show(connections_text(rows), connections_html(rows))
        if failed:
            raise UsageError(f"not connected: {' '.join(failed)}")

    @_arguments.magic_arguments()
    @_arguments.argument("variable", metavar="VAR", help="variable that holds a proxy")
    @_arguments.argument("--out", "-o", metavar="NAME", help="variable for the results, which are then not shown")
    @_arguments.argument("--oneway", action="store_true", help="do not wait for results")
    @_arguments.argument("--async", dest="background", action="store_true", help="give a FutureResult at once")
    @cell_magic
    def pyro_batch(self, line: str, cell: str) -> Any:
        """Send all calls that the cell makes on a proxy as one message.

        The cell is ordinary Python. Within it VAR only records calls; when the cell ends they are sent, and run over
        there one after the other until one fails. The results are shown in order. If the cell itself fails nothing is
        sent::

            %%pyro_batch cam -o pictures
            for angle in range(0, 360, 30):
                cam.turn(angle)
                cam.picture()
        """
        __tracebackhide__ = True
        args = _parse(self.pyro_batch, line, "%%pyro_batch cam")
        proxy = _proxy_named(args.variable, self.shell.user_ns)
        out = check_variable(args.out.strip(_QUOTES), "-o") if args.out is not None else ""
        if args.oneway and (out or args.background):
            raise UsageError("--oneway brings no results, so it goes neither with -o nor with --async")
        if out == args.variable:
            raise UsageError(f"-o {out}: that variable holds the proxy; choose another name")
        sender = batch(proxy)

        def add(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            getattr(sender, method)(*args, **kwargs)

        queue = Queue(args.variable, proxy._pyro, add)
        _record(self.shell, line, cell, queue, proxy)
        if not queue.calls:
            print(f"The batch is empty: the cell made no calls on {args.variable}, and nothing was sent.")  # noqa: T201 - a magic prints
            result: Any = BatchResults((), ())
        elif args.oneway:
            sender(oneway=True)
            print(f"{_count(queue.calls)} sent, no results.")  # noqa: T201 - a magic prints
            return None
        elif args.background:
            calls = tuple(queue.calls)
            result = sender(asynchronous=True).then(lambda results: collect(calls, results))
        else:
            result = collect(queue.calls, sender())
        if out:
            self.shell.user_ns[out] = result
            if isinstance(result, BatchResults) and result.error is not None:
                # Results are silent with -o; that they are not all there is not.
                print(_failure(result, out))  # noqa: T201 - a magic prints
            return None
        return result if queue.calls else None


def show(text: str, html: str) -> None:
    """Show something in the cell, as text or as HTML, whichever its place can show."""
    display({"text/plain": text, "text/html": html}, raw=True)  # type: ignore[no-untyped-call]  # it has no types


def _parse(magic: Any, line: str, example: str) -> Any:
    """Read the options wherever they stand.

    Raises:
        UsageError: they make no sense.
    """
    try:
        return magic.parser.parse_intermixed_args(_arguments.arg_split(line))
    except (ValueError, UsageError) as error:
        raise UsageError(f"{error}; for example: {example}") from None


def _proxy_named(variable: str, namespace: Mapping[str, Any]) -> Proxy:
    """Give the proxy that a variable holds.

    Raises:
        UsageError: it holds none.
    """
    value: Any = namespace.get(variable)
    if is_proxy(value):
        return value  # type: ignore[no-any-return]  # is_proxy cannot narrow: a type guard may call the value
    if variable not in namespace:
        said = f"there is no variable {variable}"
    else:
        said = f"{variable} is no proxy but holds something else ({type(value).__name__})"
    proxies = sorted(name for name, held in namespace.items() if not name.startswith("_") and is_proxy(held))
    hint = f"these are proxies: {', '.join(proxies)}" if proxies else "get one with: %pyro_connect NAME as VAR"
    raise UsageError(f"{said}; {hint}")


def _record(shell: InteractiveShell, line: str, cell: str, queue: Queue, proxy: Proxy) -> None:
    """Run the cell with the recorder in place of the proxy; whatever happens, the proxy is back afterwards."""
    __tracebackhide__ = True
    untyped: Any = shell
    # The magic's own line stands before the body again, so that a traceback counts lines as the cell does.
    source = f"# %%pyro_batch {line.splitlines()[0]}\n" + untyped.transform_cell(cell)
    tree = untyped.transform_ast(shell.compile.ast_parse(source))
    number = getattr(untyped.displayhook.exec_result, "execution_count", None)
    name = shell.compile.cache(source, number or shell.execution_count, raw_code=source)
    body = shell.compile(tree, name, "exec")
    namespace = shell.user_ns
    namespace[queue.variable] = BatchRecorder(queue)
    try:
        exec(body, shell.user_global_ns, namespace)  # noqa: S102 - it is the user's own cell
    finally:
        queue.closed = True
        namespace[queue.variable] = proxy


BODY = _record.__code__
"""The code that runs the body of a cell; what is above it in a traceback is of no interest."""


def _count(calls: list[str]) -> str:
    return f"{len(calls)} call{'s' if len(calls) != 1 else ''}"


def _failure(results: BatchResults, out: str) -> str:
    at = len(results.done)
    error = f"{type(results.error).__name__}: {results.error}"
    return f"{results.calls[at]} failed ({error}); not run after it: {len(results) - at - 1}. See {out}."
