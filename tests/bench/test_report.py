"""Showing a run, and keeping it."""

from __future__ import annotations

import json

import pytest

from tests.bench import report
from tests.bench.__main__ import arguments, chosen, main, settings_for
from tests.bench.session import QUICK, Result, Settings
from tests.bench.workloads import AGAIN, TABLE, WORKLOADS, Contender


def run(factor=1.0):
    """A made-up run of three rounds; pyronb is `factor` times three times as fast as Pyro5."""
    rates = {
        Contender("raw"): 1000.0,
        Contender("pyronb", "msgpack"): 300.0 * factor,
        Contender("Pyro5", "serpent"): 50.0,
        Contender("Pyro5", "msgpack"): 100.0,
        Contender("Pyro5", "msgpack", again=True): 110.0,
        Contender("rpyc"): 25.0,
    }
    return [
        Result("small", "same", who, {"calls/s": [rate, rate / 2, rate], "cpu us": [1e6 / rate] * 3})
        for who, rate in rates.items()
    ]


def test_table():
    """It has the medians, the ratios, and the noise."""
    lines = report.table(run()).splitlines()

    compared = ["x", "raw", "x", "Pyro5"]
    assert ["small,", "same", "processor", "calls/s", *compared, "cpu", "us", *compared] == lines[0].split()
    assert ["pyronb", "msgpack", "300", "3.33", "3.00", "3,333", "3.33", "3.00"] == lines[3].split()
    assert ["rpyc", "25.0", "40.00", "0.50", "40,000", "40.00", "0.50"] == lines[7].split()
    assert "  the same Pyro5 twice: 1.10 to 1.10 in a round" == lines[-1]


def test_table_tells_failures():
    """One that failed says why, and the others are shown."""
    results = run()
    results[1] = Result("small", "same", results[1].contender, {"calls/s": [None] * 3}, "wrong answer")

    text = report.table(results)

    assert "failed: wrong answer" in text
    assert "rpyc" in text


def test_baseline_prefers_the_same_serializer_and_kind():
    """Where Pyro5 has not the same, it is compared with its default."""
    results = [Result("x", "split", each) for each in WORKLOADS["fan-in-8"].contenders]

    def other(*contender, **more):
        return report.baseline(results, Contender(*contender, **more)).contender.label

    assert "Pyro5 msgpack" == other("pyronb", "msgpack")
    assert "Pyro5 msgpack multiplex" == other("pyronb", "msgpack", kind="multiplex")
    assert "Pyro5 serpent" == other("pyronb", "marshal")


def test_kept_and_read_again(tmp_path):
    """What comes back from a file gives the same table; what is not known any more is left out."""
    data = report.kept(run(), Settings(), pinned=True)
    data["results"] += [{**data["results"][0], "workload": "gone"}, {**data["results"][0], "contender": "gone"}]
    file = tmp_path / "run.json"
    file.write_text(json.dumps(data))

    assert report.table(run()) == report.table(report.load(file))


def test_other_formats_are_refused():
    """Rather than misread."""
    with pytest.raises(ValueError, match="format 0"):
        report.restored({"format": 0})


def test_comparison():
    """Both runs are told against their own Pyro5."""
    lines = report.comparison(run(), run(2.0)).splitlines()

    assert ["small", "same:", "pyronb", "msgpack,", "calls/s", "3.00", "6.00", "2.00"] == lines[-2].split()
    assert ["small", "same:", "pyronb", "msgpack,", "cpu", "us", "3.00", "6.00", "2.00"] == lines[-1].split()
    assert "there is nothing in both runs" == report.comparison([], run())


def test_points_of_a_chart():
    """Everyone but the floor and the second Pyro5 has one, against the Pyro5 with its serializer."""
    points = report.points(run())

    assert ["small same, calls/s"] == list(points)
    assert [("pyronb msgpack", 3.0), ("Pyro5 serpent", 1.0), ("Pyro5 msgpack", 1.0), ("rpyc", 0.5)] == [
        (who.label, ratio) for who, ratio in points["small same, calls/s"]
    ]


def test_marks_tell_everyone_apart():
    """No two forms of pyronb in a workload look the same; Pyro5, which all are compared with, is the line at 1."""
    for workload in TABLE:
        ours = [report.mark(each) for each in workload.contenders if "pyronb" in each.label]
        looks = {(look["marker"], look.get("color"), look.get("edgecolors")) for look in ours}

        assert len(looks) == len(ours), workload.name
    assert report.mark(AGAIN) is None


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_chart(tmp_path, ending):
    """It is drawn in the format that the name says."""
    pytest.importorskip("matplotlib", reason="matplotlib is an extra")
    file = tmp_path / f"chart.{ending}"
    report.chart(run(), file)

    begin = file.read_bytes()[:100]

    assert begin.startswith(b"\x89PNG" if ending == "png" else b"<?xml")


def test_command_line(capsys):
    """Workloads are chosen by name, and a quick run leaves out the long ones."""
    names = [each.name for each in TABLE]

    assert ["small"] == [each.name for each in chosen(arguments(["small"]))[0]]
    assert ["fan-in-256"] == [each.name for each in chosen(arguments(["--quick", "fan-in-256"]))[0]]
    assert not any(each.long for each in chosen(arguments(["--quick"]))[0])
    assert (QUICK.seconds, 9, "quick") == (
        settings_for(arguments(["--quick", "--rounds", "9"])).seconds,
        settings_for(arguments(["--quick", "--rounds", "9"])).rounds,
        settings_for(arguments(["--quick"])).scale,
    )
    assert 0 == main(["--list"])
    assert names == [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    with pytest.raises(SystemExit):
        arguments(["nothing"])
