"""A name server that is killed, as it is run: what its clients were told is kept."""

from __future__ import annotations

import random
import signal
import threading

import pytest

from pyronb.errors import CommunicationError
from pyronb.nameserver.storage.sqlite import SqliteStorage
from tests.support.programs import LOCAL, running
from tests.support.serving import connect
from tests.support.waiting import eventually


@pytest.mark.parametrize("wait_for", [random.Random(number).randint(5, 300) for number in range(3)])
def test_what_clients_were_told_survives_kill_9(tmp_path, wait_for):
    """Registrations, replaced tags and removals of several clients, at any moment; and it starts again on the file."""
    path = tmp_path / "names.db"
    storage = f"sql:{path}"
    told = [{} for _ in range(3)]
    under_way = [None] * len(told)

    def work(number, uri):
        mine = told[number]
        with connect(uri) as names:
            try:
                for step in range(100_000):
                    name = f"{number}.{step % 50}"
                    under_way[number] = name
                    if step % 7 == 3 and name in mine:
                        names.remove(name)
                        del mine[name]
                    else:
                        entry = (f"PYRO:x@localhost:{step % 60_000}", {f"tag{step}", str(number)})
                        names.register(name, entry[0], metadata=entry[1])
                        mine[name] = entry
                    done.append(step)
            except CommunicationError:
                return

    for _ in range(2):
        done = []
        with running("ns", "-n", LOCAL, "-p", "0", "-s", storage) as program:
            uri = program.wait_for(r"URI = (\S+)")[1]
            threads = [threading.Thread(target=work, args=(number, uri)) for number in range(len(told))]
            for thread in threads:
                thread.start()
            eventually(lambda: len(done) >= wait_for, 20)  # noqa: B023 - it is looked at here and now
            program.signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
        kept = SqliteStorage(str(path))
        try:
            entries = kept.entries()
        finally:
            kept.close()
        for number, mine in enumerate(told):
            for name, entry in mine.items():
                # The one that nobody was told about may be either way.
                assert name == under_way[number] or entries[name] == entry
            assert {name for name in entries if name.startswith(f"{number}.")} - mine.keys() <= {under_way[number]}
            mine.clear()
            mine |= {name: entry for name, entry in entries.items() if name.startswith(f"{number}.")}
