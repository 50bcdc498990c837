"""The SQLite file: what was acknowledged is kept, whatever happens to the process."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
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
        kept = storage.entries()
        for number in acknowledged:
            assert kept[f"name{number}"] == (f"PYRO:x@localhost:{number % 60_000}", {"one", f"tag{number}"})
        assert len(kept) <= len(acknowledged) + 1
        assert all(len(tags) == 2 for _, tags in kept.values())
        assert storage.put("again", A, frozenset(), replace=False)
    finally:
        storage.close()
    with contextlib.closing(sqlite3.connect(path)) as database, database:
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
        assert storage.entries() == {"a": (A, {"old"})}
    finally:
        storage.close()


# Python warns of that from 3.13 on; Pyro closes none of its connections.
@pytest.mark.filterwarnings("ignore:.*sqlite3.Connection object:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("module", ["Pyro5.nameserver", "Pyro4.naming_storage"])
def test_tables_are_those_of_pyro(tmp_path, module):
    """A file of one can be used by the other, again and again."""
    theirs_module = pytest.importorskip(module)
    path, kept = str(tmp_path / "names.db"), {}
    for round_ in range(3):
        storage = SqliteStorage(path)
        storage.put(f"ours{round_}", A, frozenset({"one", "two"}), replace=True)
        storage.put("shared", f"PYRO:ours@localhost:{round_}", frozenset({"ours"}), replace=True)
        storage.remove(["gone"])
        storage.close()
        kept |= {f"ours{round_}": (A, {"one", "two"}), "shared": (f"PYRO:ours@localhost:{round_}", {"ours"})}
        theirs = theirs_module.SqlStorage(path)
        assert theirs.everything(return_metadata=True) == kept
        assert theirs.optimized_metadata_search(metadata_all=["one", "two"]).keys() == kept.keys() - {
            "shared",
            "theirs",
        }
        theirs["theirs"] = (A, {"three"})
        theirs["shared"] = ("PYRO:theirs@localhost:1", {"theirs", "more"})
        theirs["gone"] = (A, {"three"})
        del theirs["ours0"]
        theirs.close()
        kept |= {"theirs": (A, {"three"}), "shared": ("PYRO:theirs@localhost:1", {"theirs", "more"})}
        kept.pop("ours0", None)
        storage = SqliteStorage(path)
        assert storage.entries() == kept | {"gone": (A, {"three"})}
        assert storage.with_tags(["theirs", "more"], every=True).keys() == {"shared"}
        storage.close()
    gc.collect()  # so that the warning comes here


@pytest.mark.filterwarnings("ignore:.*sqlite3.Connection object:pytest.PytestUnraisableExceptionWarning")
def test_tables_that_real_pyro_makes_are_used(tmp_path):
    """Made there, changed here, and read there again."""
    pyro = pytest.importorskip("Pyro5.nameserver")
    path = str(tmp_path / "names.db")
    theirs = pyro.SqlStorage(path)
    theirs["a"] = (A, {"one"})
    theirs["b"] = (A, None)
    storage = SqliteStorage(path)
    assert storage.entries() == {"a": (A, {"one"}), "b": (A, set())}
    storage.set_tags("b", frozenset({"two"}))
    storage.close()

    assert theirs.everything(return_metadata=True) == {"a": (A, {"one"}), "b": (A, {"two"})}
    gc.collect()


@pytest.mark.parametrize("numbered", [False, True])
def test_tables_without_metadata_are_brought_up_to_date(tmp_path, numbered):
    """Early versions of Pyro4 made such files."""
    path = str(tmp_path / "names.db")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        number = "id integer PRIMARY KEY, " if numbered else ""
        database.execute(f"CREATE TABLE pyro_names ({number}name nvarchar NOT NULL UNIQUE, uri nvarchar NOT NULL)")
        database.execute("INSERT INTO pyro_names(name, uri) VALUES ('a', ?)", (A,))
    database.close()
    for _ in range(2):
        storage = SqliteStorage(path)
        assert storage.get("a") in [(A, frozenset()), (A, {"one"})]
        assert storage.set_tags("a", frozenset({"one"}))
        storage.close()


@pytest.mark.parametrize("kind", ["folder", "no-folder", "no-database", "other-tables", "other-program", "damaged"])
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
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE pyro_metadata (something integer)")
        database.close()
    elif kind == "other-program":
        with contextlib.closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE bookmarks (url text)")
        database.close()
    else:
        SqliteStorage(str(path)).close()
        path.write_bytes(path.read_bytes()[:100] + b"\xff" * 2000)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(NamingError, match=r"names\.db"):
        storage = SqliteStorage(str(path))
        try:
            storage.entries()
        finally:
            storage.close()
    if kind != "damaged" and before is not None:
        assert path.read_bytes() == before


@pytest.mark.parametrize("text", ["sql:", "dbm:", "sql", "memory:x", "nonsense", ":"])
def test_an_unknown_storage_is_a_naming_error(text):
    """It says what there is."""
    with pytest.raises(NamingError, match="use memory, sql:FILENAME or dbm:FILENAME"):
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


def test_a_locked_file_is_a_naming_error(tmp_path):
    """After a while; it goes on when the lock is gone, and nothing was lost."""
    path = str(tmp_path / "names.db")
    storage = SqliteStorage(path, patience=0.05)
    storage.put("a", A, frozenset({"one"}), replace=True)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(NamingError, match=r"names\.db.*locked"):
        storage.put("b", A, frozenset(), replace=True)
    assert storage.get("a") == (A, {"one"})
    other.execute("ROLLBACK")
    other.close()
    try:
        assert storage.put("b", A, frozenset(), replace=True)
    finally:
        storage.close()


# A disk that is full answers as a file that may not grow does.
FILLS = """
import resource, signal, sys
from pyronb.errors import NamingError
from pyronb.nameserver.storage.sqlite import SqliteStorage
storage = SqliteStorage(sys.argv[1])
storage.put("first", "PYRO:x@localhost:1", frozenset({"tag"}), replace=True)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, most))
kept = 0
try:
    for number in range(10_000):
        storage.put(f"name{number}", "PYRO:x@localhost:1", frozenset({"one", "two"}), replace=True)
        kept += 1
except NamingError as error:
    assert sys.argv[1] in str(error), error
else:
    raise SystemExit("the disk was never full")
assert storage.get("first") == ("PYRO:x@localhost:1", {"tag"})
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
storage.put("last", "PYRO:x@localhost:1", frozenset(), replace=True)
assert storage.count() == kept + 2
storage.close()
print(kept)
"""


def test_a_full_disk_is_a_naming_error(tmp_path):
    """What was kept stays, and it goes on when there is room again."""
    pytest.importorskip("resource")
    path = str(tmp_path / "names.db")
    ran = subprocess.run([sys.executable, "-c", FILLS, path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    storage = SqliteStorage(path)
    try:
        assert storage.count() == int(ran.stdout) + 2
    finally:
        storage.close()


# Nothing is forbidden to root, who becomes nobody for this, once everything is imported.
WITHOUT_RIGHTS = """
import os, pathlib, sys
from pyronb.errors import NamingError
from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.nameserver.storage.sqlite import SqliteStorage
from tests.support.serving import LOCAL
folder = pathlib.Path(sys.argv[1])
LOCAL.encode("idna")  # loaded when it is first used
if os.geteuid() == 0:
    folder.chmod(0o777)
    os.setgid(65534)
    os.setuid(65534)
path = folder / "names.db"
SqliteStorage(str(path)).close()
path.chmod(0o400)
before = path.read_bytes()
locked = folder / "locked"
locked.mkdir(mode=0o500)
for attempt in (
    lambda: SqliteStorage(str(locked / "names.db")),
    lambda: NameServerDaemon(LOCAL, 0, storage=f"sql:{path}"),
):
    try:
        attempt()
    except NamingError as error:
        assert "names.db" in str(error), error
    else:
        raise SystemExit("nothing was forbidden")
assert list(locked.iterdir()) == []
assert path.read_bytes() == before
"""


def test_without_rights_there_is_a_naming_error():
    """For a folder and for a file that may only be read: it names the file, which stays as it was."""
    if os.name != "posix":
        pytest.skip("rights are another matter on this system")
    # The folders of pytest belong to its user alone.
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", WITHOUT_RIGHTS, folder],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    # An unclosed socket or file would be told there.
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout


def test_what_is_asked_for_is_found_by_an_index(tmp_path):
    """Neither a prefix nor a tag makes SQLite look at every row."""
    path = str(tmp_path / "names.db")
    storage = SqliteStorage(path)
    asked = []
    storage._database.set_trace_callback(asked.append)
    storage.uris("a")
    storage.entries("a")
    storage.get("a")
    storage.with_tags(["a", "b"], every=True)
    storage.with_tags(["a", "b"], every=False)
    storage._database.set_trace_callback(None)
    try:
        for statement in asked:
            values = ["a"] * statement.count("?")  # before Python 3.11 they are not filled in
            plan = [row[3] for row in storage._database.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
            assert plan
            assert not [step for step in plan if step.startswith("SCAN")], (statement, plan)
    finally:
        storage.close()
    assert len(asked) == 7
