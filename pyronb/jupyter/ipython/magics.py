"""The magics: `%pyro_connect` and `%%pyro_batch`.

Users' mistakes are `UsageError`s: one line, no traceback.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class

from pyronb.errors import PyroError
from pyronb.futures import FutureResult
from pyronb.jupyter.ipython.batch import Batches, BatchRecorder, BatchResults, Queue, collect
from pyronb.jupyter.ipython.connect import (
    Found,
    Names,
    check_variable,
    connect,
    connect_all,
    is_proxy,
    number,
    seconds,
    serializer,
    taken,
    variables_for,
    wanted,
)
from pyronb.jupyter.ipython.reprs import connections_html, connections_text, object_html, object_text
from pyronb.jupyter.ipython.waiting import Waiting
from pyronb.jupyter.ipython.words import arguments, listed, parse, proxy_named, run_body, show
from pyronb.sync.batch import BatchProxy, batch
from pyronb.sync.proxy import Proxy

__all__ = ["PyroMagics"]


@magics_class
class PyroMagics(Magics):
    """Magics for remote objects."""

    shell: InteractiveShell

    @arguments.magic_arguments()
    @arguments.argument(
        "words",
        nargs="+",
        metavar="NAME_OR_URI [as VAR]",
        help="name in the name server, pattern of names such as lab.*, or URI; as VAR chooses the variable to bind, "
        "which by default is named after the name's last part",
    )
    @arguments.argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    @arguments.argument("--timeout", "-t", metavar="SECONDS", help="limit for each call; 0 waits for ever")
    @arguments.argument(
        "--serializer",
        metavar="NAME",
        help="serializer for calls, instead of the configured one; auto is native or serpent, as the peer takes it",
    )
    @arguments.argument("--output", action="store_true", help="show here what calls print and log over there")
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
        args = parse(self.pyro_connect, line, "%pyro_connect lab.camera as cam")
        timeout, name, names = seconds(args.timeout), serializer(args.serializer), Names()
        several = wanted(args.words, args.ns, names)
        variables = variables_for(several, self.shell.user_ns)
        namespace = self.shell.user_ns
        for want, variable in zip(several, variables, strict=True):
            if not want.variable:
                taken(variable, namespace)
        failed: list[str] = []
        if len(several) == 1:
            found = [Found(variables[0], *connect(several[0].target, timeout, name, names, output=args.output))]
        else:
            found, failed = connect_all(several, variables, timeout, name, names, output=args.output)
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

    @arguments.magic_arguments()
    @arguments.argument("variables", nargs="+", metavar="VAR", help="variable that holds a proxy")
    @arguments.argument("--out", "-o", metavar="NAME", help="variable for the results, which are then not shown")
    @arguments.argument("--oneway", action="store_true", help="do not wait for results")
    @arguments.argument("--async", dest="background", action="store_true", help="give a FutureResult at once")
    @arguments.argument("--timeout", "-t", metavar="SECONDS", help="limit for each batch; 0 waits for ever")
    @arguments.argument(
        "--progress-after", metavar="SECONDS", default="5", help="show for how long it takes after so many (default: 5)"
    )
    @arguments.argument("--output", action="store_true", help="show here what the calls print and log over there")
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

        With several proxies there is one batch for each, sent one after the other (with --async at the same time), and
        the results are found by the names of the variables::

            %%pyro_batch cam stage
            stage.move(3)
            cam.picture()
        """
        __tracebackhide__ = True
        args = parse(self.pyro_batch, line, "%%pyro_batch cam")
        namespace = self.shell.user_ns
        proxies = {variable: proxy_named(variable, namespace) for variable in args.variables}
        out = check_variable(args.out, "-o") if args.out is not None else ""
        if args.oneway and (out or args.background):
            raise UsageError("--oneway brings no results, so it goes neither with -o nor with --async")
        if out in proxies:
            raise UsageError(f"-o {out}: that variable holds the proxy; choose another name")
        patience = number(args.progress_after, "--progress-after", "shows it at once")
        limit = None if args.timeout is None else number(args.timeout, "--timeout", "waits for ever")
        senders = {variable: _sender(proxy, output=args.output) for variable, proxy in proxies.items()}
        queues = {variable: _queue(variable, proxies[variable], senders[variable]) for variable in proxies}
        recorders = {variable: BatchRecorder(queue) for variable, queue in queues.items()}
        try:
            run_body(self.shell, "pyro_batch", line, cell, recorders)
        finally:
            for queue in queues.values():
                queue.closed = True
        some = {variable: queue for variable, queue in queues.items() if queue.calls}
        if not some:
            print(f"The batch is empty: the cell made no calls on {listed(queues)}, and nothing was sent.")  # noqa: T201 - a magic prints
        with ExitStack() as limits:
            for variable in some if limit is not None else ():
                limits.enter_context(_limited(proxies[variable], limit))
            if args.oneway:
                for variable in some:
                    senders[variable](oneway=True)
                if some:
                    print(f"{_count(some)} sent, no results.")  # noqa: T201 - a magic prints
                return None
            if args.background:
                results: dict[str, Any] = {variable: _later(queues[variable], senders[variable]) for variable in some}
            else:
                results = _now(some, senders, patience, keep=len(proxies) > 1)
        results = {variable: results.get(variable, BatchResults((), ())) for variable in proxies}
        single = len(proxies) == 1
        result: Any = results[args.variables[0]] if single else results if args.background else Batches(results)
        if out:
            namespace[out] = result
            for each in results.values():
                if isinstance(each, BatchResults) and each.error is not None:
                    # Results are silent with -o; that they are not all there is not.
                    print(_failure(each, out))  # noqa: T201 - a magic prints
            return None
        return result if some else None


def _sender(proxy: Proxy, *, output: bool) -> BatchProxy:
    return proxy._pyroCall(output=True)._pyroBatch() if output else batch(proxy)


def _queue(variable: str, proxy: Proxy, sender: BatchProxy) -> Queue:
    def add(method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        getattr(sender, method)(*args, **kwargs)

    return Queue(variable, proxy._pyro, add)


@contextmanager
def _limited(proxy: Proxy, limit: float | None) -> Iterator[None]:
    """Let calls of a proxy take so many seconds at most, meanwhile."""
    before, proxy._pyroTimeout = proxy._pyroTimeout, limit or None
    try:
        yield
    finally:
        proxy._pyroTimeout = before


def _later(queue: Queue, sender: BatchProxy) -> FutureResult:
    """Send a batch in the background, and give the future of its results."""
    calls = tuple(queue.calls)
    future: FutureResult = sender(asynchronous=True)
    return future.then(lambda results: collect(calls, results))


def _now(
    queues: Mapping[str, Queue], senders: Mapping[str, BatchProxy], patience: float, *, keep: bool
) -> dict[str, BatchResults]:
    """Send batches and wait for their results; with `keep` one that does not come through spoils no other."""
    __tracebackhide__ = True
    results = {}
    for variable, queue in queues.items():
        with Waiting(f"{_count({variable: queue})} of {variable}", patience):
            try:
                results[variable] = collect(queue.calls, senders[variable]())
            except PyroError as error:
                if not keep:
                    raise
                results[variable] = BatchResults(queue.calls, (), error)
    return results


def _count(queues: Mapping[str, Queue]) -> str:
    count = sum(len(queue.calls) for queue in queues.values())
    return f"{count} call{'s' if count != 1 else ''}"


def _failure(results: BatchResults, out: str) -> str:
    at = len(results.done)
    error = f"{type(results.error).__name__}: {results.error}"
    return f"{results.calls[at]} failed ({error}); not run after it: {len(results) - at - 1}. See {out}."
