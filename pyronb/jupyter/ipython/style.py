"""The look of everything that is shown in a cell: one small style, JupyterLab's own variables, no scripts.

JupyterLab styles every table in an output; the doubled class outweighs that. Where there is no JupyterLab the
variables are unknown and the fallbacks are colours that work on light and dark alike.
"""

from __future__ import annotations

from html import escape

__all__ = ["block", "chip", "clean", "clock", "code", "muted", "shorten", "table", "text_table"]

STYLE = """<style>
.pyronb-view.pyronb-view{max-width:64rem;font-family:var(--jp-ui-font-family,system-ui,sans-serif);
 font-size:var(--jp-ui-font-size1,13px);line-height:1.5;color:var(--jp-content-font-color1,inherit)}
.pyronb-view.pyronb-view .pyronb-head{display:flex;flex-wrap:wrap;align-items:baseline;column-gap:.6em;margin:0 0 .15em}
.pyronb-view.pyronb-view .pyronb-scroll+.pyronb-head,.pyronb-view.pyronb-view~.pyronb-view{margin-top:.9em}
.pyronb-view.pyronb-view .pyronb-title{font-weight:600;font-size:1.1em;overflow-wrap:anywhere}
.pyronb-view.pyronb-view .pyronb-muted{color:var(--jp-content-font-color2,inherit);overflow-wrap:anywhere}
.pyronb-view.pyronb-view .pyronb-doc{margin:.15em 0 .4em;white-space:pre-wrap}
.pyronb-view.pyronb-view details.pyronb-fold,.pyronb-view.pyronb-view details.pyronb-fold>summary{display:inline}
.pyronb-view.pyronb-view details.pyronb-fold>summary{cursor:pointer}
.pyronb-view.pyronb-view details.pyronb-fold>summary::after{content:" …";color:var(--jp-content-link-color,#06c)}
.pyronb-view.pyronb-view details.pyronb-fold[open]>summary::after{content:""}
.pyronb-view.pyronb-view code.pyronb-code{font-family:var(--jp-code-font-family,monospace);font-size:.95em;padding:0;
 color:inherit;background:none;white-space:pre-wrap;overflow-wrap:anywhere}
.pyronb-view.pyronb-view .pyronb-chip{display:inline-block;padding:0 .45em;margin:0 .3em 0 0;border-radius:.7em;
 font-size:.88em;border:1px solid var(--jp-border-color1,#8886);color:var(--jp-content-font-color2,inherit)}
.pyronb-view.pyronb-view .pyronb-bad{color:var(--jp-error-color1,#d33)}
.pyronb-view.pyronb-view .pyronb-good{color:var(--jp-success-color1,#388e3c)}
.pyronb-view.pyronb-view .pyronb-scroll{overflow-x:auto;margin:.35em 0 0}
.pyronb-view.pyronb-view table.pyronb-table{border-collapse:collapse;border:0;margin:0;table-layout:auto;
 font-size:inherit;color:inherit;width:auto}
.pyronb-view.pyronb-view table.pyronb-table th,.pyronb-view.pyronb-view table.pyronb-table td{text-align:left;
 vertical-align:baseline;padding:.15em .9em .15em 0;border:0;border-bottom:1px solid var(--jp-border-color2,#8884);
 max-width:36rem;white-space:normal;overflow-wrap:break-word;background:none}
.pyronb-view.pyronb-view table.pyronb-table code.pyronb-code{overflow-wrap:break-word}
.pyronb-view.pyronb-view table.pyronb-table th{font-weight:600;color:var(--jp-content-font-color2,inherit)}
.pyronb-view.pyronb-view table.pyronb-table tbody tr,.pyronb-view.pyronb-view table.pyronb-table tbody tr:hover
 {background:none}
.pyronb-view.pyronb-view table.pyronb-table tr:last-child td{border-bottom:0}
.pyronb-view.pyronb-view table.pyronb-table td.pyronb-number{text-align:right;font-variant-numeric:tabular-nums;
 color:var(--jp-content-font-color2,inherit)}
</style>"""

_SHOWN = 120
"""Most characters of a text that are shown, unless more are asked for."""


def clean(text: str) -> str:
    """Make remote text harmless to show: control characters become visible, so that no terminal obeys them."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def shorten(text: str, limit: int = _SHOWN) -> str:
    """Give the text in one line of at most `limit` characters, with an ellipsis where something was left out."""
    line = " ".join(clean(text[: limit * 8]).split())
    return line if len(line) <= limit and len(text) <= limit * 8 else line[: limit - 1] + "…"


def clock(seconds: float) -> str:
    """Write a time span as people read it."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def code(text: str) -> str:
    """Show program text."""
    return f'<code class="pyronb-code">{escape(clean(text))}</code>'


def muted(text: str) -> str:
    """Show text of lesser weight."""
    return f'<span class="pyronb-muted">{escape(clean(text))}</span>'


def chip(text: str) -> str:
    """Show a tag."""
    return f'<span class="pyronb-chip">{escape(clean(text))}</span>'


def block(kind: str, *parts: str) -> str:
    """Put parts that are HTML already into one view; `kind` becomes a class to select it by."""
    return f'{STYLE}<div class="pyronb-view pyronb-{kind}">{"".join(parts)}</div>'


def table(heads: list[str], rows: list[list[str]], *, numbered: bool = False) -> str:
    """Make a table of cells that are HTML already; with `numbered` the first column holds numbers."""
    first = ' class="pyronb-number"' if numbered else ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(
        "<tr>" + "".join(f"<td{first if not i else ''}>{cell}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="pyronb-scroll"><table class="pyronb-table"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def text_table(rows: list[list[str]], *, indent: str = "  ") -> list[str]:
    """Align rows of plain text in columns, one line a row."""
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(max(map(len, rows), default=0))]
    return [indent + "  ".join(f"{cell:<{widths[i]}}" for i, cell in enumerate(row)).rstrip() for row in rows]
