"""The magics that look: `%pyro_ls`, `%pyro_info`, `%pyro_doctor`, `%pyro_status`, `%pyro_config`, `%pyro_close`."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, overload

from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_magic, magics_class

from pyronb.client.speech import AUTO
from pyronb.config import ITEMS, config
from pyronb.futures import FutureResult
from pyronb.jupyter.describing import object_model
from pyronb.jupyter.doctor import diagnose, section_of
from pyronb.jupyter.ipython.connect import LIMIT, Names, check_variable, is_proxy, reach
from pyronb.jupyter.ipython.publishing import Publisher
from pyronb.jupyter.ipython.reprs import names_html, names_text, object_html, object_text
from pyronb.jupyter.ipython.views import Cell, Section, sections_html, sections_text
from pyronb.jupyter.ipython.words import arguments, listed, parse, proxies_in, proxy_named, show
from pyronb.jupyter.models import NamesModel
from pyronb.jupyter.targets import is_pattern
from pyronb.server.references import given_out

__all__ = ["Listing", "LookingMagics", "futures_in"]

_SECRET = "PASSWD"  # noqa: S105 - how the names of passwords end


class Listing(Sequence[str]):
    """The names that `%pyro_ls` found; used like a list, shown as a table with addresses and tags."""

    def __init__(self, model: NamesModel) -> None:
        """Hold these."""
        self.model = model

    def __len__(self) -> int:
        return len(self.model["names"])

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        names = [entry["name"] for entry in self.model["names"]]
        return names[index]

    def __iter__(self) -> Iterator[str]:
        return iter([entry["name"] for entry in self.model["names"]])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, list | Listing) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it is compared like a list

    def __repr__(self) -> str:
        return names_text(self.model)

    def _repr_html_(self) -> str:
        return names_html(self.model)


def futures_in(namespace: Mapping[str, Any], limit: int = 1000) -> dict[str, FutureResult]:
    """Give the futures that variables hold, also those in lists, tuples and dicts there, by how to write them.

    Of each variable that holds several things, only so many are looked at, and of all no more futures are given.
    """
    found: dict[str, FutureResult] = {}
    for name, value in sorted(namespace.items(), key=lambda item: item[0]):
        if name.startswith("_"):
            continue
        kind = type(value)
        inside: Iterable[tuple[Any, Any]] = ()
        if kind in (list, tuple):
            inside = enumerate(value[:limit])
        elif kind is dict:
            # A copy, for another thread may be adding to it.
            inside = islice(list(value.items()) if len(value) <= limit else (), limit)
        if issubclass(kind, FutureResult):
            found[name] = value
        for key, item in inside:
            if issubclass(type(item), FutureResult) and type(key) in (str, int):
                found[f"{name}[{key!r}]"] = item
        if len(found) >= limit:
            break
    return dict(islice(found.items(), limit))


@magics_class
class LookingMagics(Magics):
    """Magics that show what is there."""

    shell: InteractiveShell

    def __init__(self, shell: InteractiveShell, publisher: Publisher) -> None:
        """Look into this shell, and at what this serves."""
        super().__init__(shell)
        self._publisher = publisher

    @arguments.magic_arguments()
    @arguments.argument("pattern", nargs="?", metavar="GLOB", help="only names that fit, as lab.*, or that contain it")
    @arguments.argument("--tag", action="append", default=[], metavar="TAG", help="only names with this tag")
    @arguments.argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    @arguments.argument("--out", "-o", metavar="NAME", help="variable for the names, which are then not shown")
    @line_magic
    def pyro_ls(self, line: str) -> Listing | None:
        """List the names of the name server, with addresses and tags.

        The result is used like a list of names::

            %pyro_ls
            %pyro_ls lab.*
            %pyro_ls --tag motors -o motors
        """
        __tracebackhide__ = True
        args = parse(self.pyro_ls, line, "%pyro_ls lab.*")
        out = "" if args.out is None else check_variable(args.out, "-o")
        model = Names().at(args.ns)
        wanted, tags = args.pattern or "", set(args.tag)
        glob = wanted if is_pattern(wanted) else f"*{wanted}*"
        rows = [
            entry for entry in model["names"] if fnmatch.fnmatchcase(entry["name"], glob) and tags <= set(entry["tags"])
        ]
        listing = Listing({**model, "names": rows, "total": len(rows)})
        if out:
            self.shell.user_ns[out] = listing
            return None
        return listing

    @arguments.magic_arguments()
    @arguments.argument("variable", metavar="VAR", help="variable that holds a proxy")
    @arguments.argument("--refresh", action="store_true", help="connect anew and ask again what the object offers")
    @line_magic
    def pyro_info(self, line: str) -> None:
        """Show all that a connected object offers: methods with signatures and documentation, attributes, the peer.

        It is shown as it was told when the proxy connected; only with --refresh the peer is asked again::

            %pyro_info cam
            %pyro_info cam --refresh
        """
        __tracebackhide__ = True
        args = parse(self.pyro_info, line, "%pyro_info cam")
        proxy = proxy_named(args.variable, self.shell.user_ns)
        link = proxy._pyro
        if args.refresh:
            uri = link.uri
            proxy._pyroRelease()
            try:
                reach(proxy, LIMIT, str(link.connected_uri or uri), str(uri.object))
            finally:
                link.uri = uri
        model = object_model(proxy, str(link.uri.object) if link.uri.protocol == "PYRONAME" else "")
        note = "Not connected; it connects when it is used."
        if link.connected:
            limit = "no limit for calls" if link.timeout is None else f"calls may take {link.timeout:g} s"
            note = f"Protocol {link.dialect.version} of {link.dialect.family}, {limit}."
        if link.metadata is not None:
            model["state"] = "ok"
            if link.told is not None:
                note += f" Told {_ago(time.monotonic() - link.told)}; %pyro_info {args.variable} --refresh asks again."
        text = object_text(model, variable=args.variable, limit=None)
        show(f"{text}\n{note}", object_html(model, variable=args.variable, note=note, limit=None))

    @arguments.magic_arguments()
    @arguments.argument("target", metavar="NAME_OR_URI", help="name, URI, or variable that holds a proxy")
    @arguments.argument("--ns", metavar="HOST:PORT", help="the name server, instead of the configured one")
    @line_magic
    def pyro_doctor(self, line: str) -> None:
        """Go each step of reaching an object, with its time, and say where it breaks and what helps.

        Each step takes two seconds at most::

            %pyro_doctor lab.camera
            %pyro_doctor cam
            %pyro_doctor PYRO:camera@lab-pc:4433
        """
        __tracebackhide__ = True
        args = parse(self.pyro_doctor, line, "%pyro_doctor lab.camera")
        held = self.shell.user_ns.get(args.target)
        target = str(held._pyro.uri) if is_proxy(held) else args.target
        try:
            diagnosis = diagnose(target, args.ns, timeout=LIMIT)
        except ValueError as error:
            raise UsageError(str(error)) from None
        section = section_of(diagnosis)
        show(sections_text([section]), sections_html("doctor", [section]))

    @line_magic
    def pyro_status(self, line: str) -> None:
        """Show what is open in this notebook: proxies, objects that it serves, futures that are not done, callbacks.

        Nobody is asked for it::

            %pyro_status
        """
        __tracebackhide__ = True
        if line.strip():
            raise UsageError(f"%pyro_status takes no words, not: {line.strip()}")
        sections = [self._proxies(), self._served(), self._futures(), _callbacks()]
        show(sections_text(sections), sections_html("overview", sections))

    def _proxies(self) -> Section:
        rows = []
        for name, proxy in proxies_in(self.shell.user_ns).items():
            link = proxy._pyro
            spoken = link.serializer.name if link.connected and link.serializer is not None else ""
            state = Cell("connected", "good") if link.connected else Cell("not connected", "muted")
            rows.append([Cell(name, "code"), state, Cell(str(link.uri)), Cell(link.peer), Cell(spoken)])
        count = sum(row[1].kind == "good" for row in rows)
        note = f"{count} of {len(rows)} connected" if rows else "none; get one with %pyro_connect NAME"
        return Section("Proxies", ["Variable", "State", "Object", "Server", "Serializer"], rows, note)

    def _served(self) -> Section:
        rows = [
            [Cell(each.name, "code"), _registered(each.registered), Cell(str(each.uri)), Cell(each.kind)]
            for each in self._publisher.served
        ]
        note = f"{len(rows)}" if rows else "none; serve one with %pyro_serve EXPR as NAME"
        return Section("Served from here", ["Name", "State", "Address", "Class"], rows, note)

    def _futures(self) -> Section:
        futures = futures_in(self.shell.user_ns)
        waiting = {name: future for name, future in futures.items() if not future.done()}
        rows = [[Cell(name, "code"), Cell("running" if f.running() else "pending")] for name, f in waiting.items()]
        return Section("Futures", ["Variable", "State"], rows, f"{len(waiting)} of {len(futures)} outstanding")

    @arguments.magic_arguments()
    @arguments.argument("item", nargs="?", metavar="ITEM", help="name of a setting, in either case")
    @arguments.argument("value", nargs="?", metavar="VALUE", help="its new value, for this kernel")
    @line_magic
    def pyro_config(self, line: str) -> None:
        """Show settings, or change one for this kernel.

        Without a name it shows those that are not as they come. Proxies and daemons that are there already keep what
        they were made with::

            %pyro_config
            %pyro_config COMMTIMEOUT
            %pyro_config COMMTIMEOUT 2.5
        """
        __tracebackhide__ = True
        args = parse(self.pyro_config, line, "%pyro_config COMMTIMEOUT 2.5")
        if args.item is None:
            changed = [name for name in ITEMS if _value(name) != ITEMS[name].default]
            note = "" if changed else "all settings are as they come"
            section = Section("Settings", _SETTING, [_setting(name) for name in changed], note)
        else:
            name = args.item.upper()
            if name not in ITEMS:
                near = [item for item in ITEMS if name in item] or [item for item in ITEMS if item.startswith(name[:2])]
                raise UsageError(f"there is no setting {args.item}" + (f"; there is {listed(near)}" if near else ""))
            if args.value is not None:
                _change(name, args.value)
            note = ""
            if name == "SERIALIZER" and not config.told(name):
                note = f"nobody set it, so notebooks speak {AUTO}"
            section = Section("Setting", _SETTING, [_setting(name)], note)
        show(sections_text([section]), sections_html("settings", [section]))

    @arguments.magic_arguments()
    @arguments.argument("names", nargs="*", metavar="NAME", help="variable with a proxy, or name of a served object")
    @line_magic
    def pyro_close(self, line: str) -> None:
        """Close the connections of proxies, and stop serving objects; without names, close those of all proxies.

        Proxies connect again when they are used::

            %pyro_close
            %pyro_close cam lab.counter
        """
        __tracebackhide__ = True
        args = parse(self.pyro_close, line, "%pyro_close cam")
        proxies = proxies_in(self.shell.user_ns)
        served = {each.name for each in self._publisher.served}
        for name in args.names:
            if name not in proxies and name not in served:
                proxy_named(name, self.shell.user_ns)
        closed = [n for n in args.names or proxies if n in served or proxies[n]._pyro.connected]
        for name in args.names or proxies:
            if name in proxies:
                proxies[name]._pyroRelease()
            if name in served and name in args.names:
                self._publisher.withdraw(name)
        print(f"closed: {listed(closed, 50)}" if closed else "Nothing was open.")  # noqa: T201 - a magic prints


def _registered(yes: bool) -> Cell:
    return Cell("registered", "good") if yes else Cell("not registered", "muted")


def _callbacks() -> Section:
    now = time.time()
    rows = [
        [
            Cell(each.name, "code"),
            Cell(listed(each.to)),
            Cell(each.way),
            Cell(str(each.calls)),
            Cell(str(each.errors), "bad" if each.errors else "plain"),
            Cell("never" if each.last is None else _ago(now - each.last)),
        ]
        for each in given_out()
    ]
    note = f"{len(rows)}" if rows else "none; give a function to a remote method as argument"
    return Section("Called back", ["Function or object", "By", "Over", "Calls", "Errors", "Last"], rows, note)


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 7200 else f"{seconds / 3600:.0f} h ago"


_SETTING = ["Setting", "Value", "Default", "From", "Meaning"]


def _value(name: str) -> Any:
    return getattr(config, name)


def _setting(name: str) -> list[Cell]:
    item, value = ITEMS[name], _value(name)
    source = config.sources().get(name) or ("this program" if config.told(name) else "")
    shown = [_shown(name, value), _shown(name, item.default)]
    return [Cell(name, "code"), Cell(shown[0], "code"), Cell(shown[1], "muted"), Cell(source), Cell(item.meaning)]


def _shown(name: str, value: Any) -> str:
    if name.endswith(_SECRET) and value:
        return "(hidden)"
    return ", ".join(sorted(value)) if isinstance(value, set | frozenset) else repr(value)


def _change(name: str, text: str) -> None:
    """Give an item the value that this text stands for.

    Raises:
        UsageError: it stands for none.
    """
    try:
        setattr(config, name, ITEMS[name].parse(text))
    except (TypeError, ValueError) as error:
        meaning = ITEMS[name].meaning
        raise UsageError(f"{name} {text}: {error}" + ("" if meaning in str(error) else f"; {meaning}")) from None
