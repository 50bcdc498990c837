"""What the magics share: how a line is read, how a variable is looked up, how something is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from IPython.core import magic_arguments
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display

from pyronb.jupyter.ipython.connect import is_proxy
from pyronb.sync.proxy import Proxy

__all__ = ["arguments", "parse", "proxies_in", "proxy_named", "run_body", "show", "unquote"]

# IPython has no types for these.
arguments: Any = magic_arguments

_QUOTES = "\"'"


def unquote(word: str) -> str:
    """Take off the quotes that IPython leaves around a word; the empty text for none."""
    return word.strip(_QUOTES)


def parse(magic: Any, line: str, example: str) -> Any:
    """Read the options wherever they stand, and words without the quotes around them.

    Raises:
        UsageError: they make no sense.
    """
    try:
        args = magic.parser.parse_intermixed_args(arguments.arg_split(line))
    except (ValueError, UsageError) as error:
        raise UsageError(f"{error}; for example: {example}") from None
    for name, value in vars(args).items():
        if isinstance(value, str):
            setattr(args, name, unquote(value))
        elif isinstance(value, list):
            setattr(args, name, [unquote(word) for word in value])
    return args


def proxies_in(namespace: Mapping[str, Any]) -> dict[str, Proxy]:
    """Give the proxies that variables hold, by the variables' names; those with an underscore are not the user's."""
    return {name: held for name, held in sorted(namespace.items()) if not name.startswith("_") and is_proxy(held)}


def proxy_named(variable: str, namespace: Mapping[str, Any]) -> Proxy:
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
    proxies = list(proxies_in(namespace))
    hint = f"these are proxies: {', '.join(proxies)}" if proxies else "get one with: %pyro_connect NAME as VAR"
    raise UsageError(f"{said}; {hint}")


def show(text: str, html: str) -> None:
    """Show something in the cell, as text or as HTML, whichever its place can show."""
    display({"text/plain": text, "text/html": html}, raw=True)  # type: ignore[no-untyped-call]  # it has no types


def run_body(shell: InteractiveShell, magic: str, line: str, cell: str, held: Mapping[str, Any]) -> None:
    """Run the body of a cell magic, with these values in variables meanwhile; afterwards they are what they were."""
    __tracebackhide__ = True
    untyped: Any = shell
    # The magic's own line stands before the body again, so that a traceback counts lines as the cell does.
    source = f"# %%{magic} {line.splitlines()[0] if line else ''}\n" + untyped.transform_cell(cell)
    tree = untyped.transform_ast(shell.compile.ast_parse(source))
    number = getattr(untyped.displayhook.exec_result, "execution_count", None)
    name = shell.compile.cache(source, number or shell.execution_count, raw_code=source)
    body = shell.compile(tree, name, "exec")
    namespace = shell.user_ns
    before = {variable: namespace[variable] for variable in held}
    namespace.update(held)
    try:
        exec(body, shell.user_global_ns, namespace)  # noqa: S102 - it is the user's own cell
    finally:
        namespace.update(before)


BODY = run_body.__code__
"""The code that runs the body of a cell; what is above it in a traceback is of no interest."""


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Write names in a sentence, and how many more there are."""
    several = list(names)
    more = f" and {len(several) - limit} more" if len(several) > limit else ""
    return ", ".join(several[:limit]) + more
