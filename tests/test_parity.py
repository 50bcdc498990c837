"""Both rooms have the same words: what one has, the other has too, or the list here says why not."""

from __future__ import annotations

import inspect

import pytest

import pyronb
import pyronb.aio
from pyronb.aio.batch import BatchProxy as AioBatchProxy
from pyronb.aio.proxy import Proxy as AioProxy
from pyronb.sync.batch import BatchProxy
from pyronb.sync.proxy import Proxy

# A thing of one room alone, and why.
SYNC_ONLY = {
    "_pyroAsync": "calls in threads; here all calls are asynchronous",
    "_pyroResults": "the list itself, for other parts of the house",
    "_pyroResultsAsync": "the same in a thread",
    "__setstate__": "pickles of real Pyro4, which knows no other room",
    "__enter__": "its twin is __aenter__",
    "__exit__": "its twin is __aexit__",
    **dict.fromkeys(
        ("__len__", "__getitem__", "__setitem__", "__delitem__", "__contains__", "__iter__"),
        "Python does not await them: call the method by its name",
    ),
}
AIO_ONLY = {
    "_pyroSet": "an assignment cannot be awaited",
    "__aenter__": "its twin is __enter__",
    "__aexit__": "its twin is __exit__",
}
NOT_AWAITED = {"_pyroClaimOwnership", "_pyroBatch", "_pyroAnnotations"}


def words(kind):
    """The names that a class gives its users."""
    found = {name for base in kind.__mro__ for name in vars(base) if name.startswith("_pyro") and name[5:6].isupper()}
    return found | {name for name in vars(kind) if name.startswith("__") and callable(getattr(kind, name))}


@pytest.mark.parametrize(
    ("here", "there"),
    [(Proxy, AioProxy), (BatchProxy, AioBatchProxy)],
    ids=["Proxy", "BatchProxy"],
)
def test_same_words(here, there):
    """But for those that are listed above."""
    assert set() == words(here) - words(there) - set(SYNC_ONLY)
    assert set() == words(there) - words(here) - set(AIO_ONLY)


def test_same_parameters():
    """Each method takes the same, under the same names, with the same defaults."""
    both = (words(Proxy) & words(AioProxy)) | {"__init__"}
    for name in both:
        ours, theirs = getattr(Proxy, name), getattr(AioProxy, name)
        if inspect.isfunction(ours) and name.startswith("_pyro"):
            assert parameters(ours) == parameters(theirs), name
    for name in ("locateNS", "resolve", "batch"):
        assert parameters(getattr(pyronb, name)) == parameters(getattr(pyronb.aio, name)), name


def parameters(function):
    return [(each.name, each.kind, each.default) for each in inspect.signature(function).parameters.values()]


def test_what_talks_is_awaited():
    """Every method that does I/O is a coroutine function there, and none of the others is."""
    for name in ("_pyroBind", "_pyroRelease", "_pyroReconnect", "_pyroPing", "_pyroSet"):
        assert inspect.iscoroutinefunction(getattr(AioProxy, name)), name
    for name in NOT_AWAITED:
        assert not inspect.iscoroutinefunction(getattr(AioProxy, name)), name


def test_public_names():
    """What is in the room is among the names of the package, but for what needs no twin."""
    assert set() == set(pyronb.aio.__all__) - set(pyronb.__all__)
    assert {"Proxy", "batch", "locateNS", "resolve"} == set(pyronb.aio.__all__)
