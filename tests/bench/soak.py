"""The command: `python -m tests.bench.soak`, full load for minutes, while memory, descriptors and threads are watched.

It prints a row each half minute, and in the end how each quantity went: its slope is the median of the slopes between
all pairs of samples after the time for warming up, which a few peaks do not bend. What rises by less than it goes up
and down is flat.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.paths import ROOT

WARM_UP = 0.3
"""Part of the time in which caches and pools fill up."""
QUANTITIES = ("MiB", "files", "threads")
WIDTH = 14
ENDS = ("server", "client")
_STEEP = {"MiB": (0.004, 0.25), "files": (0.004, 0.5), "threads": (0.004, 0.5)}
"""Growth in a minute that is not flat: as part of the level, and in any case as so many."""
_MOST_SAMPLES = 120
_BARS = "▁▂▃▄▅▆▇█"
_PATIENCE = 60


@dataclass(frozen=True)
class Sample:
    """What one look at one end told.

    Attributes:
        minute: when it was, since the beginning.
        values: by quantity.
    """

    minute: float
    values: dict[str, float]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Give the median of the slopes between all pairs of points."""
    step = max(1, len(points) // _MOST_SAMPLES)
    pairs = itertools.combinations(points[::step], 2)
    return statistics.median([(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in pairs if x2 > x1] or [0.0])


@dataclass(frozen=True)
class Verdict:
    """How one quantity of one end went after the time for warming up."""

    what: str
    level: float
    slope: float
    first: float
    last: float
    flat: bool

    def __str__(self) -> str:
        word = "flat" if self.flat else "GROWS"
        return (
            f"{self.what:20} {word:6} {self.slope:+8.3f} a minute, at {self.level:.1f}; "
            f"{self.first:.1f} in the first fifth, {self.last:.1f} in the last"
        )


def verdict(end: str, quantity: str, samples: Sequence[Sample]) -> Verdict:
    """Tell whether a quantity is flat."""
    last = samples[-1].minute if samples else 0.0
    points = [(each.minute, each.values[quantity]) for each in samples if each.minute >= WARM_UP * last]
    values = [value for _, value in points] or [0.0]
    fifth = max(1, len(values) // 5)
    level, rise = statistics.median(values), slope(points)
    part, least = _STEEP[quantity]
    # What goes up and down by more than it rises in all this time has not grown.
    quarters = statistics.quantiles(values, n=4) if len(values) > 1 else [level] * 3
    span = points[-1][0] - points[0][0] if points else 0.0
    flat = rise <= max(part * level, least) or rise * span <= quarters[2] - quarters[0]
    first, end_value = statistics.mean(values[:fifth]), statistics.mean(values[-fifth:])
    return Verdict(f"{end} {quantity}", level, rise, first, end_value, flat)


def bars(values: Sequence[float]) -> str:
    """Draw values in one line, from nothing to the greatest."""
    most = max(values, default=0) or 1
    return "".join(_BARS[min(len(_BARS) - 1, int(value / most * len(_BARS)))] for value in values)


class End:
    """A process of the load, and what it tells."""

    def __init__(self, name: str, *words: str) -> None:
        self.name = name
        # With these glibc gives back what is freed. Else the heaps of threads that come and go, with large values in
        # between, have ever more gaps for half an hour, which would hide what grows.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "65536"}
        program = [sys.executable, "-m", "tests.bench.load", *words]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            program,
            cwd=ROOT,
            env=environment,
            stdin=pipe,
            stdout=pipe,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self.told = ""
        self.samples: list[Sample] = []
        self.looked_at = importlib.import_module("psutil").Process(self.process.pid)
        self.first = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        """Keep the last line."""
        for line in self.process.stdout:
            self.told = line
            self.first.set()

    def answer(self) -> Any:
        """Give what it told last.

        Raises:
            RuntimeError: it told nothing.
        """
        if not self.first.wait(_PATIENCE):
            raise RuntimeError(f"the {self.name} tells nothing")
        return json.loads(self.told)

    def look(self, minute: float) -> None:
        """Take a sample.

        Raises:
            RuntimeError: it has ended.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"the {self.name} has ended")
        counted = getattr(self.looked_at, "num_fds", None) or self.looked_at.num_handles
        values = self.looked_at.memory_info().rss / 2**20, counted(), self.looked_at.num_threads()
        self.samples.append(Sample(minute, dict(zip(QUANTITIES, map(float, values), strict=True))))

    def close(self) -> None:
        """End it, by force where it does not listen."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(_PATIENCE)
        self.process.stdout.close()


@contextlib.contextmanager
def load() -> Iterator[tuple[End, End]]:
    """Have the load run meanwhile."""
    with contextlib.ExitStack() as stack:
        server = End("server", "serve")
        stack.callback(server.close)
        client = End("client", "ask", json.dumps(server.answer()))
        stack.callback(client.close)
        client.answer()
        yield server, client


def row(minute: float, ends: Sequence[End], since: float, done: int) -> str:
    """Lay out the medians since a moment."""
    cells = [f"{minute:6.1f}"]
    for end in ends:
        lately = [each.values for each in end.samples if each.minute >= since]
        cells += [f"{statistics.median(values[quantity] for values in lately):{WIDTH}.1f}" for quantity in QUANTITIES]
    return " ".join([*cells, f"{done:9,}"])


def head() -> str:
    """Lay out the heads of the columns."""
    cells = [f"{end} {quantity}" for end in ENDS for quantity in QUANTITIES]
    return " ".join([f"{'minute':>6}", *(f"{cell:>{WIDTH}}" for cell in cells), f"{'calls/s':>9}"])


def soak(minutes: float, every: float) -> bool:
    """Run, print, and tell whether all is well."""
    print(head(), flush=True)
    with load() as ends:
        began = time.monotonic()
        shown, counted = 0.0, 0
        while (passed := time.monotonic() - began) < 60 * minutes:
            time.sleep(min(1.0, every))
            for end in ends:
                end.look((time.monotonic() - began) / 60)
            if passed - shown >= every:
                total = sum(ends[1].answer()["done"].values())
                rate = (total - counted) / (passed - shown)
                print(row(passed / 60, ends, shown / 60, int(rate)), flush=True)
                shown, counted = passed, total
    told = ends[1].answer()
    verdicts = [verdict(end.name, quantity, end.samples) for end in ends for quantity in QUANTITIES]
    print(f"\nafter {WARM_UP:.0%} of {minutes:g} minutes for warming up:")
    for each, (end, quantity) in zip(verdicts, itertools.product(ends, QUANTITIES), strict=True):
        values = [sample.values[quantity] for sample in end.samples]
        print(f"{each}  {bars(values[:: max(1, len(values) // 40)])}")
    print("\n" + "\n".join(f"{count:12,} {name}" for name, count in told["done"].items()))
    for text, times in told["wrong"].items():
        print(f"WRONG, {times} times: {text}")
    idle = [name for name, count in told["done"].items() if not count]
    if idle:
        print(f"WRONG: none of {', '.join(idle)}")
    well = all(each.flat for each in verdicts) and not told["wrong"] and not idle
    print(f"\n{'all is flat, and nothing went wrong' if well else 'NOT WELL, see above'}")
    return well


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long (%(default)g)")
    parser.add_argument("--every", type=float, default=30, help="seconds between two rows (%(default)g)")
    given = parser.parse_args(words)
    return 0 if soak(given.minutes, given.every) else 1


if __name__ == "__main__":
    sys.exit(main())
