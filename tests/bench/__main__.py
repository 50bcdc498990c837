"""The command: `python -m tests.bench`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import report
from tests.bench.places import excuse, processors
from tests.bench.session import QUICK, Result, Session, Settings
from tests.bench.workloads import TABLE, WORKLOADS, Workload


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure pyronb against its peers.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help="names, as --list tells them; all by default")
    parser.add_argument("--list", action="store_true", help="tell the workloads and end")
    parser.add_argument(
        "--quick", action="store_true", help="two minutes: fewer, shorter rounds, without long workloads"
    )
    parser.add_argument("--rounds", type=int, help=f"rounds of each workload ({Settings().rounds})")
    parser.add_argument("--seconds", type=float, help=f"of each contender in each round ({Settings().seconds})")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the run")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with a run that was kept")
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw the run, as .png or .svg")
    given = parser.parse_args(words)
    unknown = [name for name in given.workloads if name not in WORKLOADS]
    if unknown:
        parser.error(f"there is no workload {', '.join(unknown)}; there are: {', '.join(WORKLOADS)}")
    return given


def settings_for(given: argparse.Namespace) -> Settings:
    base = QUICK if given.quick else Settings()
    return Settings(given.rounds or base.rounds, given.seconds or base.seconds, base.scale)


def chosen(given: argparse.Namespace) -> tuple[list[Workload], list[str]]:
    """Give what is to run, and what is left out and why."""
    wanted = [WORKLOADS[name] for name in given.workloads] or list(TABLE)
    skipped = [f"{each.name}: {each.needs} is not there" for each in wanted if not each.there]
    wanted = [each for each in wanted if each.there]
    if given.quick and not given.workloads:
        skipped += [f"{each.name}: too long for a quick run" for each in wanted if each.long]
        wanted = [each for each in wanted if not each.long]
    return wanted, skipped


def progress_line() -> Callable[[str], None]:
    """Give what shows where the run is, on a terminal."""
    if not sys.stderr.isatty():
        return lambda _text: None
    return lambda text: print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def run(workloads: Sequence[Workload], settings: Settings) -> list[Result]:
    """Measure, and print each table as soon as it is complete."""
    progress = progress_line()
    results: list[Result] = []
    with Session(settings) as session:
        if session.absent:
            print(f"not installed, and left out: {', '.join(sorted(session.absent))} (pip install 'pyronb[bench]')\n")
        for number, workload in enumerate(workloads):
            session.progress = lambda text, number=number: progress(f"[{number + 1}/{len(workloads)}] {text}")
            for group in session.run(workload):
                results += group
                progress("")
                print(f"{report.table(group)}\n", flush=True)
    return results


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    given = arguments(words)
    if given.list:
        print("\n".join(f"{each.name:14} {each.about}" for each in TABLE))
        return 0
    earlier = report.load(given.against) if given.against else None
    settings = settings_for(given)
    workloads, skipped = chosen(given)
    begin = time.monotonic()
    if excuse():
        print(f"{excuse()}\n")
    results = run(workloads, settings)
    for line in skipped:
        print(f"left out: {line}")
    if given.json:
        data = report.kept(results, settings, pinned=bool(processors()))
        given.json.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    if given.chart:
        report.chart(results, given.chart)
    if earlier is not None:
        print(f"\n{report.comparison(earlier, results)}")
    print(f"\nmeasured for {time.monotonic() - begin:.0f} s; ratios are medians over {settings.rounds} rounds")
    return 1 if any(result.error and result.contender.client == "pyronb" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
