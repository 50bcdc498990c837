"""Host: the machine this runs on, measured live with psutil.

Knows psutil, and is the only module that does. Percentages are computed here from two readings of the system's
counters: psutil's own keep one previous reading for each thread, which means nothing when a daemon's threads serve
calls in turn.
"""

from __future__ import annotations

import os
import platform
import socket
import threading
import time
from collections.abc import Generator
from operator import itemgetter
from typing import Any

from pyronb.demo.checks import choice, number, whole
from pyronb.demo.subscriptions import Callback, Sample, Subscriptions
from pyronb.server.exposure import expose

try:
    import psutil

    _INSTALLED = True
except ImportError:
    _INSTALLED = False  # Host() explains it

__all__ = ["Host"]

MAX_INTERVAL = 10.0
MAX_PROCESSES = 1000
MIN_PERIOD, MAX_PERIOD = 0.05, 3600.0
PERCENT_DIGITS = 1
_SORT_KEYS = ("cpu", "memory", "pid", "name")


class Host:
    """This machine, live: processor, memory, disks, network and processes.

    Sizes are bytes, times are seconds, moments are seconds since 1970 (UTC), percentages go from 0 to 100 but for the
    processor time of a process, which counts in percent of one core.

    Raises:
        ImportError: psutil is not installed.
    """

    def __init__(self) -> None:
        if not _INSTALLED:
            raise ImportError("demo.host measures with psutil, which is not installed: pip install pyronb[demo]")
        self._closing = threading.Event()
        self._meter = _Meter()
        self._subscriptions = Subscriptions(lambda: _Meter().read)

    @property
    @expose
    def hostname(self) -> str:
        """The machine's name in its network."""
        return socket.gethostname()

    @property
    @expose
    def platform(self) -> str:
        """Operating system, its release and the processor's kind."""
        return platform.platform()

    @property
    @expose
    def python(self) -> str:
        """Name and version of the Python that answers."""
        return f"{platform.python_implementation()} {platform.python_version()}"

    @property
    @expose
    def boot_time(self) -> float:
        """When the machine was started, in seconds since 1970 (UTC)."""
        return psutil.boot_time()

    @property
    @expose
    def uptime(self) -> float:
        """How long the machine has been running, in seconds."""
        return max(0.0, time.time() - psutil.boot_time())

    @expose
    def cpu_percent(self, interval: float = 0.1) -> float:
        """Measure how busy the processor is, all cores together.

        Args:
            interval: seconds to measure, 0 to 10. 0 does not wait but covers the time since the last such call.

        Returns:
            Percent, 0 to 100. The system counts in ticks of about 0.01 s: short intervals give coarse results.

        Raises:
            ValueError: the interval is out of bounds.
        """
        interval = number("interval", interval, 0.0, MAX_INTERVAL, "s")
        meter = _Meter() if interval else self._meter
        self._closing.wait(interval)
        return meter.read()["cpu"]

    @expose
    def cpu_count(self, logical: bool = True) -> int | None:
        """Count the processor's cores.

        Args:
            logical: count what the system schedules on (hardware threads); False counts physical cores.

        Returns:
            The number, or None when the system does not tell.
        """
        return psutil.cpu_count(logical=logical)

    @expose
    def cpu_times(self) -> dict[str, float]:
        """Tell what the processor's cores have spent their time on since the machine was started.

        Returns:
            Seconds by state, summed over all cores: `user`, `system`, `idle` and what else this system counts.
        """
        return {state: float(seconds) for state, seconds in psutil.cpu_times()._asdict().items()}

    @expose
    def load_average(self) -> tuple[float, float, float]:
        """Tell how many processes were running or waiting to run, on average.

        Returns:
            Three averages: over the last 1, 5 and 15 minutes.
        """
        one, five, fifteen = psutil.getloadavg()
        return one, five, fifteen

    @expose
    def memory(self) -> dict[str, float]:
        """Tell how the main memory is used.

        Returns:
            `total`, `available`, `used` and `free` in bytes, `percent` in use. What caches hold counts as available.
        """
        now = psutil.virtual_memory()
        return {
            "total": now.total,
            "available": now.available,
            "used": now.used,
            "free": now.free,
            "percent": float(now.percent),
        }

    @expose
    def swap(self) -> dict[str, float]:
        """Tell how the swap space is used.

        Returns:
            `total`, `used` and `free` in bytes, `percent` in use; all 0 on a machine without swap.
        """
        now = psutil.swap_memory()
        return {"total": now.total, "used": now.used, "free": now.free, "percent": float(now.percent)}

    @expose
    def disks(self) -> list[dict[str, Any]]:
        """Tell how full the mounted disks are.

        Returns:
            For each disk: `device`, `mount` (its directory), `kind` (of file system), `total`, `used` and `free` in
            bytes, `percent` in use, and `error`: None, or why it could not be read; then the numbers are None.
        """
        parts = psutil.disk_partitions(all=False)
        if all(part.mountpoint != "/" for part in parts):
            # A container's root is no disk of its own, but the question is about it.
            parts += [part for part in psutil.disk_partitions(all=True) if part.mountpoint == "/"]
        # Containers have single files mounted too.
        return [_disk(part) for part in parts if os.path.isdir(part.mountpoint)]  # noqa: PTH112 - never raises

    @expose
    def network(self) -> dict[str, dict[str, int]]:
        """Tell what the network interfaces have carried since the machine was started.

        Returns:
            For each interface, and for `total`: `sent` and `received` in bytes, `packets_sent`, `packets_received`,
            `errors` and `dropped` (both directions).
        """
        counters = psutil.net_io_counters(pernic=True)
        told = {
            _text(name): {
                "sent": one.bytes_sent,
                "received": one.bytes_recv,
                "packets_sent": one.packets_sent,
                "packets_received": one.packets_recv,
                "errors": one.errin + one.errout,
                "dropped": one.dropin + one.dropout,
            }
            for name, one in counters.items()
        }
        kinds = ("sent", "received", "packets_sent", "packets_received", "errors", "dropped")
        return {**told, "total": {kind: sum(one[kind] for one in told.values()) for kind in kinds}}

    @expose
    def processes(self, limit: int = 20, sort_by: str = "cpu", interval: float = 0.2) -> list[dict[str, Any]]:
        """Measure what the running processes use.

        Processes that start or end meanwhile are left out, and those that may not be looked at.

        Args:
            limit: the most processes to tell about, 1 to 1000.
            sort_by: `cpu` or `memory` (most first), `pid` or `name` (rising).
            interval: seconds to measure processor time, 0 to 10; with 0 it is not measured and `cpu` is 0.

        Returns:
            For each process: `pid`, `name`, `status`, `cpu` in percent of one core (a process with several threads may
            exceed 100), `memory` in percent of the machine's, `memory_bytes` resident.

        Raises:
            ValueError: an argument is out of bounds.
        """
        limit = whole("limit", limit, 1, MAX_PROCESSES)
        interval = number("interval", interval, 0.0, MAX_INTERVAL, "s")
        sort_by = choice("sort_by", sort_by, _SORT_KEYS)
        rows = _processes(self._closing, interval)
        rows.sort(key=itemgetter(sort_by), reverse=sort_by in ("cpu", "memory"))
        return rows[:limit]

    @expose
    def sensors(self) -> list[dict[str, Any]]:
        """Read the temperature sensors.

        Returns:
            For each sensor: `chip`, `label`, `celsius`. Empty on machines, above all virtual ones, that have none.
        """
        read = getattr(psutil, "sensors_temperatures", None)  # not on every system
        chips = read() if read is not None else {}
        return [
            {"chip": chip, "label": one.label, "celsius": float(one.current)}
            for chip, found in chips.items()
            for one in found
        ]

    @expose
    def samples(self, count: int | None = None, interval: float = 0.5) -> Generator[Sample, None, None]:
        """Stream live samples of the machine's load.

        Args:
            count: how many samples; None goes on until the stream is closed.
            interval: seconds from one sample to the next, 0.05 to 10.

        Returns:
            A stream of samples: `time` (seconds since 1970), `cpu` and `memory` in percent, `sent` and `received` in
            bytes per second over all network interfaces. Each covers the time since the one before it.

        Raises:
            ValueError: an argument is out of bounds.
        """
        if count is not None:
            count = whole("count", count, 1)
        return self._samples(count, number("interval", interval, MIN_PERIOD, MAX_INTERVAL, "s"))

    def _samples(self, count: int | None, interval: float) -> Generator[Sample, None, None]:
        meter = _Meter()
        due = time.monotonic()
        while count is None or count > 0:
            # A slow reader gets fewer samples, not old ones.
            due = max(due + interval, time.monotonic())
            if self._closing.wait(due - time.monotonic()):
                return
            yield meter.read()
            count = None if count is None else count - 1

    @expose
    def subscribe(self, callback: Callback, interval: float = 1.0) -> str:
        """Have live samples sent to a callback until it is unsubscribed.

        It is called with the samples that `samples` streams. A callback that fails three times in a row (a remote one
        also by needing more than 5 s) is dropped, and at once when its connection is gone.

        Args:
            callback: a function; or a remote object, or a proxy of one, whose method `on_sample` is called.
            interval: seconds from one sample to the next, 0.05 to 3600.

        Returns:
            The subscription's id, for `unsubscribe`.

        Raises:
            TypeError: the callback is neither.
            ValueError: the interval is out of bounds.
            RuntimeError: there are 100 subscriptions already.
        """
        return self._subscriptions.add(callback, number("interval", interval, MIN_PERIOD, MAX_PERIOD, "s"))

    @expose
    def unsubscribe(self, subscription_id: str) -> bool:
        """Stop sending samples to a callback; one that is on its way may still arrive.

        Args:
            subscription_id: what `subscribe` returned.

        Returns:
            Whether there was such a subscription; False also when it was dropped before.
        """
        return self._subscriptions.drop(subscription_id)

    @expose
    def subscriptions(self) -> list[dict[str, Any]]:
        """List the running subscriptions.

        Returns:
            For each: `id`, `interval` in seconds, `delivered` (samples so far), `failures` (in a row), `callback` (its
            address, or what it is).
        """
        return self._subscriptions.describe()

    def close(self) -> None:
        """End all streams and subscriptions, and wait for their threads."""
        self._closing.set()
        self._subscriptions.close()


class _Meter:
    """Measures the load since it was last read, by any thread, or made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cpu = 0.0
        self._last = self._look()

    def read(self) -> Sample:
        with self._lock:
            moment, busy, total, sent, received = now = self._look()
            last_moment, last_busy, last_total, last_sent, last_received = self._last
            if total > last_total:  # else no tick went by, and the last result holds
                # Counters of waiting time may run backwards a little.
                self._cpu = min(100.0, max(0.0, 100 * (busy - last_busy) / (total - last_total)))
            self._last = now
            seconds = max(moment - last_moment, 1e-3)
            return {
                "time": time.time(),
                "cpu": round(self._cpu, PERCENT_DIGITS),
                "memory": float(psutil.virtual_memory().percent),
                "sent": round(max(0, sent - last_sent) / seconds, PERCENT_DIGITS),
                "received": round(max(0, received - last_received) / seconds, PERCENT_DIGITS),
            }

    @staticmethod
    def _look() -> tuple[float, float, float, int, int]:
        times = psutil.cpu_times()._asdict()
        # Linux counts the time of guests in user time as well.
        total = sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0)
        busy = total - times["idle"] - times.get("iowait", 0.0)
        carried = psutil.net_io_counters(pernic=True).values()
        sent, received = sum(one.bytes_sent for one in carried), sum(one.bytes_recv for one in carried)
        return time.monotonic(), busy, total, sent, received


def _disk(part: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "device": _text(part.device),
        "mount": _text(part.mountpoint),
        "kind": part.fstype,
        "total": None,
        "used": None,
        "free": None,
        "percent": None,
        "error": None,
    }
    try:
        usage = psutil.disk_usage(part.mountpoint)
    except OSError as error:
        row["error"] = error.strerror or str(error)
    else:
        row |= {"total": usage.total, "used": usage.used, "free": usage.free, "percent": float(usage.percent)}
    return row


def _processes(closing: threading.Event, interval: float) -> list[dict[str, Any]]:
    before: list[tuple[psutil.Process, float, float]] = []
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
            before.append((process, time.monotonic(), _cpu_seconds(process)))
        except psutil.Error:
            continue
    closing.wait(interval)
    total = psutil.virtual_memory().total
    rows = []
    for process, then, seconds in before:
        try:
            with process.oneshot():
                resident = process.memory_info().rss
                spent, elapsed = _cpu_seconds(process) - seconds, time.monotonic() - then
                rows.append(
                    {
                        "pid": process.pid,
                        "name": _text(process.name()),
                        "status": str(process.status()),
                        "cpu": round(100 * spent / elapsed, PERCENT_DIGITS) if interval else 0.0,
                        "memory": round(100 * resident / total, PERCENT_DIGITS),
                        "memory_bytes": resident,
                    }
                )
        except psutil.Error:
            continue
    return rows


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _text(name: str) -> str:
    """Replace what is no valid text, as names of files and processes may hold: it could not be sent."""
    return name.encode("utf-8", "replace").decode("utf-8")
