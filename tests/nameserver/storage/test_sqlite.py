"""The SQLite file: what was acknowledged is kept, whatever happens to the process."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from pyronb.errors import NamingError
from pyronb.nameserver.daemon import open_storage
from pyronb.nameserver.storage.sqlite import SqliteStorage
from tests.support.paths import ROOT
from tests.support.waiting import scaled

A = "PYRO:a@localhost:1"

# Says each name once it is kept.
REGISTERS = """
import sys
from pyronb.nameserver.storage.sqlite import SqliteStorage
storage = SqliteStorage(sys.argv[1])
for number in range(100_000):
    tags = frozenset({"one", f"tag{number}"})
    storage.put(f"name{number}", f"PYRO:x@localhost:{number % 60_000}", tags, replace=True)
    print(number, flush=True)
"""


@pytest.mark.parametrize("count", [1, 7, 200])
def test_what_was_acknowledged_survives_kill_9(tmp_path, count):
    """The file opens again, has every acknowledged name with all its tags, and nothing half-done."""
    path = str(tmp_path / "names.db")
    process = subprocess.Popen([sys.executable, "-c", REGISTERS, path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        acknowledged = [int(process.stdout.readline()) for _ in range(count)]
    finally:
        process.send_signal(signal.SIGKILL)
        more = process.stdout.read()
        process.wait(scaled(10))
        process.stdout.close()
    # The last line may have been cut off by the kill.
    acknowledged += [int(line) for line in more.splitlines(keepends=True) if line.endswith("\n")]

    storage = SqliteStorage(path)
    try:
        kept = storage.all()
        for number in acknowledged:
            assert kept[f"name{number}"] == (f"PYRO:x@localhost:{number % 60_000}", {"one", f"tag{number}"})
        assert len(kept) <= len(acknowledged) + 1
        assert all(len(tags) == 2 for _, tags in kept.values())
        assert storage.put("again", A, frozenset(), replace=False)
    finally:
        storage.close()
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_names_outlive_the_storage(tmp_path):
    """They are there when the file is opened again."""
    path = str(tmp_path / "names.db")
    for round_ in range(3):
        storage = open_storage(f"sql:{path}")
        assert storage.count() == round_
        storage.put(f"name{round_}", A, frozenset({"tag"}), replace=True)
        storage.close()
        storage.close()


def test_a_failed_change_changes_nothing(tmp_path):
    """All of it or none of it."""
    storage = SqliteStorage(str(tmp_path / "names.db"))
    storage.put("a", A, frozenset({"old"}), replace=True)
    for change in (
        lambda: storage.put("a", "PYRO:b@localhost:2", frozenset({"new", 3.5j}), replace=True),
        lambda: storage.put("b", A, frozenset({("no", "tag")}), replace=True),
        lambda: storage.set_tags("a", frozenset({object()})),
        lambda: storage.remove(["a", object()]),
    ):
        with pytest.raises(NamingError):
            change()
    try:
        assert storage.all() == {"a": (A, {"old"})}
    finally:
        storage.close()


def test_tables_are_those_of_pyro(tmp_path):
    """A file of one can be opened by the other."""
    pytest.importorskip("Pyro5")
    from Pyro5.nameserver import SqlStorage

    path = str(tmp_path / "names.db")
    storage = SqliteStorage(path)
    storage.put("ours", A, frozenset({"one", "two"}), replace=True)
    storage.close()
    theirs = SqlStorage(path)
    assert theirs["ours"] == (A, {"one", "two"})
    theirs["theirs"] = (A, {"three"})
    theirs.close()
    storage = SqliteStorage(path)
    try:
        assert storage.all() == {"ours": (A, {"one", "two"}), "theirs": (A, {"three"})}
    finally:
        storage.close()


@pytest.mark.parametrize("kind", ["folder", "no-folder", "no-database", "other-tables", "damaged"])
def test_an_unusable_file_is_a_naming_error_that_names_it(tmp_path, kind):
    """Its content is left alone."""
    path = tmp_path / "names.db"
    if kind == "folder":
        path.mkdir()
    elif kind == "no-folder":
        path = tmp_path / "absent" / "names.db"
    elif kind == "no-database":
        path.write_text("this is my diary\n" * 100)
    elif kind == "other-tables":
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE pyro_metadata (something integer)")
        database.close()
    else:
        SqliteStorage(str(path)).close()
        path.write_bytes(path.read_bytes()[:100] + b"\xff" * 2000)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(NamingError, match=r"names\.db"):
        storage = SqliteStorage(str(path))
        try:
            storage.all()
        finally:
            storage.close()
    if kind == "no-database":
        assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["sql:", "dbm:file", "sql", "memory:x", "nonsense", ":"])
def test_an_unknown_storage_is_a_naming_error(text):
    """It says what there is."""
    with pytest.raises(NamingError, match="use memory, or sql:FILENAME"):
        open_storage(text)


def test_nothing_means_memory():
    """As it does for Pyro."""
    storage = open_storage(None)
    storage.put("a", A, frozenset(), replace=True)

    assert storage.count() == 1


def test_a_closed_storage_says_so(tmp_path):
    """A call that comes too late is an error and no crash."""
    storage = SqliteStorage(str(tmp_path / "names.db"))
    storage.close()
    with pytest.raises(NamingError, match=r"names\.db"):
        storage.count()


def test_two_processes_may_share_a_file(tmp_path):
    """They wait for each other instead of failing."""
    path = str(tmp_path / "names.db")
    storages, errors = [SqliteStorage(path) for _ in range(2)], []

    def work(number):
        try:
            for step in range(50):
                storages[number].put(f"{number}.{step}", A, frozenset({"x"}), replace=True)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))
    try:
        assert errors == []
        assert storages[0].count() == storages[1].count() == 100
    finally:
        for storage in storages:
            storage.close()
