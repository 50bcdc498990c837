"""Offices: what this program gave out is served to whoever calls back, for as long as it is held there."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import threading

import pytest

from pyronb.net import back
from pyronb.server.givenout import OWN_CONNECTION
from pyronb.server.references import given_out
from pyronb.uri import back_location
from tests.support.fix_engines import engine
from tests.support.fix_stations import PLACE, Reporter, caller, daemon, nothing_waits, station
from tests.support.serving import connect
from tests.support.waiting import eventually, scaled

__all__ = ["caller", "daemon", "engine", "nothing_waits", "station"]


def test_two_functions_at_the_same_time(caller):
    """Each has a connection of its own, also while the call runs that they were given to."""
    assert [[1], 1, [1]] == caller.at_once(lambda value: [value], lambda value: value, 1)


def test_functions_for_functions(caller):
    """Who is called back can be given functions too: the roles are turned round twice."""

    def apply(function, value):
        with function:
            return function(value)

    caller.subscribe(apply)

    assert 1005 == caller.tell_with_own_function(5)


def test_from_many_threads(caller, daemon):
    """Eight threads call a hundred times each, in any order between them, and each in its own."""
    heard = []

    def hear(pair):
        heard.append(tuple(pair))

    caller.subscribe(hear)
    for worker in daemon.objectsById["station"].tell_from_threads(8, 100):
        worker.join(scaled(30))

    assert 800 == len(heard)
    assert sorted(heard) == [(number, call) for number in range(8) for call in range(100)]
    for number in range(8):
        assert list(range(100)) == [call for thread, call in heard if thread == number]


def test_what_was_given_out(caller):
    """The traffic of each function can be looked at."""

    def fine(value):
        return value

    def wrong(value):
        raise ValueError(value)

    caller.subscribe(fine)
    caller.tell(1)
    caller.tell(2)
    caller.subscribe(wrong)
    with pytest.raises(ValueError, match="3"):
        caller.tell(3)
    by_name = {each.name.rpartition(".")[2]: each for each in given_out()}

    assert {"fine": (3, 0), "wrong": (1, 1)} == {name: (each.calls, each.errors) for name, each in by_name.items()}
    assert {OWN_CONNECTION} == {each.way for each in given_out()}
    assert {(str(caller._pyroUri.location),)} == {each.to for each in given_out()}
    assert by_name["fine"].last <= by_name["wrong"].last


# What is held


def test_written_into_the_call(caller, station):
    """It lives as long as the other side has a proxy for it, or a copy of one, and goes with the last."""
    heard = []
    caller.subscribe(heard.append, functools.partial(heard.append), lambda value: heard.append(value + 0))
    gc.collect()
    caller.tell(1)
    assert [1, 1, 1] == heard
    kept = copy.copy(station.functions[2])
    station.functions.clear()
    gc.collect()
    (left,) = eventually(lambda: len(given_out()) == 1 and given_out())
    assert left.name.endswith("<lambda>")
    with kept:
        kept(2)
    assert [1, 1, 1, 2] == heard
    del kept
    gc.collect()
    eventually(lambda: not given_out())


def test_unsubscribed(caller, station):
    """A function that nobody over there holds any more is not given out any more; it can be given again."""

    def function(value):
        return value + 1

    for times in (1, 2):
        caller.subscribe(*[function] * times)
        assert [2] * times == caller.tell(1)
        assert 1 == len(given_out())
        station.functions.clear()
        gc.collect()
        eventually(lambda: not given_out() and not back.waiting())


def test_given_again_and_again(caller, daemon):
    """However the news that it is not held any more crosses with calls that give it, it can be called in each."""
    seen = []

    def function(value):
        seen.append(value)
        return value

    def work():
        with connect(daemon.uriFor("station")) as mine:
            results.extend(mine.use(function, number) for number in range(25))

    results = []
    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(scaled(60))

    assert sorted([*range(25)] * 4) == sorted(results) == sorted(seen)
    eventually(lambda: not given_out())


# Where functions run


def test_in_the_context_that_gave_it(caller):
    """A function, a coroutine and an object see the variables of the context in which they were given last."""

    def function(value):
        return Reporter().where(value)

    async def coroutine(value):
        await asyncio.sleep(0)
        return Reporter().where(value)

    reporter = Reporter()
    results = {}
    for given in (function, coroutine, reporter):
        for place in ("cell 1", "cell 2"):
            token = PLACE.set(place)
            caller.subscribe(given)
            PLACE.reset(token)
            results[given.__class__.__name__, place] = caller.tell_last(5)

    assert {True} == {served for _, _, served in results.values()}
    assert all(place == seen for (_, place), (seen, _, _) in results.items())
    assert {5} == {value for _, value, _ in results.values()}


def test_each_call_of_a_batch_is_in_that_context(caller):
    """As single calls are, of a function and of an object."""
    for given in (lambda value: Reporter().where(value), Reporter()):
        token = PLACE.set("cell 3")
        caller.subscribe(given)
        PLACE.reset(token)
        assert [["cell 3", value, True] for value in range(3)] == caller.tell_last_in_a_batch([0, 1, 2])


def test_results_by_reference(caller, station):
    """What a function gives by reference is reached in the way that the function was, while that connection stands."""

    def make(_):
        return Reporter()

    caller.subscribe(make)
    with station.functions[0] as function, function(0) as reporter:
        assert back_location(reporter._pyroUri.back) == reporter._pyroUri.location
        assert 7 == reporter.where(7)[1]
