"""The machine's numbers are real: they agree with the system, and move when something happens."""

from __future__ import annotations

import inspect
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import serpent

from pyronb.demo.host import Host
from pyronb.server.exposure import members_of
from tests.support.paths import ROOT
from tests.support.waiting import deadline, eventually

pytestmark = pytest.mark.usefixtures("no_leaks")


@pytest.fixture
def host():
    host = Host()
    yield host
    host.close()


@pytest.fixture
def burner():
    """A process that does nothing but work."""
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    with process:
        process.stdout.readline()
        yield process
        process.kill()


def test_face_is_what_is_exposed():
    face = members_of(Host)

    assert face.methods == {
        *("cpu_percent", "cpu_count", "cpu_times", "load_average", "memory", "swap", "disks", "network", "processes"),
        *("sensors", "samples", "subscribe", "unsubscribe", "subscriptions"),
    }
    assert face.attributes == {"hostname", "platform", "python", "boot_time", "uptime"}
    for name in face.methods:
        assert face.method(name).doc.splitlines()[0].endswith("."), name
        assert "->" in face.method(name).signature, name
    for name in face.attributes:
        assert face.attribute(name).doc, name
        assert face.attribute(name).writable is False, name


def test_results_are_plain_values(host):
    """As the default serializer would have them."""
    calls = ["cpu_percent", "cpu_count", "cpu_times", "load_average", "memory", "swap", "disks", "network", "processes"]
    results = [getattr(host, name)() for name in [*calls, "sensors", "subscriptions"]]
    results += [getattr(host, name) for name in members_of(Host).attributes]
    results += list(host.samples(1, 0.05))
    for result in results:
        assert serpent.loads(serpent.dumps(result)) == result


def test_attributes(host):
    assert host.hostname == socket.gethostname()
    assert sys.version.split()[0] in host.python
    assert host.platform
    assert host.boot_time == pytest.approx(psutil.boot_time(), abs=2)
    assert host.uptime == pytest.approx(time.time() - psutil.boot_time(), abs=5)


def test_cpu_percent_is_measured(host, burner):
    eventually(lambda: host.cpu_percent(0.2) > 50 / os.cpu_count(), timeout=10, what="one busy core of all")

    assert 0 <= host.cpu_percent(0) <= 100
    assert 0 <= host.cpu_percent() <= 100


def test_cpu_percent_takes_its_interval(host):
    start = time.monotonic()
    host.cpu_percent(0.25)

    assert time.monotonic() - start >= 0.25


@pytest.mark.parametrize(
    ("interval", "error"), [(-0.1, ValueError), (10.5, ValueError), ("1", TypeError), (True, TypeError)]
)
def test_interval_is_bounded(host, interval, error):
    for call in (host.cpu_percent, lambda interval: host.processes(interval=interval)):
        with pytest.raises(error, match="interval should be"):
            call(interval)
    with pytest.raises(error, match="interval should be"):
        host.samples(interval=interval)


def test_cpu(host):
    assert host.cpu_count() == psutil.cpu_count()
    assert host.cpu_count(logical=False) == psutil.cpu_count(logical=False)
    times = host.cpu_times()
    assert times["user"] > 0
    assert times["idle"] > 0
    assert len(host.load_average()) == 3


def test_memory(host):
    memory = host.memory()

    assert memory["total"] == psutil.virtual_memory().total
    assert 0 < memory["available"] < memory["total"]
    assert 0 < memory["percent"] < 100
    assert host.swap()["total"] == psutil.swap_memory().total


def test_disks(host):
    disks = {disk["mount"]: disk for disk in host.disks()}
    root = disks["/"] if os.name == "posix" else next(iter(disks.values()))

    assert root["total"] > root["free"] > 0
    assert 0 <= root["percent"] <= 100
    assert root["error"] is None
    assert all(Path(mount).is_dir() for mount in disks)


def test_disk_that_cannot_be_read_keeps_its_error(host, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(psutil, "disk_usage", refuse)
    disks = host.disks()

    assert {disk["error"] for disk in disks} == {"Permission denied"}
    assert {disk["total"] for disk in disks} == {None}


def test_network(host):
    def loopback():
        return host.network().get("lo", host.network()["total"])

    before = loopback()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"x" * 50_000)
            left = 50_000
            while left:
                left -= len(accepted.recv(left))

    eventually(lambda: loopback()["sent"] - before["sent"] >= 50_000)
    total = host.network()
    assert total.pop("total")["packets_sent"] >= max(one["packets_sent"] for one in total.values())


def test_processes_show_who_works(host, burner):
    def top():
        return host.processes(limit=20)

    rows = eventually(lambda: [row for row in top() if row["pid"] == burner.pid and row["cpu"] > 5], what="the burner")

    assert rows[0]["name"]
    assert rows[0]["status"] == "running"
    assert rows[0]["memory_bytes"] > 1_000_000
    assert 0 <= rows[0]["memory"] <= 100


def test_processes_are_sorted_and_limited(host):
    for key, reverse in (("cpu", True), ("memory", True), ("pid", False), ("name", False)):
        rows = host.processes(limit=1000, sort_by=key, interval=0)
        values = [row[key] for row in rows]

        assert values == sorted(values, reverse=reverse)
        assert os.getpid() in {row["pid"] for row in rows}
    assert len(host.processes(limit=2, interval=0)) == 2


def test_wrong_arguments_of_processes(host):
    with pytest.raises(ValueError, match="'cpu', 'memory', 'pid', 'name'"):
        host.processes(sort_by="colour")
    with pytest.raises(ValueError, match="limit should be between 1 and 1000"):
        host.processes(limit=0)


def test_processes_that_vanish_are_left_out(host):
    """The process is there at the first look and gone at the second."""
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True)\ninput()"], stdin=-1, stdout=-1)
    with process:
        process.stdout.readline()
        looked = threading.Event()

        class Closing(threading.Event):
            def wait(self, timeout=None):
                process.kill()
                process.wait()
                looked.set()
                return False

        host._closing = Closing()
        rows = host.processes(limit=1000)

    assert looked.is_set()
    assert process.pid not in {row["pid"] for row in rows}


def test_processes_that_deny_access_are_left_out(host, monkeypatch):
    real = psutil.Process.name

    def name(self):
        if self.pid == os.getpid():
            raise psutil.AccessDenied(self.pid)
        return real(self)

    monkeypatch.setattr(psutil.Process, "name", name)
    rows = host.processes(limit=1000, interval=0)

    assert os.getpid() not in {row["pid"] for row in rows}


def test_samples_are_a_stream(host, burner):
    stream = host.samples(count=3, interval=0.1)
    assert inspect.isgenerator(stream)
    start = time.monotonic()
    samples = list(stream)

    assert time.monotonic() - start >= 0.29
    assert len(samples) == 3
    for sample in samples:
        assert set(sample) == {"time", "cpu", "memory", "sent", "received"}
        assert 0 <= sample["cpu"] <= 100
        assert 0 < sample["memory"] < 100
        assert sample["sent"] >= 0
    assert samples[0]["time"] < samples[1]["time"] < samples[2]["time"]
    assert max(sample["cpu"] for sample in samples) > 0


@pytest.mark.parametrize(("count", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError)])
def test_wrong_arguments_of_samples_are_refused_at_once(host, count, error):
    """Not only when the first item is asked for."""
    with pytest.raises(error, match="count should be"):
        host.samples(count)


def test_endless_stream_can_be_closed(host):
    stream = host.samples(interval=0.05)
    next(stream)
    stream.close()

    assert list(stream) == []


def test_closing_the_host_ends_its_streams(host):
    stream = host.samples(interval=10)
    ended = []
    reader = threading.Thread(target=lambda: ended.append(list(stream)))
    reader.start()
    host.close()
    reader.join(deadline(5).remaining)

    assert ended == [[]]


def test_subscription_calls_a_function(host):
    samples = []
    host.subscribe(samples.append, interval=0.05)
    eventually(lambda: len(samples) >= 2)

    assert set(samples[0]) == {"time", "cpu", "memory", "sent", "received"}


def test_subscription_delivers_samples(host):
    class Listener:
        samples = ()

        def on_sample(self, sample):
            self.samples = (*self.samples, sample)

    listener = Listener()
    one = host.subscribe(listener, interval=0.05)
    eventually(lambda: len(listener.samples) >= 2)

    assert host.subscriptions()[0]["id"] == one
    assert set(listener.samples[0]) == {"time", "cpu", "memory", "sent", "received"}
    assert host.unsubscribe(one) is True
    assert host.unsubscribe(one) is False
    assert host.subscriptions() == []


@pytest.mark.parametrize("interval", [0, 0.01, 3601])
def test_interval_of_a_subscription_is_bounded(host, interval):
    with pytest.raises(ValueError, match=r"between 0\.05 and 3600 s"):
        host.subscribe(object(), interval)


def test_without_psutil_it_says_what_to_install():
    code = "import sys; sys.modules['psutil'] = None\nfrom pyronb.demo.host import Host\nHost()"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert "ImportError" in run.stderr
    assert "pip install pyronb[demo]" in run.stderr
