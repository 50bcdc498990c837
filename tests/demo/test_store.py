"""The store keeps what it promised: whole writes, on the disk, whoever asks and whatever they send."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyronb.demo.store import Store, StoreConflict
from pyronb.server.exposure import members_of
from tests.support.paths import ROOT
from tests.support.waiting import scaled


@pytest.fixture
def path(tmp_path):
    return tmp_path / "things.db"


@pytest.fixture
def store(path):
    store = Store(path)
    yield store
    store.close()


def test_face_is_what_is_exposed():
    face = members_of(Store)

    assert face.methods == {
        *("get", "put", "put_many", "delete", "keys", "items", "increment", "compare_and_set", "__len__"),
        *("create_table", "drop_table", "tables", "insert", "select"),
    }
    assert face.attributes == {"path", "size_bytes", "count"}
    for name in face.methods:
        assert face.method(name).doc.splitlines()[0].endswith("."), name
        assert "->" in face.method(name).signature, name


# ------------------------------------------------------------------------------------------------------ keys, values


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "naïve\0\ud800", [], {"a": [1, {"b": None}]}, 10**30])
def test_values_come_back(store, value):
    store.put("k", value)

    assert store.get("k") == value
    assert store.get("k", "default") == value


def test_unknown_key_is_an_error_that_names_similar_keys(store):
    store.put_many({"voltage": 1, "current": 2})
    with pytest.raises(KeyError) as caught:
        store.get("voltages")

    assert caught.value.args == ("no key 'voltages'; did you mean 'voltage'?",)
    with pytest.raises(KeyError, match="voltage"):
        store.delete("votage")
    assert store.get("voltages", None) is None


def test_deleted_keys_are_gone(store):
    store.put("k", 1)
    store.delete("k")

    assert store.keys() == []
    with pytest.raises(KeyError):
        store.delete("k")


def test_keys_are_listed_in_order_and_by_a_prefix_without_wildcards(store):
    store.put_many(dict.fromkeys(["b", "a%1", "a_1", "a1", "A1", "a", "é1"], 0))

    assert store.keys() == ["A1", "a", "a%1", "a1", "a_1", "b", "é1"]
    assert store.keys("a") == ["a", "a%1", "a1", "a_1"]
    assert store.keys("a%") == ["a%1"]
    assert store.keys("_") == []
    assert store.keys("é") == ["é1"]
    assert len(store) == store.count == 7
    assert Store.__bool__(store)


def test_items_are_limited(store):
    store.put_many({f"k{n}": n for n in range(200)})

    assert len(store.items()) == 100
    assert store.items("k19", 2) == [("k19", 19), ("k190", 190)]
    with pytest.raises(ValueError, match="limit should be"):
        store.items(limit=0)


def test_put_many_is_all_or_nothing(store):
    store.put("a", "old")
    for wrong in ({"a": "new", "b": float("nan")}, {"a": "new", "": 1}, [("a", "new")]):
        with pytest.raises(ValueError):
            store.put_many(wrong)

    assert store.items() == [("a", "old")]
    assert store.put_many({"a": 1, "b": 2}) == 2
    assert store.items() == [("a", 1), ("b", 2)]


def test_increment_counts(store):
    assert store.increment("n") == 1
    assert store.increment("n", 41) == 42
    assert type(store.get("n")) is int
    assert store.increment("n", -0.5) == 41.5
    assert store.get("n") == 41.5


@pytest.mark.parametrize("value", ["1", True, None, [1], {}])
def test_only_numbers_can_be_incremented(store, value):
    store.put("k", value)
    with pytest.raises(ValueError, match="no number"):
        store.increment("k")

    assert store.get("k") == value


def test_increment_refuses_what_does_not_stay_a_number(store):
    store.put("huge", 1e308)
    store.put("long", 10**400)
    for key, by in (("huge", 1e308), ("long", 0.5), ("huge", "1"), ("huge", True), ("huge", float("nan"))):
        with pytest.raises(ValueError):
            store.increment(key, by)

    assert store.get("huge") == 1e308
    assert store.get("long") == 10**400


def test_increments_of_many_threads_are_all_counted(store):
    start = threading.Barrier(8)

    def count():
        start.wait(scaled(10))
        return [store.increment("n") for _ in range(50)]

    with ThreadPoolExecutor(8) as pool:
        seen = [n for one in [pool.submit(count) for _ in range(8)] for n in one.result(scaled(30))]

    assert sorted(seen) == list(range(1, 401))
    assert store.get("n") == 400


def test_increments_of_two_stores_on_one_file_are_all_counted(store, path):
    other = Store(path)
    try:
        with ThreadPoolExecutor(2) as pool:
            for one in [pool.submit(lambda s=s: [s.increment("n") for _ in range(50)]) for s in (store, other)]:
                one.result(scaled(30))

        assert store.get("n") == other.get("n") == 100
    finally:
        other.close()


def test_compare_and_set(store):
    store.compare_and_set("k", None, {"a": 1, "b": (1, 2)})
    store.compare_and_set("k", {"b": [1, 2], "a": 1}, 2)

    assert store.get("k") == 2
    for wrong in (None, 2.0, True, "2", 3):
        with pytest.raises(StoreConflict, match="'k' is not the expected one") as caught:
            store.compare_and_set("k", wrong, "lost")
        assert (caught.value.key, caught.value.actual) == ("k", 2)
    assert store.get("k") == 2


def test_only_one_of_many_wins_compare_and_set(store):
    start = threading.Barrier(8)

    def claim(name):
        start.wait(scaled(10))
        try:
            store.compare_and_set("owner", None, name)
        except StoreConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [name for name, mine in zip(range(8), pool.map(claim, range(8)), strict=True) if mine]

    assert won == [store.get("owner")]


# ------------------------------------------------------------------------------------------------------------ tables

READINGS = {"id": "integer primary key", "probe": "text not null", "volts": "real"}


@pytest.fixture
def readings(store):
    store.create_table("readings", READINGS)
    store.insert(
        "readings",
        [
            {"probe": "b", "volts": 1.5},
            {"probe": "a", "volts": 2},
            {"probe": "b", "volts": None},
            {"probe": "a"},
        ],
    )
    return store


def test_tables_are_listed_with_their_types(readings):
    assert readings.tables() == {
        "readings": {"id": "INTEGER PRIMARY KEY", "probe": "TEXT NOT NULL", "volts": "REAL"},
    }


def test_rows_are_found(readings):
    rows = readings.select("readings")

    assert [row["id"] for row in rows] == [1, 2, 3, 4]
    assert rows[1] == {"id": 2, "probe": "a", "volts": 2.0}
    assert readings.select("readings", {"probe": "a", "volts": None}) == [{"id": 4, "probe": "a", "volts": None}]
    assert [row["id"] for row in readings.select("readings", order_by="probe")] == [2, 4, 1, 3]
    assert [row["id"] for row in readings.select("readings", order_by="-id", limit=2)] == [4, 3]
    assert readings.select("readings", {"probe": "c"}) == []


def test_one_row_may_come_without_a_list(readings):
    assert readings.insert("readings", {"probe": "c"}) == 1
    assert readings.select("readings", {"probe": "c"})[0]["id"] == 5


def test_duplicates_are_an_integrity_error_and_nothing_is_inserted(readings):
    for wrong in ([{"probe": "x"}, {"id": 1, "probe": "y"}], [{"probe": "x"}, {"volts": 1.0}]):
        with pytest.raises(sqlite3.IntegrityError, match=r"readings\."):
            readings.insert("readings", wrong)

    assert len(readings.select("readings")) == 4
    readings.put("k", 1)  # no transaction was left open


def test_wrong_rows_are_refused_whole(readings):
    for wrong in ([{"probe": "x"}, {"probe": 1}], [{"probe": "x"}, {"colour": 1}], ["x"], "x", 5):
        with pytest.raises(ValueError):
            readings.insert("readings", wrong)

    assert len(readings.select("readings")) == 4


def test_words_of_sql_can_be_names(store):
    store.create_table("select", {"from": "text", "where": "integer unique", "rowid": "text"})
    store.insert("select", [{"from": "a", "where": 2, "rowid": "z"}, {"from": "b", "where": 1}])

    assert [row["from"] for row in store.select("select")] == ["a", "b"]
    assert store.select("select", {"where": 1}, "-from") == [{"from": "b", "where": 1, "rowid": None}]


def test_rows_of_one_column_keep_their_order(store):
    store.create_table("words", {"word": "text primary key"})
    store.insert("words", [{"word": "b"}, {"word": "a"}])

    assert store.select("words") == [{"word": "b"}, {"word": "a"}]
    with pytest.raises(sqlite3.IntegrityError):
        store.insert("words", {"word": None})


def test_unknown_tables_are_key_errors_that_name_similar_ones(readings):
    calls = [
        lambda: readings.select("reading"),
        lambda: readings.insert("reading", []),
        lambda: readings.drop_table("reading"),
    ]
    for call in calls:
        with pytest.raises(KeyError, match="no table 'reading'; did you mean 'readings'"):
            call()


def test_tables_are_made_once_and_dropped(readings):
    for name in ("readings", "READINGS"):
        with pytest.raises(ValueError, match="already"):
            readings.create_table(name, READINGS)
    readings.drop_table("readings")

    assert readings.tables() == {}
    readings.create_table("READINGS", READINGS)
    assert readings.select("READINGS") == []


INJECTIONS = (
    "readings; DROP TABLE _items",
    'readings"; DROP TABLE _items; --',
    "readings' OR '1'='1",
    "_items",
    "sqlite_master",
    "readings\0",
    "readings--",
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_names_is_refused(readings, text):
    readings.put("k", "v")
    calls = [
        lambda: readings.create_table(text, {"a": "text"}),
        lambda: readings.create_table("t", {text: "text"}),
        lambda: readings.create_table("t", {"a": text}),
        lambda: readings.drop_table(text),
        lambda: readings.insert(text, {"a": 1}),
        lambda: readings.insert("readings", {text: 1}),
        lambda: readings.select(text),
        lambda: readings.select("readings", {text: 1}),
        lambda: readings.select("readings", order_by=text),
        lambda: readings.select("readings", order_by="-" + text),
        lambda: readings.select("readings", limit=text),
    ]
    for call in calls:
        with pytest.raises((ValueError, TypeError)):
            call()

    assert list(readings.tables()) == ["readings"]
    assert readings.get("k") == "v"
    assert len(readings.select("readings")) == 4


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_values_is_only_text(readings, text):
    key = text.replace("\0", "")
    readings.put(key, text)
    readings.insert("readings", {"probe": key})

    assert readings.get(key) == text
    assert readings.keys(key) == [key]
    assert readings.select("readings", {"probe": key})[0]["probe"] == key
    assert len(readings.select("readings")) == 5


# ------------------------------------------------------------------------------------------------------- on the disk


def test_what_was_written_is_there_in_the_next_store(path):
    first = Store(path)
    first.put("k", [1, 2])
    first.create_table("t", {"a": "text"})
    first.insert("t", {"a": "x"})
    first.close()
    second = Store(str(path))
    try:
        assert second.get("k") == [1, 2]
        assert second.select("t") == [{"a": "x"}]
        assert second.path == str(path)
        assert second.size_bytes >= path.stat().st_size > 0
    finally:
        second.close()


def test_every_commit_reaches_the_disk(store):
    """FULL is 2; the log is synchronised at each commit, not only now and then."""
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


WRITER = """
import sys
from pyronb.demo.store import Store
store = Store(sys.argv[1])
n = 0
while True:
    n += 1
    store.put(f"one/{n}", n)
    store.put_many({f"left/{n}": n, f"right/{n}": n})
    store.increment("total", n)
    print(n, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 40])
def test_killed_writer_loses_nothing_that_was_acknowledged(path, acknowledged):
    writer = subprocess.Popen([sys.executable, "-c", WRITER, path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with writer:
        last = 0
        while last < acknowledged:
            last = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        # Lines that were written before the signal came are acknowledgements too.
        rest = writer.stdout.read().split("\n")
        last = max([last, *(int(line) for line in rest[:-1])])
    store = Store(path)
    try:
        for n in range(1, last + 1):
            assert store.get(f"one/{n}") == store.get(f"left/{n}") == store.get(f"right/{n}") == n
        # The write that was under way is there whole or not at all.
        assert len(store.keys("left/")) == len(store.keys("right/")) <= last + 1
        assert store.get("total") in (sum(range(last + 1)), sum(range(last + 2)))
    finally:
        store.close()


def test_failed_write_leaves_the_old_data(store):
    store.put_many({"a": 1, "b": 2})
    limit = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {limit}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.put_many({"a": "new", "big": "x" * 100_000})

    assert store.items() == [("a", 1), ("b", 2)]
    store._connection.execute("PRAGMA max_page_count = 1000000")
    store.put("a", "new")
    assert store.get("a") == "new"


def test_temporary_store_is_deleted():
    store = Store()
    folder = Path(store.path).parent
    store.put("k", 1)
    assert folder.is_dir()
    store.close()
    store.close()

    assert not folder.exists()


def test_closed_store_says_so(store):
    store.close()
    for call in (lambda: store.get("k", 1), lambda: store.put("k", 1), store.keys, store.tables, lambda: store.count):
        with pytest.raises(RuntimeError, match="closed"):
            call()


def test_file_that_is_something_else_is_left_alone(path):
    path.write_text("Not a database, but somebody's notes. " * 100)
    before = path.read_bytes()
    with pytest.raises(sqlite3.DatabaseError):
        Store(path)

    assert path.read_bytes() == before


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        Store(tmp_path / "nowhere" / "things.db")
