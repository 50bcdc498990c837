"""The pages of the gateway: pure functions from what is known to HTML.

Every text that comes from elsewhere is escaped, and characters that could hide or reorder text are replaced. The pages
have no scripts; forms do what there is to do.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import quote

from pyronb.gateway.objects import Listed
from pyronb.rpc.metadata import Metadata, parse_signature
from pyronb.version import __version__

__all__ = ["POLICY", "index_page", "key_page", "object_page", "trouble_page"]

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-src 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Content security policy of the pages: no scripts, nothing from elsewhere."""

MAX_LISTED = 1000
"""Most names on the index."""
MAX_MEMBERS = 200
"""Most methods and attributes of an object that are shown."""
MAX_TEXT = 1000
"""Most characters of one text."""

_STYLE = """
:root{color-scheme:light dark;--text:#1d2433;--soft:#5a6478;--back:#fff;--card:#f5f7fa;--line:#d5dbe5;--link:#0b57c2;
 --bad:#b3261e}
@media (prefers-color-scheme:dark){:root{--text:#e3e7ef;--soft:#9fa9bb;--back:#14181f;--card:#1c222c;--line:#343d4c;
 --link:#8ab4f8;--bad:#f2938c}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;color:var(--text);background:var(--back);
 font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.4rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.05rem;margin:1.6rem 0 .5rem}
a,button.link{color:var(--link);overflow-wrap:anywhere}
button.link{font:inherit;background:none;border:0;padding:0;text-decoration:underline;cursor:pointer;text-align:left}
p{margin:.4rem 0}
.soft{color:var(--soft)}
.bad{color:var(--bad)}
.doc{white-space:pre-wrap;margin:.2rem 0 .5rem}
code,textarea,iframe{font-family:ui-monospace,monospace;font-size:.9rem;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:.4rem;padding:.7rem .9rem;margin:.6rem 0}
.tag{display:inline-block;border:1px solid var(--line);border-radius:.7rem;padding:0 .5rem;margin-right:.3rem;
 font-size:.85rem;color:var(--soft)}
textarea,input{width:100%;padding:.4rem .5rem;color:var(--text);background:var(--back);border:1px solid var(--soft);
 border-radius:.3rem}
label{display:block;font-size:.85rem;color:var(--soft)}
form.call button,form.key button{margin-top:.4rem;padding:.3rem .9rem;font:inherit;color:inherit;background:var(--back);
 border:1px solid var(--soft);border-radius:.3rem;cursor:pointer}
iframe{width:100%;height:9rem;border:1px solid var(--line);border-radius:.4rem;background:var(--back)}
.answer{position:sticky;bottom:0;background:var(--back);border-top:1px solid var(--line);padding:.3rem 0 .8rem}
.answer h2{margin:.2rem 0 .4rem}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
"""


def index_page(
    listed: list[Listed], known: Mapping[str, Metadata | str], expose: str, name_server: str, key: str = ""
) -> str:
    """Make the index of the exposed objects.

    Args:
        listed: the exposed registrations.
        known: what some of the objects expose, by name; a text says why one could not be asked.
        expose: the regular expression of exposed names.
        name_server: where they are registered.
        key: the gateway's key, which the links have to carry.
    """
    pattern = f"match <code>{_text(expose)}</code>" if expose else "are registered there"
    parts = [
        "<h1>Remote objects over HTTP</h1>",
        f'<p class="soft">Objects in the name server at {_text(name_server)} whose names {pattern}</p>',
    ]
    if not listed:
        parts.append(
            "<p>There are none. Register an object under such a name, or start the gateway with another pattern: "
            "<code>pyronb gateway --expose</code>.</p>"
        )
    for entry in listed[:MAX_LISTED]:
        tags = "".join(f'<span class="tag">{_text(tag)}</span>' for tag in entry.tags[:20])
        about = known.get(entry.name)
        parts.append(f'<div class="card"><div>{_link(entry.name, key)} {tags}</div>{_summary(about)}</div>')
    if len(listed) > MAX_LISTED:
        parts.append(f'<p class="soft">{len(listed) - MAX_LISTED} more are not shown.</p>')
    return _page("Remote objects over HTTP", parts)


def _summary(about: Metadata | str | None) -> str:
    if about is None:
        return ""
    if isinstance(about, str):
        return f'<p class="bad">{_text(about)}</p>'
    methods = ", ".join(f"<code>{_text(name)}</code>" for name in sorted(about.methods)[:MAX_MEMBERS])
    attributes = ", ".join(f"<code>{_text(name)}</code>" for name in sorted(about.attributes)[:MAX_MEMBERS])
    doc = about.details.doc.partition("\n")[0] if about.details else ""
    rows = [f"<p>{_text(doc)}</p>"] if doc else []
    rows += [f'<p class="soft">methods: {methods}</p>'] if methods else []
    rows += [f'<p class="soft">attributes: {attributes}</p>'] if attributes else []
    return "".join(rows)


def _link(name: str, key: str) -> str:
    """Lead to the page of an object; with a key by a form, for a key in an address ends up in logs."""
    if key:
        return (
            f'<form method="post" action="./">{_hidden("$key", key)}'
            f'<button class="link" name="name" value="{_value(name)}">{_text(name)}</button></form>'
        )
    return f'<a href="./?name={quote(name, safe="", errors="replace")}">{_text(name)}</a>'


def object_page(name: str, about: Metadata, key: str = "", *, post_only: bool = False) -> str:
    """Make the page of one object: what it exposes, each with a form to try it."""
    details = about.details
    back = (
        f'<form method="post" action="./">{_hidden("$key", key)}<button class="link">all objects</button></form>'
        if key
        else '<p><a href="./">all objects</a></p>'
    )
    parts = [back, f"<h1>{_text(name)}</h1>"]
    if details is not None:
        parts.append(f'<p class="soft"><code>{_text(details.class_name)}</code></p>')
        parts.append(_doc(details.doc))
    where = quote(name, safe="", errors="replace")
    methods, attributes = sorted(about.methods), sorted(about.attributes)
    parts.append("<h2>Methods</h2>" if methods else "")
    parts += [_method(where, method, about, key) for method in methods[:MAX_MEMBERS]]
    parts.append("<h2>Attributes</h2>" if attributes else "")
    parts += [_attribute(where, attribute, about, key) for attribute in attributes[:MAX_MEMBERS]]
    left_out = max(len(methods) - MAX_MEMBERS, 0) + max(len(attributes) - MAX_MEMBERS, 0)
    if left_out:
        parts.append(f'<p class="soft">{left_out} more are not shown.</p>')
    parts.append(_programs(where, post_only=post_only))
    parts.append('<div class="answer"><h2>Answer</h2><iframe name="answer" title="Answer"></iframe></div>')
    return _page(name, parts)


def _method(where: str, method: str, about: Metadata, key: str) -> str:
    known = about.method(method)
    oneway = '<span class="tag">oneway</span>' if method in about.oneway else ""
    call = f'<button aria-label="Call {_text(method)}">Call</button>'
    if known.signature.partition(")")[0] != "(":
        call = (
            "<label>Arguments: a JSON object by name, or a JSON array by position"
            f'<textarea name="$json" rows="2" spellcheck="false">{_text(_example(known.signature))}</textarea>'
            f"</label>{call}"
        )
    return (
        f'<div class="card"><div><code><b>{_text(method)}</b>{_text(known.signature or "(...)")}</code> {oneway}</div>'
        f"{_doc(known.doc)}{_form(where, method, key, call)}</div>"
    )


def _attribute(where: str, attribute: str, about: Metadata, key: str) -> str:
    known = about.attribute(attribute)
    kind = f": {known.type}" if known.type else ""
    read = f'<button aria-label="Read {_text(attribute)}">Read</button>'
    return (
        f'<div class="card"><div><code><b>{_text(attribute)}</b>{_text(kind)}</code></div>'
        f"{_doc(known.doc)}{_form(where, attribute, key, read)}</div>"
    )


def _form(where: str, member: str, key: str, inside: str) -> str:
    action = f"{where}/{quote(member, safe='', errors='replace')}"
    hidden = _hidden("$key", key) if key else ""
    return f'<form class="call" method="post" target="answer" action="{action}">{hidden}{inside}</form>'


def _programs(where: str, *, post_only: bool) -> str:
    get = "" if post_only else f"<p><code>GET {_text(where)}/METHOD?name=text</code> passes texts.</p>"
    return (
        '<h2>For programs</h2><div class="card">'
        f"<p><code>POST {_text(where)}/METHOD</code> with a body of <code>application/json</code>.</p>{get}"
        f"<p><code>GET {_text(where)}/$meta</code> lists methods and attributes.</p></div>"
    )


def _example(signature: str) -> str:
    """Write arguments to start from: those without a default."""
    parsed = parse_signature(signature) if signature else None
    if parsed is None:
        return "{}"
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [p.name for p in parsed.parameters.values() if p.kind in kinds and p.default is p.empty]
    return json.dumps(dict.fromkeys(needed, ""), ensure_ascii=False)


def key_page(*, wrong: bool) -> str:
    """Make the page that asks for the gateway's key."""
    note = '<p class="bad">This key is not the right one.</p>' if wrong else ""
    form = (
        '<form class="key" method="post" action="./"><label>Key<input type="password" name="$key" '
        'autocomplete="current-password" required autofocus></label><button>Enter</button></form>'
    )
    return _page("Key needed", ["<h1>This gateway has a key</h1>", note, form])


def trouble_page(what: str, hint: str) -> str:
    """Make the page that says why there is nothing to show."""
    return _page("Nothing to show", ["<h1>Nothing to show</h1>", f'<p class="bad">{_text(what)}</p>', f"<p>{hint}</p>"])


def _page(title: str, parts: Iterable[str]) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{_text(title)}</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(parts)}</main>"
        f'<footer class="soft"><p>pyronb {_text(__version__)}</p></footer></body></html>\n'
    )


def _hidden(name: str, value: str) -> str:
    return f'<input type="hidden" name="{_value(name)}" value="{_value(value)}">'


def _value(text: str) -> str:
    """Write a text that is sent back as it is; what one does not see in the source is written by its number."""
    return "".join(escape(c) if c.isprintable() else f"&#x{ord(c):x};" for c in text)


def _doc(text: str) -> str:
    return f'<p class="doc">{_text(text)}</p>' if text else ""


def _text(text: str) -> str:
    """Write a text: escaped, not too long, and without characters that one does not see."""
    shown = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
    return escape("".join(c if c.isprintable() or c == "\n" else "�" for c in shown))
