"""Showing a run: tables for the terminal, json to keep, a comparison with an earlier run, and a chart."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.bench.figures import Metric, median, median_ratio, rows_against, speed, spread, times
from tests.bench.peers import PEERS
from tests.bench.session import Result, Settings
from tests.bench.workloads import AGAIN, CPU, WORKLOADS, Contender

FORMAT = 1


def baseline(results: Sequence[Result], contender: Contender) -> Result | None:
    """Find the Pyro5 that a contender is compared with: with the same serializer and kind, as far as there is one."""
    pyro5 = [each for each in results if each.contender.label.startswith("Pyro5 ") or each.contender.label == "Pyro5"]
    pyro5 = [each for each in pyro5 if not each.contender.again and each.contender.server in ("", "Pyro5")]

    def distance(other: Result) -> tuple[bool, bool, bool]:
        same = other.contender.serializer == contender.serializer
        return (not same, other.contender.serializer != "serpent", other.contender.kind != contender.kind)

    return min(pyro5, key=distance, default=None)


def ratios(results: Sequence[Result], result: Result, metric: Metric) -> tuple[float | None, float | None]:
    """Give how many times the floor's time this is, and how many times as fast as Pyro5."""
    floor = next((each for each in results if each.contender.client == "raw"), None)
    other = baseline(results, result.contender)
    own = result.rounds[metric.name]
    return (
        median_ratio(times, metric, own, floor.rounds[metric.name]) if floor and metric.compared else None,
        median_ratio(speed, metric, own, other.rounds[metric.name]) if other and metric.compared else None,
    )


def noise(results: Sequence[Result], metric: Metric) -> str:
    """Say what Pyro5 against itself came to; ratios within that mean nothing."""
    again = next((each for each in results if each.contender.again), None)
    other = baseline(results, AGAIN)
    found = spread(metric, again.rounds[metric.name], other.rounds[metric.name]) if again and other else None
    return f"the same Pyro5 twice: {found[0]:.2f} to {found[1]:.2f} in a round" if found else ""


def table(results: Sequence[Result]) -> str:
    """Lay out what was measured of one workload at one place."""
    workload = WORKLOADS[results[0].workload]
    place = f", {results[0].place} processor" + ("s" if results[0].place == "split" else "") if workload.served else ""
    lines = [[f"{workload.name}{place}"]]
    for metric in workload.metrics:
        lines[0] += [metric.name, *(["x raw", "x Pyro5"] if metric.compared else [])]
    for result in results:
        if result.error:
            lines.append([result.contender.label, f"failed: {result.error}"])
            continue
        line = [result.contender.label]
        for metric in workload.metrics:
            line.append(shown(median(result.rounds[metric.name])))
            if metric.compared:
                line += [shown(ratio, 2) for ratio in ratios(results, result, metric)]
        lines.append(line)
    says = [workload.about, noise(results, workload.metrics[0])]
    return "\n".join([aligned(lines), *(f"  {text}" for text in says if text)])


def shown(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return ""
    if digits is None:
        digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def aligned(lines: Iterable[Sequence[str]]) -> str:
    """Put cells under each other: the first to the left, the others to the right; a long one may stand out."""
    lines = [list(line) for line in lines]
    count = max(len(line) for line in lines)
    widths = [max((len(line[at]) for line in lines if at < len(line) == count), default=0) for at in range(count)]
    rows = []
    for line in lines:
        cells = [
            line[0].ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=False)),
        ]
        rows.append("  ".join(cells).rstrip())
    return "\n".join([rows[0], "-" * len(rows[0]), *rows[1:]])


def kept(results: Iterable[Result], settings: Settings, pinned: bool) -> dict[str, Any]:
    """Give a run in the form in which it is kept."""
    return {
        "format": FORMAT,
        "python": platform.python_version(),
        "versions": versions(),
        "settings": {"rounds": settings.rounds, "seconds": settings.seconds, "scale": settings.scale},
        "pinned": pinned,
        "results": [
            {
                "workload": result.workload,
                "place": result.place,
                "contender": result.contender.label,
                "rounds": result.rounds,
                "error": result.error,
            }
            for result in results
        ],
    }


def versions() -> dict[str, str]:
    """Name the versions of those who take part."""
    found = {}
    for name, peer in PEERS.items():
        try:
            found[name] = importlib.metadata.version(peer.needs)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def restored(data: dict[str, Any]) -> list[Result]:
    """Make results of what was kept; those of workloads and contenders that are no more are left out.

    Raises:
        ValueError: it was kept in another format.
    """
    if data.get("format") != FORMAT:
        raise ValueError(f"the run was kept in format {data.get('format')!r}, this is {FORMAT}")
    results = []
    for each in data["results"]:
        workload = WORKLOADS.get(each["workload"])
        labels = {contender.label: contender for contender in workload.contenders} if workload else {}
        if each["contender"] in labels and all(metric.name in each["rounds"] for metric in workload.metrics):
            contender = labels[each["contender"]]
            results.append(Result(each["workload"], each["place"], contender, each["rounds"], each["error"]))
    return results


def grouped(results: Iterable[Result]) -> list[list[Result]]:
    """Put together what ran in the same rounds."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.workload, result.place), []).append(result)
    return list(groups.values())


def against_pyro5(results: Iterable[Result]) -> dict[str, float]:
    """Give how many times as fast as Pyro5 pyronb is, by workload, place, contender and metric."""
    found = {}
    for group in grouped(results):
        for result in group:
            if "pyronb" not in result.contender.label or result.error:
                continue
            for metric in WORKLOADS[result.workload].metrics:
                ratio = ratios(group, result, metric)[1]
                if ratio is not None:
                    found[f"{result.workload} {result.place}: {result.contender.label}, {metric.name}"] = ratio
    return found


def comparison(earlier: Iterable[Result], now: Iterable[Result]) -> str:
    """Lay out how pyronb did then and now, each against the Pyro5 of its own run."""
    rows = rows_against(against_pyro5(earlier), against_pyro5(now))
    if not rows:
        return "there is nothing in both runs"
    lines = [["x Pyro5", "then", "now", "now / then"]]
    return aligned([*lines, *([name, *(shown(value, 2) for value in values)] for name, *values in rows)])


COLOURS = {"serpent": "#3776ab", "json": "#e1812c", "marshal": "#3a923a", "msgpack": "#c03d3e", "native": "#8b5fbf"}
OTHERS = {"Pyro4": "4", "rpyc": "x", "manager": "+", "dask": "*"}
"""How those are marked who are neither pyronb nor what it is compared with."""


def points(results: Iterable[Result]) -> dict[str, list[tuple[Contender, float]]]:
    """Give for each thing that was measured how many times as fast as Pyro5 everyone did it."""
    found: dict[str, list[tuple[Contender, float]]] = {}
    for group in grouped(results):
        place = f" {group[0].place}" if len(WORKLOADS[group[0].workload].places) > 1 else ""
        for metric in WORKLOADS[group[0].workload].metrics:
            for result in group:
                ratio = ratios(group, result, metric)[1] if not result.error and metric != CPU else None
                if ratio is not None and result.contender.client != "raw" and not result.contender.again:
                    found.setdefault(f"{group[0].workload}{place}, {metric.name}", []).append((result.contender, ratio))
    return found


def mark(contender: Contender) -> dict[str, Any] | None:
    """Give how a contender is drawn, or None for the one that all are compared with."""
    ends = {contender.client, contender.server or contender.client}
    if "pyronb" not in ends:
        sign = OTHERS.get(contender.client)
        return {"marker": sign, "color": "#777777", "label": contender.client, "zorder": 1} if sign else None
    colour = COLOURS.get(contender.serializer, "black")
    name = contender.serializer or "pyronb"
    if len(ends) == 2:
        one = "Pyro5's server" if contender.server == "Pyro5" else "Pyro5's client"
        return {
            "marker": "<" if contender.server == "Pyro5" else ">",
            "facecolors": "white",
            "edgecolors": colour,
            "label": f"{name}, {one}",
        }
    if contender.kind == "multiplex":
        return {"marker": "D", "color": colour, "label": f"{name}, multiplex", "s": 26}
    return {"marker": "o", "color": colour, "label": name}


def chart(results: Iterable[Result], path: Path) -> None:
    """Draw how many times as fast as Pyro5 all are, a row for each thing measured; the file's ending is the format.

    Raises:
        RuntimeError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise RuntimeError("a chart needs matplotlib: pip install 'pyronb[bench]'")
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    # Letters as letters, and nothing that differs between two drawings of one run: the file is kept in git.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "pyronb"})
    pyplot = importlib.import_module("matplotlib.pyplot")
    rows = points(results)
    figure, axes = pyplot.subplots(figsize=(9, 2.2 + 0.24 * len(rows)), layout="constrained")
    for at, found in enumerate(rows.values()):
        for contender, ratio in found:
            if look := mark(contender):
                axes.scatter([ratio], [at], **{"s": 34, "zorder": 2, "linewidths": 1, **look})
    axes.axvline(1, color="black", linewidth=1, zorder=0)
    axes.set_xscale("log")
    reached = [ratio for found in rows.values() for _, ratio in found] or [1]
    ticks = [t for t in (0.01, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if min(reached) / 2 <= t <= 2 * max(reached)]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_yticks(range(len(rows)), list(rows))
    axes.invert_yaxis()
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("times as fast as Pyro5 with the same serializer, else serpent, in the same run (1 = Pyro5)")
    axes.tick_params(labelsize=8, length=0)
    axes.margins(y=0.03)
    handles, labels = axes.get_legend_handles_labels()
    seen = dict(zip(labels, handles, strict=True))
    figure.legend(seen.values(), seen.keys(), loc="outside upper center", ncols=5, fontsize=8, frameon=False)
    figure.savefig(path, dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)
    pyplot.close(figure)


def load(path: Path) -> list[Result]:
    """Read a run that was kept."""
    return restored(json.loads(path.read_text(encoding="utf-8")))
