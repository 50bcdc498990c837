"""The front panel: settings are checked, records can be had again after a reset, acquisitions can be aborted."""

from __future__ import annotations

import statistics
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pyronb.context import current_context
from pyronb.demo.scope import SCALES, TIMEBASES, Scope
from pyronb.server.exposure import members_of
from tests.support.serving import connect, serving
from tests.support.waiting import eventually, scaled


@pytest.fixture
def scope():
    return Scope(pause=0.0)


def test_face_is_what_is_exposed():
    face = members_of(Scope)

    assert face.methods == {
        *("abort", "acquire", "autoscale", "choices", "measure", "reset", "self_test", "settings", "waveform"),
    }
    writable = {name for name in face.attributes if face.attribute(name).writable}
    assert writable == set(Scope().settings()) - {"sample_rate"}
    assert face.attributes - writable == {"identity", "sample_rate", "state"}


def test_everything_exposed_is_documented():
    face = members_of(Scope)

    for name in face.methods:
        assert face.method(name).doc.splitlines()[0].endswith("."), name
        assert "->" in face.method(name).signature, name
    for name in face.attributes:
        assert face.attribute(name).doc, name
        assert face.attribute(name).type, name


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("channel", 3),
        ("timebase", 2e-5),
        ("vertical_scale", 0.33),
        ("coupling", "AC"),
        ("bandwidth_limit", True),
        ("trigger_level", -0.25),
        ("trigger_slope", "falling"),
        ("trigger_mode", "normal"),
        ("sample_count", 2500),
    ],
)
def test_settings_are_kept_and_told(scope, setting, value):
    setattr(scope, setting, value)

    assert getattr(scope, setting) == value
    assert scope.settings()[setting] == value
    assert scope.reset()[setting] != value


@pytest.mark.parametrize(
    ("setting", "value", "error", "text"),
    [
        ("channel", 0, ValueError, "channel should be between 1 and 4, not 0"),
        ("channel", 5, ValueError, "between 1 and 4"),
        ("channel", "1", TypeError, "channel should be a whole number, not str"),
        ("timebase", 3e-4, ValueError, "use 0.0002 or 0.0005 s/div, not 0.0003"),
        ("timebase", 1.0, ValueError, "timebase should be between 1e-06 and 0.05 s/div"),
        ("timebase", float("nan"), ValueError, "not nan"),
        ("vertical_scale", 0, ValueError, "vertical_scale should be between 0.001 and 10 V/div, not 0"),
        ("vertical_scale", True, TypeError, "not bool"),
        ("coupling", "dc", ValueError, "coupling should be one of 'DC', 'AC', 'GND', not 'dc'"),
        ("bandwidth_limit", "no", ValueError, "True or False"),
        ("trigger_level", float("inf"), ValueError, "between -40 and 40 V"),
        ("trigger_level", None, TypeError, "not NoneType"),
        ("trigger_slope", "up", ValueError, "'rising', 'falling'"),
        ("trigger_mode", ["auto"], ValueError, "'auto', 'normal', 'single'"),
        ("sample_count", 49, ValueError, "between 50 and 20000"),
        ("sample_count", 100.0, TypeError, "not float"),
    ],
)
def test_wrong_settings_are_refused_and_change_nothing(scope, setting, value, error, text):
    before = scope.settings()

    with pytest.raises(error) as caught:
        setattr(scope, setting, value)

    assert text in str(caught.value)
    assert scope.settings() == before


def test_choices_can_be_set(scope):
    choices = scope.choices()
    for kind in choices.pop("measure"):
        scope.measure(kind)
    for setting, values in choices.items():
        for value in values:
            setattr(scope, setting, value)


def test_almost_a_step_of_the_timebase_is_that_step(scope):
    scope.timebase = 0.1 * 0.2 / 100

    assert scope.timebase in TIMEBASES


def test_sample_rate_follows(scope):
    assert scope.sample_rate == 200_000

    scope.timebase = 1e-6

    assert scope.sample_rate == pytest.approx(1e8)


def test_waveform_is_told_in_plain_values(scope):
    scope.sample_count = 200
    told = scope.waveform(2)

    volts = told.pop("volts")
    assert len(volts) == 200
    assert {type(v) for v in volts} == {float}
    start, step = told.pop("start"), told.pop("step")
    assert start + 100 * step == pytest.approx(0.0, abs=2 * step)
    assert told == {
        "channel": 2,
        "triggered": True,
        "clipped": False,
        "averages": 1,
        "time_unit": "s",
        "volts_unit": "V",
    }


@pytest.mark.parametrize("call", ["waveform", "measure"])
def test_channels_can_be_named_without_being_chosen(scope, call):
    with pytest.raises(ValueError, match="between 1 and 4"):
        getattr(scope, call)(channel=9)

    scope.measure("mean", 3)
    assert scope.channel == 1
    assert scope.measure("frequency", 2) == pytest.approx(2000, rel=0.01)


def test_unknown_measurement_names_the_known_ones(scope):
    with pytest.raises(ValueError, match="'vpp', 'vrms', 'mean'"):
        scope.measure("colour")


def test_reset_repeats_the_records(scope):
    def play():
        return [scope.waveform(), scope.measure("vpp", 4), scope.acquire(3), scope.autoscale(), scope.waveform()]

    first = play()
    assert scope.waveform() != first[0]
    scope.reset()

    assert play() == first
    assert Scope(seed=42).waveform() == first[0]
    assert Scope(seed=43).waveform() != first[0]


def test_single_keeps_its_record_until_it_is_armed_again(scope):
    scope.trigger_mode = "single"
    assert scope.state == "ready"
    first = scope.waveform()

    assert scope.state == "stopped"
    assert scope.waveform() == first
    assert scope.waveform(2) != first
    scope.trigger_mode = "single"
    assert scope.state == "ready"
    assert scope.waveform() != first


def test_no_trigger_in_normal_mode_leaves_the_scope_usable(scope):
    scope.trigger_mode, scope.trigger_level = "normal", 5.0
    for call in (scope.waveform, scope.measure, scope.acquire):
        with pytest.raises(TimeoutError, match="set trigger_level between"):
            call()

    assert scope.state == "ready"
    scope.trigger_level = 0.5
    assert scope.waveform()["triggered"]


@pytest.mark.parametrize("channel", [1, 2, 3, 4])
@pytest.mark.parametrize("timebase", [1e-6, 5e-2])
def test_autoscale_shows_a_few_periods_large(scope, channel, timebase):
    scope.channel, scope.timebase, scope.vertical_scale = channel, timebase, 0.001
    scope.coupling, scope.trigger_level, scope.trigger_mode = "GND", 30.0, "normal"
    settings = scope.autoscale()
    told = scope.waveform()

    assert settings == scope.settings()
    assert settings["vertical_scale"] in SCALES
    assert settings["coupling"] == "DC"
    assert told["triggered"]
    assert not told["clipped"]
    # The carrier's amplitude changes from screen to screen, between a half and one and a half of its own.
    assert max(map(abs, told["volts"])) > settings["vertical_scale"] / 2
    periods = 10 * settings["timebase"] * scope.measure("frequency")
    assert 2 < periods < 8


def test_acquire_averages(scope):
    scope.timebase, scope.vertical_scale, scope.trigger_level = 5e-4, 0.5, 0.0

    def roughness(told):
        """Noise shows in how much three neighbours are off a line; the sine does not."""
        v = told["volts"]
        return statistics.pstdev(v[k - 1] - 2 * v[k] + v[k + 1] for k in range(1, len(v) - 1))

    single, averaged = scope.acquire(1), scope.acquire(100)

    assert averaged["averages"] == 100
    assert averaged["aborted"] is False
    assert roughness(averaged) == pytest.approx(roughness(single) / 10, rel=0.25)
    assert max(averaged["volts"]) - min(averaged["volts"]) == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(("averages", "error"), [(0, ValueError), (1001, ValueError), (2.0, TypeError)])
def test_number_of_averages_is_bounded(scope, averages, error):
    with pytest.raises(error, match="averages should be"):
        scope.acquire(averages)


def test_abort_without_an_acquisition(scope):
    assert scope.abort() is False


def test_abort_returns_what_there_is():
    scope = Scope(pause=0.001)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(scope.acquire, 1000)
        state = scope._rng.getstate()
        eventually(lambda: scope._rng.getstate() != state, what="a first record")
        assert scope.state == "acquiring"
        with pytest.raises(RuntimeError, match="running already"):
            scope.acquire(1)
        assert scope.abort() is True
        told = running.result(scaled(5))

    assert told["aborted"] is True
    assert 1 <= told["averages"] < 1000
    assert scope.state == "ready"
    assert scope.acquire(1)["averages"] == 1


def test_reset_aborts_and_nothing_of_the_old_acquisition_disturbs_the_new_noise():
    scope = Scope(pause=60.0)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(scope.acquire)
        eventually(lambda: scope.state == "acquiring")
        scope.reset()
        with pytest.raises(RuntimeError, match="before its first record"):
            running.result(scaled(5))

    assert scope.waveform() == Scope().waveform()


def test_scope_answers_while_it_acquires():
    scope = Scope(pause=60.0)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(scope.acquire)
        eventually(lambda: scope.state == "acquiring")
        try:
            scope.timebase = 1e-3
            assert scope.waveform()["triggered"]
        finally:
            scope.abort()
        assert running.exception(scaled(5)) is not None


def test_many_threads_get_whole_records(scope):
    """Settings that change meanwhile never mix within one record."""
    stop = threading.Event()

    def twiddle():
        while not stop.is_set():
            for count, timebase in ((100, 1e-3), (500, 1e-4)):
                scope.sample_count = count
                scope.timebase = timebase

    with ThreadPoolExecutor(5) as pool:
        twiddling = pool.submit(twiddle)
        try:
            told = [one.result(scaled(20)) for one in [pool.submit(scope.waveform) for _ in range(100)]]
        finally:
            stop.set()
        twiddling.result(scaled(5))

    for one in told:
        assert round(len(one["volts"]) * one["step"] / 10, 9) in (1e-3, 1e-4)


def test_self_test_looks_at_each_channel(scope, capsys, caplog):
    """It works without a caller somewhere else, too; then it prints and logs here."""
    settings = scope.settings()
    found = scope.self_test()

    assert list(found) == [f"channel {number}" for number in (1, 2, 3, 4)]
    assert found["channel 1"] == pytest.approx(2.0, rel=0.1)
    assert capsys.readouterr().out.splitlines()[1] == f"channel 1: {found['channel 1']:.2f} V peak to peak"
    assert [record.getMessage() for record in caplog.records] == ["channel 3 does not trigger at 0 V"]
    assert scope.settings() == settings


@pytest.fixture
def remote():
    """A proxy for a scope that takes its time, and what is heard of its calls."""
    scope = Scope(pause=0.01)
    with serving() as daemon, connect(daemon.register(scope, "scope")) as proxy:
        heard = []
        current_context.listener = heard.append
        yield proxy, heard
        current_context.listener = None
        scope.abort()


def test_callers_hear_how_far_it_is(remote):
    """Of an acquisition and of a self-test: the last state is that all is done."""
    proxy, heard = remote
    proxy.acquire(3)
    assert (heard[-1].done, heard[-1].total, heard[-1].message) == (3, 3, "averaging channel 1")
    heard.clear()
    proxy.self_test()

    assert (heard[-1].done, heard[-1].total) == (40, 40)
