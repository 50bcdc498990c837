"""Inspection of remote members, `proxy.member?` and Shift-Tab, from what the proxy knows: nothing is asked for.

IPython finds what it inspects by `getattr`, which for a remote attribute would fetch its value over the network, while
one types and again while Contextual Help is open. So members of proxies are found here instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.core.oinspect import OInfo

from pyronb.client.face import never_remote
from pyronb.sync.proxy import Proxy

__all__ = ["Inspection", "RemoteAttribute"]


_ANYTHING = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


class RemoteAttribute:
    """Stands for an attribute of a remote object where it is inspected rather than read."""

    def __init__(self, text: str, doc: str) -> None:
        """Show this text, and this documentation."""
        self._text = text
        self.__doc__ = doc

    def __repr__(self) -> str:
        """Show which attribute it is."""
        return self._text


class Inspection:
    """Has one shell find the members of proxies without the network."""

    def __init__(self, shell: InteractiveShell) -> None:
        """Prepare for this shell; `install` changes it."""
        self._shell = shell
        self._find: Callable[..., OInfo] = shell._ofind

    def install(self) -> None:
        """Look here first."""
        # On the instance: the class, and with it every other shell, stays as it is.
        vars(self._shell)["_ofind"] = self._look

    def remove(self) -> None:
        """Leave it to IPython again."""
        if vars(self._shell).get("_ofind") == self._look:
            del vars(self._shell)["_ofind"]

    def _look(self, oname: str, namespaces: Any = None) -> OInfo:
        head, dot, member = oname.strip().partition(".")
        proxy = self._shell.user_ns.get(head)
        if not dot or not isinstance(proxy, Proxy) or namespaces is not None or never_remote(proxy._pyro, member):
            return self._find(oname, namespaces)
        obj = member_of(proxy, member)
        found = obj is not None
        return OInfo(
            ismagic=False, isalias=False, found=found, namespace="Interactive" if found else None, parent=proxy, obj=obj
        )


def _nowhere() -> None:
    """Lend its code to the functions that are shown."""


def _function(method: Any) -> Any:
    """Give a function that looks like a remote method, without the call signature and the file of our own class."""
    code = _nowhere.__code__.replace(co_filename="<string>", co_name=method.__name__)
    function: Any = FunctionType(code, {}, method.__name__)
    function.__doc__ = method.__doc__
    signature = getattr(method, "__signature__", None)
    function.__signature__ = signature if signature is not None else _ANYTHING
    return function


def member_of(proxy: Proxy, name: str) -> Any:
    """Give what stands for a member of a remote object; None when it has none of this name. No network is touched."""
    link = proxy._pyro
    known = link.metadata
    if known is None:
        return RemoteAttribute(f"<{name!r} of {link.uri}>", "Nothing is known of it yet: the proxy was not connected.")
    if name in known.methods:
        return _function(getattr(proxy, name))
    if name not in known.attributes:
        return None
    details = known.attribute(name)
    kind = f": {details.type}" if details.type else ""
    access = {True: "read and write", False: "read only", None: "access unknown"}[details.writable]
    text = f"<remote attribute {name!r}{kind} of {link.uri}; {access}>"
    return RemoteAttribute(text, details.doc or "No documentation was told.")
