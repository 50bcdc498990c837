"""How much memory large things take on their way: arrays no more than themselves, files no more than a few blocks.

Client and server are programs of their own, for what counts is the most memory that each of them ever had.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import pytest

from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the most memory that a program had is read from /proc"),
]

SERVER = """
import hashlib
import sys
import pyronb

@pyronb.expose
class Store:
    def __init__(self):
        self.hash = hashlib.sha256()
        self.size = 0

    def blocks(self, path, size):
        with open(path, "rb") as file:
            while block := file.read(size):
                yield block

    def append(self, block):
        self.hash.update(block)
        self.size += len(block)

    def received(self):
        return self.size, self.hash.hexdigest()

    def begin(self):
        self.__init__()

    def put(self, value):
        self.value = value

    def get(self):
        return self.value

    def peak(self):
        return peak()

def peak():
    with open("/proc/self/status") as status:
        return int(next(line for line in status if line.startswith("VmHWM")).split()[1]) / 1024
"""

SERVE = """
daemon = pyronb.Daemon(host="127.0.0.1")
print(daemon.register(Store(), "store"), flush=True)
daemon.requestLoop()
"""

CLIENT = """
import json
uri, path, serializer, what = sys.argv[1:]
server = pyronb.Proxy(uri)
server._pyroSerializer = serializer

def grown(work):
    before = peak(), server.peak()
    work()
    return [round(after - at, 1) for after, at in zip((peak(), server.peak()), before)]

def download():
    mine = hashlib.sha256()
    for block in server.blocks(path, 1 << 22):
        mine.update(block)
    told["down"] = mine.hexdigest()

def upload():
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            server.append(block)
    told["up"] = server.received()

told = {}
if what == "files":
    for warm in range(3):
        server.append(bytes(1 << 22))
    server.begin()
    told["downloading"] = grown(download)
    told["uploading"] = grown(upload)
else:
    import numpy
    array = numpy.ones(10_000_000)
    server.put(array[:1000])
    told["putting"] = grown(lambda: server.put(array))
    told["getting"] = grown(lambda: told.update(sum=float(server.get().sum())))
print(json.dumps(told))
"""


@pytest.fixture
def store():
    """Serve in a program of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVER + SERVE], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process.stdout.readline().strip()
        process.terminate()


def told_by_a_client(*args):
    """Run a client, and give what it tells."""
    command = [sys.executable, "-c", SERVER + CLIENT, *map(str, args)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True, timeout=110)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.mark.parametrize("serializer", ["auto", "msgpack"])
def test_files(store, tmp_path, serializer):
    """A file of 200 MB goes through in blocks, in both directions, and neither end ever has more than a few of them."""
    path = tmp_path / "large"
    total = hashlib.sha256()
    with path.open("wb") as file:
        for number in range(50):
            block = number.to_bytes(4, "big") * (1 << 20)
            file.write(block)
            total.update(block)

    told = told_by_a_client(store, path, serializer, "files")

    assert total.hexdigest() == told["down"]
    assert [50 << 22, total.hexdigest()] == told["up"]
    for growth in (*told["downloading"], *told["uploading"]):
        assert growth < 50, told


@pytest.mark.parametrize("serializer", ["auto", "json"])
def test_arrays(store, serializer):
    """The receiver grows by the array, the sender hardly at all.

    A server does not wait for long for a client that takes nothing, and copies what is left, for its owner may go on:
    then it grows by the array at most. On a quiet machine it is less than 1 MiB.
    """
    mebibytes = 80_000_000 / (1 << 20)

    told = told_by_a_client(store, "", serializer, "arrays")

    assert 10_000_000 == told["sum"]
    sender, receiver = told["putting"]
    assert sender < 20, told
    assert receiver < mebibytes + 30, told
    receiver, sender = told["getting"]
    assert sender < mebibytes + 20, told
    assert receiver < mebibytes + 30, told
