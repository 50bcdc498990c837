"""All storages do the same: whatever is done to them, they agree with a plain dict."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyronb.nameserver.daemon import open_storage
from pyronb.nameserver.storage import beyond

NAMES = st.text("ab%_\U0010ffff\ud7ff", max_size=3)
URIS = st.sampled_from(["PYRO:x@localhost:1", "PYRO:x@localhost:2"])
TAGS = st.frozensets(st.sampled_from("xyz"))

PUT = st.tuples(st.just("put"), NAMES, URIS, TAGS, st.booleans())
SET_TAGS = st.tuples(st.just("set_tags"), NAMES, TAGS)
REMOVE = st.tuples(st.just("remove"), st.lists(NAMES, max_size=4))
REMOVE_UNCHANGED = st.tuples(st.just("remove_unchanged"), NAMES, URIS)


class Plain:
    """What a storage does, without any index."""

    def __init__(self):
        self.kept = {}

    def put(self, name, uri, tags, *, replace):
        if name in self.kept and not replace:
            return False
        self.kept[name] = (uri, tags)
        return True

    def set_tags(self, name, tags):
        if name in self.kept:
            self.kept[name] = (self.kept[name][0], tags)
        return name in self.kept

    def remove(self, names):
        return sum(self.kept.pop(name, None) is not None for name in names)

    def remove_unchanged(self, name, uri):
        return name in self.kept and self.kept[name][0] == uri and bool(self.remove([name]))


def do(storage, step):
    match step:
        case ("put", name, uri, tags, replace):
            return storage.put(name, uri, tags, replace=replace)
        case (method, *args):
            return getattr(storage, method)(*args)


@pytest.mark.parametrize("kind", ["memory", "sql"])
@settings(max_examples=60)
@given(st.lists(PUT | SET_TAGS | REMOVE | REMOVE_UNCHANGED, max_size=25), NAMES, st.frozensets(st.sampled_from("xyz!")))
def test_they_agree_with_a_plain_dict(kind, steps, prefix, tags):
    """After any steps, in whatever is asked."""
    with tempfile.TemporaryDirectory() as folder:
        storage, plain = open_storage(kind if kind == "memory" else f"sql:{Path(folder) / 'names.db'}"), Plain()
        try:
            for step in steps:
                assert do(storage, step) == do(plain, step)
            kept = plain.kept
            starting = {name: entry for name, entry in kept.items() if name.startswith(prefix)}
            assert storage.count() == len(kept)
            assert storage.entries() == kept
            assert storage.uris() == {name: uri for name, (uri, _) in kept.items()}
            assert storage.entries(prefix) == starting
            assert storage.uris(prefix) == {name: uri for name, (uri, _) in starting.items()}
            assert storage.get(prefix) == kept.get(prefix)
            having = {name: entry for name, entry in kept.items() if tags <= entry[1]}
            assert storage.with_tags(tags, every=True) == having
            assert storage.with_tags(tags, every=False) == {
                name: entry for name, entry in kept.items() if tags & entry[1]
            }
        finally:
            storage.close()


@given(NAMES, NAMES)
def test_what_is_beyond_a_prefix(prefix, name):
    """The texts that start with it are all those from it on and before that."""
    last = beyond(prefix)

    assert name.startswith(prefix) == (prefix <= name and (last is None or name < last))


def test_many_are_removed_at_once():
    """The order of the rest is kept."""
    storage = open_storage("memory")
    for number in range(1000):
        storage.put(f"{number % 10}.{number}", "PYRO:x@localhost:1", frozenset({"x"}), replace=True)
    assert storage.remove(f"3.{number}" for number in range(1000)) == 100
    assert storage.remove(f"{number % 10}.{number}" for number in range(500)) == 450

    assert storage.uris("3") == {}
    assert list(storage.uris("7.")) == sorted(f"7.{number}" for number in range(507, 1000, 10))
    assert len(storage.with_tags(["x"], every=True)) == storage.count() == 450
