"""LiveView: what all live views have in common, from their first drawing to their end.

A view is drawn on the thread of its `Feed` and by nobody else. What the user does, and what comes in from elsewhere,
is put down under the view's lock and drawn after that.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterable
from typing import Any

import ipywidgets

from pyronb.errors import SerializeError
from pyronb.jupyter.ipython.style import STYLE, clean, muted, shorten
from pyronb.jupyter.widgets.cells import replace_in_cell
from pyronb.jupyter.widgets.feed import Feed
from pyronb.serializers.hooks import HOOKS, SPEAKER
from pyronb.server.references import function_instead, withdraw
from pyronb.sync.proxy import Proxy

__all__ = ["VIEW_MIME", "CallableView", "LiveView", "button", "close_all", "fragment", "row", "with_picture"]

VIEW_MIME = "application/vnd.pyronb.view+json"
"""Has pyronb's lab extension show the saved picture where the live view is not there any more; others ignore it."""

SAVED = "A saved picture: not connected. Run the cell to have the live view."

LIVE_STYLE = """<style>
.pyronb-live .widget-html-content,.pyronb-live .widget-html{line-height:1.5;min-width:0}
.pyronb-live .pyronb-view pre{margin:.3em 0;padding:.4em .6em;max-height:16rem;overflow:auto;white-space:pre-wrap;
 overflow-wrap:anywhere;font-family:var(--jp-code-font-family,monospace);font-size:.92em;line-height:1.4;
 color:inherit;background:var(--jp-layout-color2,#8881)}
.pyronb-live .pyronb-view details>summary{cursor:pointer}
.pyronb-live .pyronb-view .pyronb-time{font-variant-numeric:tabular-nums;white-space:nowrap;
 color:var(--jp-content-font-color2,inherit)}
.pyronb-live .pyronb-line{display:flex;flex-wrap:wrap;column-gap:.8em;align-items:baseline}
.pyronb-live .pyronb-row{border-bottom:1px solid var(--jp-border-color2,#8884)}
.pyronb-live select option,.pyronb-live input{color:var(--jp-ui-font-color1,inherit)}
</style>"""


class LiveView(ipywidgets.VBox):
    """A view in a cell that shows what happens, as it happens.

    Running its cell again closes the view that the cell made before; `close` ends it as well.
    """

    def __init__(self, kind: str, children: Iterable[Any]) -> None:
        # HTML parts are many and change often: the style goes to the browser once.
        super().__init__([ipywidgets.HTML(STYLE + LIVE_STYLE, layout=ipywidgets.Layout(display="none")), *children])
        self.add_class("pyronb-live")
        self.add_class(f"pyronb-live-{kind}")
        self._guard = threading.RLock()
        self._over = False
        self._feed = Feed(self._redraw)
        # Whoever forgets the view forgets the thread.
        weakref.finalize(self, self._feed.stop)
        replace_in_cell(self)

    def _redraw(self) -> float | None:
        with self._guard:
            return None if self._over else self._draw()

    def _draw(self) -> float | None:
        """Bring the view up to date; an unchanged part causes no message. Gives the seconds until the next time."""
        raise NotImplementedError

    def _as_text(self) -> str:
        """Show the present state as plain text, without asking anybody."""
        raise NotImplementedError

    def _as_html(self) -> str:
        """Show the present state for a notebook without its kernel."""
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether the view is over."""
        return self._over

    def close(self) -> None:
        """End the view, its threads and its connections."""
        # ipywidgets also closes, when they are collected, views that could not be made.
        if "_feed" in vars(self) and not self._over:
            with self._guard:
                self._over = True
                self._feed.stop()
                self._end()
                for part in self.children:
                    close_all(part)
        super().close()

    def _end(self) -> None:
        """End what the view has besides its drawing; called once."""

    def __repr__(self) -> str:
        return self._as_text() if "_feed" in vars(self) else f"<{type(self).__name__}, not made>"

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Give the live view, and for a saved notebook what there is to see now."""
        # A view that is closed does not come here: ipywidgets has it shown as plain text.
        return with_picture(super()._repr_mimebundle_(**kwargs), self._as_text(), self._as_html())


def with_picture(live: dict[str, Any] | None, text: str, html: str) -> dict[str, Any]:
    """Put what a saved notebook shows beside what is shown live."""
    # The style is in the picture already.
    return {**(live or {}), VIEW_MIME: {}, "text/plain": text, "text/html": html + fragment("note", muted(SAVED))}


class CallableView(LiveView):
    """A view that remote methods take for a function: it is lent to the far side until it is closed."""

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Take one call; never waits for the browser."""
        self._take(*args, **kwargs)

    def _take(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    def _end(self) -> None:
        # To the far side it is a function of ours, and that function is gone.
        withdraw(self._take)


def _instead(view: CallableView) -> Proxy | None:
    """Give what travels in the place of a view.

    Raises:
        SerializeError: it is closed.
    """
    if view.closed:
        raise SerializeError(f"this {type(view).__name__} is closed and takes no more calls: make another one")
    return function_instead(view._take, SPEAKER.get())


HOOKS.register_substitute(CallableView, _instead)


def close_all(part: Any) -> None:
    """Close a widget and those inside it."""
    for inner in getattr(part, "children", ()):
        close_all(inner)
    part.close()


def fragment(kind: str, *parts: str) -> str:
    """Put parts that are HTML already into one, for a view that has the style already."""
    return f'<div class="pyronb-view pyronb-{kind}">{"".join(parts)}</div>'


def button(text: str, tooltip: str, *, icon: str = "") -> Any:
    """Make a button as wide as its text, which may come from anywhere."""
    made = ipywidgets.Button(
        description=shorten(clean(text), 60), tooltip=tooltip, icon=icon, layout=ipywidgets.Layout(width="auto")
    )
    made.add_class(f"pyronb-button-{text.split(maxsplit=1)[0].casefold()}")
    return made


def row(*parts: Any, align: str = "center", **layout: str) -> Any:
    """Put widgets beside each other; on narrow screens below each other."""
    return ipywidgets.HBox(list(parts), layout=ipywidgets.Layout(align_items=align, width="100%", **layout))
