"""The dbm file: what Pyro4 has written can be used, and the other way round."""

from __future__ import annotations

import dbm
import logging

import pytest

from pyronb.errors import NamingError
from pyronb.nameserver.daemon import open_storage
from pyronb.nameserver.names import NameServer
from pyronb.nameserver.storage.dbm import DbmStorage
from tests.support.serving import connect, naming

A, B = "PYRO:a@localhost:1", "PYRO:b@localhost:2"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "names")


def test_names_outlive_the_storage(path):
    """They are there when the file is opened again."""
    for round_ in range(3):
        storage = open_storage(f"dbm:{path}")
        assert storage.count() == round_
        assert storage.put(f"name{round_}", A, frozenset(), replace=False)
        assert not storage.put(f"name{round_}", B, frozenset(), replace=False)
        storage.close()
        storage.close()


def test_what_was_changed_is_kept_at_once(path):
    """Without closing, for a process may end otherwise."""
    storage = DbmStorage(path)
    storage.put("a", A, frozenset(), replace=True)
    storage.put("\u00e4\u20ac", A, frozenset(), replace=True)
    storage.put("a", B, frozenset(), replace=True)
    for name in ("b", "c", "d"):
        storage.put(name, A, frozenset(), replace=True)
    assert storage.remove(["b", "absent"]) == 1
    assert not storage.remove_unchanged("c", B)
    assert storage.remove_unchanged("d", A)

    expected = {"a": B, "\u00e4\u20ac": A, "c": A}
    assert storage.uris() == DbmStorage(path).uris() == expected
    assert storage.uris("a") == {"a": B}
    assert storage.entries("c") == {"c": (A, frozenset())}
    assert storage.count() == 3


def test_tags_are_not_kept(path, caplog):
    """As with Pyro4: what is registered with tags is registered without, and looking for tags is an error."""
    names = NameServer(DbmStorage(path))
    with caplog.at_level(logging.WARNING, "pyronb"):
        names.register("a", A, metadata={"one"})
    assert "keeps no metadata; not kept: one" in caplog.text
    names.set_metadata("a", {"two"})

    assert names.lookup("a", return_metadata=True)[1] == set()
    assert names.list(return_metadata=True) == {"a": (A, set())}
    with pytest.raises(NamingError, match="keeps no metadata"):
        names.yplookup({"one"})
    with pytest.raises(NamingError, match="unknown name: b"):
        names.set_metadata("b", {"two"})


def test_real_pyro4_uses_the_same_file(path):
    """Made by either, changed by either."""
    pyro = pytest.importorskip("Pyro4.naming_storage")
    theirs = pyro.DbmStorage(path)
    theirs["theirs"] = (A, None)
    theirs["\u00e4"] = (B, None)
    ours = DbmStorage(path)
    assert ours.uris() == {"theirs": A, "\u00e4": B}
    ours.put("ours", B, frozenset(), replace=True)
    ours.remove(["\u00e4"])

    assert theirs.everything() == {"theirs": A, "ours": B}
    theirs["theirs"] = (B, None)
    assert DbmStorage(path).uris() == {"theirs": B, "ours": B}


@pytest.mark.parametrize("kind", ["no-folder", "no-dbm", "other-program", "no-text"])
def test_an_unusable_file_is_a_naming_error_that_names_it(tmp_path, path, kind):
    """Its content is left alone."""
    if kind == "no-folder":
        path = str(tmp_path / "absent" / "names")
    elif kind == "no-dbm":
        (tmp_path / "names").write_text("this is my diary\n" * 100)
    else:
        with dbm.open(path, "c") as file:
            file[b"a"] = b"\xff\xfe" if kind == "no-text" else b"not an address"
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    with pytest.raises(NamingError, match="names"):
        DbmStorage(path).put("a", A, frozenset(), replace=True)

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


def test_it_serves_a_name_server(path):
    """Which is registered in itself."""
    for _ in range(2):
        with naming(f"dbm:{path}") as daemon, connect(daemon.uri) as names:
            names.register("a", A)
            assert names.list(regex="a.*") == {"a": A}
            assert names.lookup("Pyro.NameServer") == daemon.uri


def test_a_closed_storage_says_so(path):
    """A call that comes too late is an error and no crash."""
    storage = DbmStorage(path)
    storage.close()
    with pytest.raises(NamingError, match="was closed"):
        storage.put("a", A, frozenset(), replace=True)
