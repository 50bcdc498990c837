"""Scope: a simulated oscilloscope with four channels, an instrument to practise on.

This is the front panel: settings, what may be set, who may use it when. The physics is in `signals`, the trigger and
the converter are in `acquisition`.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import asdict, replace
from typing import Any

from pyronb.demo.acquisition import DIVISIONS, HALF_SCREEN, KINDS, Record, Settings, average, capture, measure
from pyronb.demo.checks import choice, number, whole
from pyronb.demo.signals import CHANNELS, COUPLINGS
from pyronb.news import cancelled, progress, track
from pyronb.server.exposure import expose

__all__ = ["Scope"]

MODES = ("auto", "normal", "single")
SLOPES = ("rising", "falling")
TIMEBASES = tuple(float(f"{mantissa}e{exponent}") for exponent in range(-6, -1) for mantissa in (1, 2, 5))
SCALES = (*(float(f"{mantissa}e{exponent}") for exponent in range(-3, 1) for mantissa in (1, 2, 5)), 10.0)
"""Steps that autoscale uses; by hand, anything in their range may be set."""
MAX_LEVEL = 40.0
MIN_SAMPLES, MAX_SAMPLES = 50, 20_000
MAX_AVERAGES = 1000
VOLT_DIGITS = 9
TEST_RECORDS = 10
"""Records of each channel that `self_test` takes."""

log = logging.getLogger("pyronb.demo.scope")


class Scope:
    """A simulated oscilloscope with four channels.

    Channel 1 shows a 1 kHz sine, 2 a square with ringing edges, 3 pulses behind an RC low pass, 4 a noisy modulated
    carrier. The screen is 10 divisions wide, with the trigger in its middle at time 0, and reaches 4 divisions up and
    down; what is beyond is clipped. The converter has 8 bits. The trigger looks at the channel that is captured.

    Args:
        seed: of the noise; the same seed gives the same records, from the start and after each `reset`.
        pause: seconds that one record takes in `acquire` and `self_test`.
    """

    def __init__(self, seed: int = 42, *, pause: float = 0.1) -> None:
        self._seed = seed
        self._pause = pause
        self._lock = threading.Lock()
        self._settings = Settings()
        self._rng = random.Random(seed)  # noqa: S311 - noise, not secrets
        # In mode "single": what was captured since the trigger was armed.
        self._held: dict[int, Record] = {}
        # Set to abort the acquisition that is running; None when none is.
        self._abort: threading.Event | None = None

    @property
    @expose
    def identity(self) -> str:
        """Maker, model, serial number and version, as instruments answer to `*IDN?`."""
        return f"pyronb,Demo Scope (simulated),{self._seed},1.0"

    @property
    @expose
    def state(self) -> str:
        """What the instrument is doing: `ready`, `acquiring`, or `stopped` once a single record is captured."""
        with self._lock:
            if self._abort is not None:
                return "acquiring"
            return "stopped" if self._held else "ready"

    @property
    @expose
    def sample_rate(self) -> float:
        """Samples per second; follows from `sample_count` and `timebase`."""
        return self._settings.sample_rate

    @property
    @expose
    def channel(self) -> int:
        """The channel that is looked at when none is named, 1 to 4."""
        return self._settings.channel

    @channel.setter
    @expose
    def channel(self, value: int) -> None:
        channel = _channel(value)
        with self._lock:
            self._settings = replace(self._settings, channel=channel)

    @property
    @expose
    def timebase(self) -> float:
        """Seconds per division, in steps of 1, 2, 5 from 1 µs to 50 ms."""
        return self._settings.timebase

    @timebase.setter
    @expose
    def timebase(self, value: float) -> None:
        self._change(timebase=_timebase(value))

    @property
    @expose
    def vertical_scale(self) -> float:
        """Volts per division, 0.001 to 10."""
        return self._settings.vertical_scale

    @vertical_scale.setter
    @expose
    def vertical_scale(self, value: float) -> None:
        self._change(vertical_scale=number("vertical_scale", value, SCALES[0], SCALES[-1], "V/div"))

    @property
    @expose
    def coupling(self) -> str:
        """How the probe is connected: `DC`, `AC` (the mean is taken away) or `GND` (not at all)."""
        return self._settings.coupling

    @coupling.setter
    @expose
    def coupling(self, value: str) -> None:
        self._change(coupling=choice("coupling", value, COUPLINGS))

    @property
    @expose
    def bandwidth_limit(self) -> bool:
        """Whether a low pass of 20 kHz is switched in, against noise and ringing; else the bandwidth is 1 MHz."""
        return self._settings.bandwidth_limit

    @bandwidth_limit.setter
    @expose
    def bandwidth_limit(self, value: bool) -> None:
        if value not in (True, False):
            raise ValueError(f"bandwidth_limit should be True or False, not {value!r}")
        self._change(bandwidth_limit=bool(value))

    @property
    @expose
    def trigger_level(self) -> float:
        """The voltage, in V, that the signal must cross to trigger; -40 to 40."""
        return self._settings.trigger_level

    @trigger_level.setter
    @expose
    def trigger_level(self, value: float) -> None:
        self._change(trigger_level=number("trigger_level", value, -MAX_LEVEL, MAX_LEVEL, "V"))

    @property
    @expose
    def trigger_slope(self) -> str:
        """The direction in which the signal must cross the level: `rising` or `falling`."""
        return self._settings.trigger_slope

    @trigger_slope.setter
    @expose
    def trigger_slope(self, value: str) -> None:
        self._change(trigger_slope=choice("trigger_slope", value, SLOPES))

    @property
    @expose
    def trigger_mode(self) -> str:
        """What happens without a trigger, and after one.

        `auto` records at any moment when nothing triggers, `normal` raises TimeoutError then. `single` is like
        `normal`, and then keeps its record: each channel's is captured once, until this or another setting is set.
        """
        return self._settings.trigger_mode

    @trigger_mode.setter
    @expose
    def trigger_mode(self, value: str) -> None:
        self._change(trigger_mode=choice("trigger_mode", value, MODES))

    @property
    @expose
    def sample_count(self) -> int:
        """Samples in a record, 50 to 20000."""
        return self._settings.sample_count

    @sample_count.setter
    @expose
    def sample_count(self, value: int) -> None:
        self._change(sample_count=whole("sample_count", value, MIN_SAMPLES, MAX_SAMPLES))

    @expose
    def settings(self) -> dict[str, Any]:
        """Tell all settings at once.

        Returns:
            The value of each settable attribute by its name, and `sample_rate` in samples per second.
        """
        now = self._settings
        return {**asdict(now), "sample_rate": now.sample_rate}

    @expose
    def choices(self) -> dict[str, list[Any]]:
        """Tell what may be set where only certain values are allowed.

        Returns:
            The allowed values by the name of the setting; for `measure`, the kinds of measurement.
        """
        return {
            "channel": list(CHANNELS),
            "timebase": list(TIMEBASES),
            "coupling": list(COUPLINGS),
            "trigger_slope": list(SLOPES),
            "trigger_mode": list(MODES),
            "measure": list(KINDS),
        }

    @expose
    def waveform(self, channel: int | None = None) -> dict[str, Any]:
        """Capture one record.

        Args:
            channel: 1 to 4; None takes the attribute `channel`.

        Returns:
            `volts`: list of `sample_count` voltages in V. The first was taken at `start` seconds, each next one `step`
            seconds later; the trigger is at 0. Also `channel`, `triggered`, `clipped` (whether the signal left the
            screen), `averages` (1), `time_unit` (`s`) and `volts_unit` (`V`).

        Raises:
            TimeoutError: nothing triggers, and `trigger_mode` is not `auto`; the text says what to change.
            ValueError: there is no such channel.
        """
        with self._lock:
            return _told(self._capture(channel), 1)

    @expose
    def measure(self, kind: str = "vpp", channel: int | None = None) -> float:
        """Capture one record and measure it.

        Args:
            kind: `vpp` (peak to peak), `vrms`, `mean`, `min`, `max`, `frequency` or `period`.
            channel: 1 to 4; None takes the attribute `channel`.

        Returns:
            V; Hz for `frequency`; s for `period`. What is clipped on the screen is measured as it is on the screen.

        Raises:
            ValueError: there is no such kind or channel.
            RuntimeError: the screen does not show a whole period.
            TimeoutError: nothing triggers, and `trigger_mode` is not `auto`.
        """
        kind = choice("kind", kind, KINDS)
        with self._lock:
            record = self._capture(channel)
        return measure(kind, record)

    @expose
    def acquire(self, averages: int = 16) -> dict[str, Any]:
        """Average several records of the chosen channel, which takes its time: about 0.1 s each.

        Averaging n records reduces the noise by the square root of n. Settings that change meanwhile take effect
        afterwards. In mode `single` it triggers as in mode `normal`. It tells its caller how many records there are,
        and goes no further when its caller does not want the result any more.

        Args:
            averages: how many records, 1 to 1000.

        Returns:
            What `waveform` returns; `averages` is the number of records, and `aborted` tells whether it is smaller than
            asked for because of `abort`, or because nobody wanted more.

        Raises:
            TimeoutError: nothing triggers, and `trigger_mode` is not `auto`.
            ValueError: the number is out of bounds.
            RuntimeError: an acquisition is running already, or was aborted before its first record.
        """
        averages = whole("averages", averages, 1, MAX_AVERAGES)
        abort = threading.Event()
        with self._lock:
            if self._abort is not None:
                raise RuntimeError("an acquisition is running already; wait for it, or call abort()")
            self._abort = abort
            settings = self._settings
        records: list[Record] = []
        try:
            while len(records) < averages and not abort.wait(self._pause) and not cancelled():
                with self._lock:
                    if not abort.is_set():
                        records.append(capture(settings, settings.channel, self._rng))
                progress(len(records), averages, f"averaging channel {settings.channel}")
        finally:
            with self._lock:
                if self._abort is abort:
                    self._abort = None
        if not records:
            raise RuntimeError("the acquisition was aborted before its first record")
        return {**_told(average(records), len(records)), "aborted": len(records) < averages}

    @expose
    def self_test(self) -> dict[str, float]:
        """Look at each channel with the settings after switching on, which takes about four seconds.

        It prints what it finds, logs a warning where a channel does not trigger, tells its caller how far it is, and
        ends early when its caller does not want the result any more. No setting is changed.

        Returns:
            V peak to peak by the name of the channel, such as `channel 1`; of those that it came to.
        """
        found: dict[str, float] = {}
        settings, records = replace(Settings(), vertical_scale=1.0), list[Record]()
        print(f"self-test of {self.identity}")
        for step in track(range(len(CHANNELS) * TEST_RECORDS), message="self-test"):
            if cancelled():
                print("ended early: nobody waits for the result any more")
                break
            time.sleep(self._pause)
            channel = 1 + step // TEST_RECORDS
            with self._lock:
                records.append(capture(settings, channel, self._rng))
            if len(records) == TEST_RECORDS:
                volts = found[f"channel {channel}"] = round(measure("vpp", average(records)), VOLT_DIGITS)
                print(f"channel {channel}: {volts:.2f} V peak to peak")
                if not all(record.triggered for record in records):
                    log.warning("channel %d does not trigger at %g V", channel, settings.trigger_level)
                records.clear()
        return found

    @expose
    def abort(self) -> bool:
        """Make a running acquisition return what it has.

        Returns:
            Whether one was running.
        """
        with self._lock:
            return self._stop()

    @expose
    def autoscale(self) -> dict[str, Any]:
        """Choose vertical scale, timebase and trigger so that the chosen channel's signal fills the screen.

        It looks at the signal to do so. The trigger becomes `auto`, `rising`, half way up; a grounded input is
        connected.

        Returns:
            The new settings, as `settings` tells them.
        """
        with self._lock:
            before = self._settings
            trial = replace(
                before,
                coupling="DC" if before.coupling == "GND" else before.coupling,
                timebase=5e-4,
                vertical_scale=SCALES[-1],
                trigger_mode="auto",
                trigger_slope="rising",
                sample_count=2000,
            )
            # The coarse steps of a large scale hide a small signal: come closer until nothing changes.
            while True:
                record = capture(trial, trial.channel, self._rng)
                peak = max(map(abs, record.volts))
                closer = _next(SCALES, peak / (HALF_SCREEN - 0.5))
                if closer >= trial.vertical_scale:
                    break
                trial = replace(trial, vertical_scale=closer)
            level = (measure("min", record) + measure("max", record)) / 2
            timebase = _next(TIMEBASES, 2.5 * measure("period", record) / DIVISIONS)
            self._settings = replace(
                trial, timebase=timebase, trigger_level=round(level, 3), sample_count=before.sample_count
            )
            self._held.clear()
        return self.settings()

    @expose
    def reset(self) -> dict[str, Any]:
        """Go back to the state after switching on: all settings, and the noise from its beginning.

        A running acquisition is aborted.

        Returns:
            The settings, as `settings` tells them.
        """
        with self._lock:
            self._stop()
            self._settings = Settings()
            self._rng = random.Random(self._seed)  # noqa: S311 - noise, not secrets
            self._held.clear()
        return self.settings()

    def _capture(self, channel: int | None) -> Record:
        settings = self._settings
        channel = settings.channel if channel is None else _channel(channel)
        if settings.trigger_mode != "single":
            return capture(settings, channel, self._rng)
        if channel not in self._held:
            self._held[channel] = capture(settings, channel, self._rng)
        return self._held[channel]

    def _change(self, **settings: Any) -> None:
        with self._lock:
            self._settings = replace(self._settings, **settings)
            self._held.clear()

    def _stop(self) -> bool:
        if self._abort is None:
            return False
        self._abort.set()
        self._abort = None
        return True


def _told(record: Record, averages: int) -> dict[str, Any]:
    return {
        "channel": record.channel,
        "triggered": record.triggered,
        "clipped": record.clipped,
        "averages": averages,
        "start": record.start,
        "step": record.step,
        "time_unit": "s",
        "volts_unit": "V",
        "volts": [round(volts, VOLT_DIGITS) for volts in record.volts],
    }


def _channel(value: object) -> int:
    return whole("channel", value, min(CHANNELS), max(CHANNELS))


def _timebase(value: object) -> float:
    value = number("timebase", value, TIMEBASES[0], TIMEBASES[-1], "s/div")
    nearest = min(TIMEBASES, key=lambda one: abs(one - value))
    if abs(nearest - value) > 1e-6 * nearest:
        above = _next(TIMEBASES, value)
        below = TIMEBASES[TIMEBASES.index(above) - 1]
        raise ValueError(f"timebase goes in steps of 1, 2, 5; use {below:g} or {above:g} s/div, not {value:g}")
    return nearest


def _next(steps: tuple[float, ...], value: float) -> float:
    """Give the smallest of the steps that is not smaller than the value; the last one if all are."""
    return next((step for step in steps if step >= value), steps[-1])
