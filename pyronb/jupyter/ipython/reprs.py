"""How things are shown in a cell: pure functions, model in, escaped HTML or plain text out.

Nothing here does I/O, and every text that came from another machine is escaped. `style.py` holds the look.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, TypeVar

from pyronb.jupyter.ipython.style import block, chip, clean, clock, code, muted, shorten, table, text_table
from pyronb.jupyter.models import AttributeModel, MethodModel, NamesModel, ObjectModel
from pyronb.news import Progress

__all__ = [
    "BatchRow",
    "Wait",
    "batch_html",
    "batch_text",
    "connections_html",
    "connections_text",
    "future_html",
    "names_html",
    "names_text",
    "note_html",
    "object_html",
    "object_text",
    "progress_facts",
    "status_html",
    "status_text",
    "uri_html",
    "waiting_html",
    "waiting_text",
]

MAX_MEMBERS = 10
"""Most methods, and most attributes, of an object that are listed unless more are asked for."""
MAX_NAMES = 50
"""Most names of a name server that are listed."""
MAX_ROWS = 20
"""Longer batches show this many rows, half of them from either end."""

_TEXT_BAR = 20
"""Characters of a bar in plain text."""
_EXACT = 10**15
"""Numbers beyond it are shown in short."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One call of a batch as it is shown."""

    call: str
    state: Literal["ok", "error", "not run"]
    outcome: str
    """The result, or the error, as text; empty when the call was not run."""


# A remote object


def _latency(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _signature(method: MethodModel) -> str:
    return method["name"] + (method["signature"] or "(...)")


def _attribute(attribute: AttributeModel) -> str:
    return attribute["name"] + (f": {attribute['type']}" if attribute["type"] else "")


def _notes(method: MethodModel) -> list[str]:
    return ["oneway"] if method["oneway"] else []


def _access(attribute: AttributeModel) -> list[str]:
    return ["read-only"] if attribute["writable"] is False else []


def _first_line(doc: str) -> str:
    return shorten(doc.strip().partition("\n")[0])


def _facts(model: ObjectModel) -> list[str]:
    """What is known of the connection, for a line of its own."""
    latency = _latency(model["latency"])
    spoken = f"speaks {model['serializer']}" if model["serializer"] else ""
    return [fact for fact in (model["server"], spoken, f"connected in {latency}" if latency else "") if fact]


def _trouble(model: ObjectModel | NamesModel) -> str:
    return " ".join(part for part in (model["reason"], model["hint"]) if part)


def object_text(model: ObjectModel, *, variable: str = "", limit: int | None = MAX_MEMBERS) -> str:
    """Show a remote object as plain text; `limit` is how many methods and attributes are listed, None for all."""
    title = model["name"] or model["uri"]
    lines = [clean(f"{variable} = {title}" if variable else title)]
    lines += [f"  {shorten(fact)}" for fact in [model["uri"] if model["name"] else "", *_facts(model)] if fact]
    if model["class_name"] or model["doc"]:
        lines.append("  " + " - ".join(filter(None, (clean(model["class_name"]), _first_line(model["doc"])))))
    if model["state"] != "ok":
        return "\n".join([*lines, f"  {model['state']}: {clean(_trouble(model))}"])
    methods, attributes = model["methods"], model["attributes"]
    if methods:
        rows = [[shorten(_signature(m)), _explained(_notes(m), m["doc"])] for m in methods[:limit]]
        lines += ["methods:", *text_table(rows), *_more(len(methods), limit)]
    if attributes:
        rows = [[shorten(_attribute(a)), _explained(_access(a), a["doc"])] for a in attributes[:limit]]
        lines += ["attributes:", *text_table(rows), *_more(len(attributes), limit)]
    if not methods and not attributes:
        lines.append("  it exposes nothing")
    return "\n".join(lines)


def _explained(notes: list[str], doc: str) -> str:
    return " ".join([*(f"[{note}]" for note in notes), *filter(None, [_first_line(doc)])])


def _more(total: int, limit: int | None) -> list[str]:
    return [f"  … {total - limit} more"] if limit is not None and total > limit else []


def object_html(model: ObjectModel, *, variable: str = "", note: str = "", limit: int | None = MAX_MEMBERS) -> str:
    """Show a remote object as a card; `note` is a sentence to go with it, `limit` as in `object_text`."""
    title = escape(clean(model["name"] or model["uri"]))
    parts = [
        '<div class="pyronb-head">',
        f"{code(variable)}{muted('=')}" if variable else "",
        f'<span class="pyronb-title">{title}</span>',
        muted(" · ".join(_facts(model))) if _facts(model) else "",
        "</div>",
        f"<div>{muted(model['uri'])}</div>" if model["name"] and model["uri"] else "",
        f"<div>{''.join(map(chip, model['tags']))}</div>" if model["tags"] else "",
        f"<div>{muted(note)}</div>" if note else "",
    ]
    if model["state"] != "ok":
        return block("card", *parts, _trouble_html(model))
    if model["class_name"] or model["doc"]:
        doc = _folded(model["doc"]) if limit is None else escape(clean(_first_line(model["doc"])))
        known = [code(model["class_name"]) if model["class_name"] else "", doc]
        parts.append(f'<div class="pyronb-doc">{" - ".join(filter(None, known))}</div>')
    methods, attributes = model["methods"], model["attributes"]
    if methods:
        rows = [[code(_signature(m)), _explained_html(_notes(m), m["doc"], limit)] for m in methods[:limit]]
        parts += [_members_html("Method", rows), _more_html(len(methods), limit)]
    if attributes:
        rows = [[code(_attribute(a)), _explained_html(_access(a), a["doc"], limit)] for a in attributes[:limit]]
        parts += [_members_html("Attribute", rows), _more_html(len(attributes), limit)]
    if not methods and not attributes and not note:
        parts.append(f"<div>{muted('It exposes nothing.')}</div>")
    return block("card", *parts)


def _members_html(head: str, rows: list[list[str]]) -> str:
    """Leave out the column of explanations when there are none, as with Pyro's own servers."""
    if any(row[1] for row in rows):
        return table([head, "About"], rows)
    return table([head], [row[:1] for row in rows])


def _explained_html(notes: list[str], doc: str, limit: int | None) -> str:
    return "".join(map(chip, notes)) + (_folded(doc) if limit is None else escape(clean(_first_line(doc))))


def _folded(doc: str) -> str:
    """Show the first line, and the rest when it is asked for, so that a long text hides nothing else."""
    first, _, rest = doc.strip().partition("\n")
    if not rest.strip():
        return escape(clean(first))
    return (
        f'<details class="pyronb-fold"><summary>{escape(clean(first))}</summary>'
        f'<div class="pyronb-doc">{escape(clean(rest.strip()))}</div></details>'
    )


def _more_html(total: int, limit: int | None) -> str:
    return "".join(f"<div>{muted(line.strip())}</div>" for line in _more(total, limit))


def _trouble_html(model: ObjectModel | NamesModel) -> str:
    hint = f"<div>{escape(clean(model['hint']))}</div>" if model["hint"] else ""
    state = escape(model["state"])
    return f'<div><span class="pyronb-bad">● {state}</span> {escape(clean(model["reason"]))}</div>{hint}'


# Several remote objects


def connections_text(rows: Sequence[tuple[str, ObjectModel]]) -> str:
    """Show objects that were connected to, each with its variable, as plain text."""
    lines = [[clean(variable), shorten(model["name"] or model["uri"]), *_connection(model)] for variable, model in rows]
    return "\n".join([f"{_objects(len(rows))} connected", *text_table(lines)])


def connections_html(rows: Sequence[tuple[str, ObjectModel]]) -> str:
    """Show objects that were connected to, each with its variable, as a table."""
    head = f'<div class="pyronb-head"><span class="pyronb-title">{_objects(len(rows))} connected</span></div>'
    cells = [
        [
            code(variable),
            f"<strong>{escape(clean(shorten(model['name'] or model['uri'])))}</strong>",
            *(escape(clean(text)) for text in _connection(model)),
            "".join(map(chip, model["tags"])),
        ]
        for variable, model in rows
    ]
    return block("connections", head, table(["Variable", "Object", "About", "Offers", "Server", "Tags"], cells))


def _connection(model: ObjectModel) -> list[str]:
    about = " - ".join(filter(None, (model["class_name"].rpartition(".")[2], _first_line(model["doc"]))))
    methods, attributes = len(model["methods"]), len(model["attributes"])
    offers = f"{methods} method{'s' * (methods != 1)}, {attributes} attribute{'s' * (attributes != 1)}"
    return [about, offers, " · ".join(_facts(model))]


def _objects(count: int) -> str:
    return f"{count} object{'s' * (count != 1)}"


# The names of a name server


def names_text(model: NamesModel) -> str:
    """Show what a name server knows as plain text."""
    head = f"name server {clean(model['nameserver']['address'])}"
    if model["state"] != "ok":
        return f"{head}: {model['state']}: {clean(_trouble(model))}"
    rows = [
        [shorten(entry["name"]), shorten(entry["uri"]), shorten(", ".join(entry["tags"]))]
        for entry in model["names"][:MAX_NAMES]
    ]
    return "\n".join([f"{head}: {_count(model['total'])}", *text_table(rows), *_more(model["total"], MAX_NAMES)])


def names_html(model: NamesModel) -> str:
    """Show what a name server knows as a table."""
    head = (
        f'<div class="pyronb-head"><span class="pyronb-title">Name server</span>{muted(model["nameserver"]["address"])}'
    )
    if model["state"] != "ok":
        return block("names", head, "</div>", _trouble_html(model))
    rows = [
        [f"<strong>{escape(clean(entry['name']))}</strong>", code(entry["uri"]), "".join(map(chip, entry["tags"]))]
        for entry in model["names"][:MAX_NAMES]
    ]
    shown = table(["Name", "URI", "Tags"], rows) if rows else ""
    return block("names", head, muted(_count(model["total"])), "</div>", shown, _more_html(model["total"], MAX_NAMES))


def _count(total: int) -> str:
    return "1 name" if total == 1 else f"{total or 'no'} names"


def status_text(model: NamesModel, *, note: str = "") -> str:
    """Show in one line how the last look at a name server went."""
    server = model["nameserver"]
    if model["state"] != "ok":
        return names_text(model)
    facts = ", ".join(filter(None, [server["server"], _count(model["total"]), note]))
    return f"name server {clean(server['address'])}: {clean(facts)}"


def status_html(model: NamesModel, retry: float | None, *, note: str = "") -> str:
    """Show in one line how the last look at a name server went; `retry` is the seconds until the next one."""
    server = model["nameserver"]
    if model["state"] == "ok":
        facts = " · ".join(filter(None, [server["address"], server["server"], _count(model["total"]), note]))
        return block("status", f'<div role="status"><span class="pyronb-good">● connected</span> {muted(facts)}</div>')
    again = "" if retry is None else muted(f"Trying again in {retry:.0f} s." if retry >= 1 else "Trying again.")
    return block("status", '<div role="status">', _trouble_html(model), again, "</div>")


def note_html(text: str) -> str:
    """Show a sentence where something else would be."""
    return block("note", muted(text))


# A batch


def _summary(rows: Sequence[BatchRow]) -> str:
    done = sum(row.state == "ok" for row in rows)
    if done == len(rows):
        return f"{done} call{'s' if done != 1 else ''}"
    return f"{done} of {len(rows)} calls done, then an error"


def _ends(rows: Sequence[T], gap: Callable[[int], list[T]]) -> list[T]:
    """Give all rows, or both ends of a long list with the gap's rows between them."""
    if len(rows) <= MAX_ROWS:
        return list(rows)
    half = MAX_ROWS // 2
    return [*rows[:half], *gap(len(rows) - 2 * half), *rows[-half:]]


def _around_error(rows: Sequence[BatchRow]) -> list[tuple[str, BatchRow | None]]:
    """Number the rows and choose those that are shown; an error is never among those that are left out."""
    numbered: list[tuple[str, BatchRow | None]] = [(str(i), row) for i, row in enumerate(rows)]
    shown = _ends(numbered, lambda left_out: [(f"… {left_out} more", None)])
    failed = next((pair for pair in numbered if pair[1] is not None and pair[1].state == "error"), None)
    if failed is None or failed in shown:
        return shown
    at, half = numbered.index(failed), MAX_ROWS // 2
    before, after = at - half, len(rows) - half - at - 1
    middle: list[tuple[str, BatchRow | None]] = [(f"… {before} more", None)] if before else []
    middle.append(failed)
    middle += [(f"… {after} more", None)] if after else []
    return [*numbered[:half], *middle, *numbered[-half:]]


def batch_text(rows: Sequence[BatchRow], *, title: str = "batch") -> str:
    """Show the calls of a batch with their results as plain text."""
    if not rows:
        return f"{clean(title)}: no calls"
    lines = [
        [number, shorten(row.call), "not run" if row.state == "not run" else shorten(row.outcome)] if row else [number]
        for number, row in _around_error(rows)
    ]
    full = [line for line in lines if len(line) > 1]
    aligned = iter(text_table(full))
    return "\n".join(
        [f"{clean(title)}: {_summary(rows)}", *(next(aligned) if len(line) > 1 else f"  {line[0]}" for line in lines)]
    )


def batch_html(rows: Sequence[BatchRow], *, title: str = "Batch") -> str:
    """Show the calls of a batch with their results as a table."""
    summary = muted(_summary(rows)) if rows else "no calls"
    head = f'<div class="pyronb-head"><span class="pyronb-title">{escape(clean(title))}</span>{summary}</div>'
    if not rows:
        return block("batch", head)
    cells = [
        [number, code(shorten(row.call)), _outcome_html(row)] if row else ["", muted(number), ""]
        for number, row in _around_error(rows)
    ]
    return block("batch", head, table(["", "Call", "Result"], cells, numbered=True))


def _outcome_html(row: BatchRow) -> str:
    if row.state == "not run":
        return muted("not run")
    if row.state == "error":
        return f'<span class="pyronb-bad">{escape(shorten(row.outcome))}</span>'
    return code(shorten(row.outcome))


# Waiting


@dataclass(frozen=True, slots=True)
class Wait:
    """Something that is waited for, as it is shown: for how long, how it ended, how far it is said to be."""

    what: str
    seconds: float
    end: str = ""
    """How it ended; empty while it goes on."""
    progress: Progress | None = None


def waiting_text(waits: Sequence[Wait], left_out: int = 0) -> str:
    """Say what is waited for; `left_out` is how many more there are, or have been."""
    return "\n".join([*map(_wait_text, waits), *([f"and {left_out} more"] if left_out else [])])


def _wait_text(wait: Wait) -> str:
    said = ", ".join([*_progress_facts(wait), _so_far(wait)])
    fraction = wait.progress.fraction if wait.progress else None
    full = 0 if fraction is None else round(fraction * _TEXT_BAR)
    bar = "" if fraction is None else f"[{'#' * full}{'.' * (_TEXT_BAR - full)}] "
    message = f" ({shorten(wait.progress.message)})" if wait.progress and wait.progress.message else ""
    return f"{clean(wait.what)}: {bar}{said}{message}"


def waiting_html(waits: Sequence[Wait], left_out: int = 0) -> str:
    """Say what is waited for, each with a bar that moves while it goes on."""
    more = f"<div>{muted(f'and {left_out} more')}</div>" if left_out else ""
    return block("waiting", *map(_wait_html, waits), more)


def _wait_html(wait: Wait) -> str:
    message = [shorten(wait.progress.message)] if wait.progress and wait.progress.message else []
    said = muted(" · ".join([*_progress_facts(wait), _so_far(wait), *message]))
    label = escape(clean(shorten(wait.what)))
    fraction = wait.progress.fraction if wait.progress else None
    if fraction is not None:
        bar = f'<progress aria-label="{label}" max="1" value="{fraction:.4f}"></progress> '
    else:
        bar = "" if wait.end else f'<progress aria-label="{label}"></progress> '
    # What changes twenty times a second is not for a screen reader to read out.
    role = "" if wait.progress and not wait.end else ' role="status"'
    return f"<div{role}>{bar}{label} {said}</div>"


def _so_far(wait: Wait) -> str:
    return f"{wait.end} after {clock(wait.seconds)}" if wait.end else f"{clock(wait.seconds)} so far"


def _progress_facts(wait: Wait) -> list[str]:
    told = wait.progress
    return [] if told is None else progress_facts(told, over=bool(wait.end))


def progress_facts(told: Progress, *, over: bool = False) -> list[str]:
    """Tell how far something is, how fast it goes, and how long the rest will take."""
    facts = [f"{told.fraction:.0%}"] if told.fraction is not None else []
    facts.append(f"{_count_of(told.done)} of {_count_of(told.total)}" if told.total else f"{_count_of(told.done)} done")
    rate, remaining = told.rate, told.remaining
    if rate is not None:
        facts.append(f"{rate:.3g}/s" if rate >= 1 else f"{clock(1 / rate)} each")
    if remaining and not over:
        facts.append(f"{clock(remaining)} left")
    return facts


def _count_of(number: float) -> str:
    return f"{int(number):,}" if number == int(number) and abs(number) < _EXACT else f"{number:.4g}"


# Small things


def uri_html(uri: str) -> str:
    """Show an address."""
    return block("uri", code(uri))


def future_html(state: str, outcome: str) -> str:
    """Show a result that arrives later; `state` is pending, running, done, failed or cancelled."""
    kind = {"done": "pyronb-good", "failed": "pyronb-bad"}.get(state, "pyronb-muted")
    shown = f" {code(shorten(outcome))}" if outcome else ""
    return block("future", f'<span class="{kind}">● {escape(state)}</span>{shown}')
