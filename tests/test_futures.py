"""FutureResult: a result that arrives later; Future: a callable that runs later."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading

import pytest

from pyronb.futures import Future, FutureResult
from pyronb.news import Output, Progress
from tests.support.waiting import eventually, scaled


def add(result, number=1):
    return result + number


def boom(result):
    raise ValueError(f"boom {result}")


@pytest.fixture
def future():
    return FutureResult()


def test_waiting(future):
    """Not ready, then ready; waiting tells which."""
    assert not future.ready
    assert not future.wait(0.01)

    threading.Timer(0.02, future.set_result, (5,)).start()

    assert future.wait(scaled(5))
    assert (True, 5) == (future.ready, future.value)
    assert future.wait(0)


def test_error(future):
    """Reading the value raises what the call raised."""
    future.set_exception(KeyError("no"))

    assert future.ready
    for _ in range(2):
        with pytest.raises(KeyError, match="no"):
            _ = future.value


def test_chain(future):
    """Each step gets the result so far, and further arguments; the last one's result is the value."""
    assert future.then(add).then(add, 10).then(add, number=100) is future
    future.set_result(0)

    assert 111 == future.value


def test_late_steps(future):
    """A step that comes after the result works on it at once."""
    future.then(add)
    future.set_result(1)

    assert 2 == future.value
    assert 12 == future.then(add, 10).value
    assert 12 == future.result()


@pytest.mark.parametrize("late", [False, True])
def test_failing_step(future, late):
    """Its error ends the chain and is the future's."""
    ran = []
    if late:
        future.set_result(1)
    future.then(boom).then(ran.append)
    if not late:
        future.set_result(1)

    assert [] == ran
    with pytest.raises(ValueError, match="boom 1"):
        _ = future.value


def test_no_step_after_an_error(future):
    """Neither before nor after it is there."""
    ran = []
    future.then(ran.append)
    future.set_exception(KeyError())
    future.then(ran.append)

    assert [] == ran


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fails", ["call", "chain"])
def test_error_handler(future, late, fails):
    """It is called with the error, of the call or of its chain, once, whenever it was added."""
    seen = []
    if fails == "chain":
        future.then(boom)
    if not late:
        future.iferror(seen.append)
    if fails == "call":
        future.set_exception(ValueError("boom"))
    else:
        future.set_result(1)
    if late:
        assert future.iferror(seen.append) is future
    future.iferror(lambda error: None)

    assert [ValueError] == [type(error) for error in seen]


@pytest.mark.parametrize("fails", ["call", "chain"])
def test_error_handler_before_anybody_is_told(future, fails):
    """Whoever waited for the future finds that its handlers were called, as it finds its chain run."""
    seen = []
    future.add_done_callback(lambda done: seen.append("done"))
    future.iferror(lambda error: seen.append(f"handler, done: {future.done()}"))
    if fails == "call":
        future.set_exception(ValueError("boom"))
    else:
        future.then(boom)
        future.set_result(1)

    assert ["handler, done: False", "done"] == seen


def test_error_handler_and_a_late_step(future):
    """An error of a step that comes late is told as well: it makes no difference who was faster."""
    seen = []
    future.set_result(1)
    future.iferror(seen.append)
    future.then(boom)

    assert ["boom 1"] == [str(error) for error in seen]


def test_error_handler_of_a_good_result(future):
    """It is not called."""
    seen = []
    future.iferror(seen.append)
    future.set_result(1)
    future.iferror(seen.append)

    assert [] == seen


def test_error_handler_that_fails(future, caplog):
    """That is logged and hides nothing."""
    seen = []
    future.iferror(boom).iferror(seen.append)
    with caplog.at_level(logging.ERROR, "pyronb.futures"):
        future.set_exception(KeyError("first"))

    assert "the error handler of a future failed" in caplog.text
    assert 1 == len(seen)
    with pytest.raises(KeyError):
        _ = future.value


def test_cancel(future):
    """Before it runs it can be cancelled; nothing is called then."""
    seen = []
    future.then(seen.append).iferror(seen.append)

    assert future.cancel()
    assert (True, True) == (future.cancelled(), future.ready)
    future.then(seen.append).iferror(seen.append)
    assert [] == seen
    for kind in (concurrent.futures.CancelledError, RuntimeError):
        with pytest.raises(kind, match="cancelled"):
            _ = future.value


def test_cancelling_what_runs(future):
    """It is too late then."""
    future.set_running_or_notify_cancel()

    assert not future.cancel()
    future.set_result(1)
    assert 1 == future.value


def test_standard_functions():
    """wait and as_completed take it."""
    futures = [FutureResult() for _ in range(3)]
    futures[1].set_result("one")
    done, rest = concurrent.futures.wait(futures, 0.01)

    assert ({futures[1]}, {futures[0], futures[2]}) == (done, rest)

    futures[2].set_result("two")
    futures[0].set_exception(ValueError())

    assert set(futures) == set(concurrent.futures.as_completed(futures, scaled(5)))


def test_done_callbacks(future):
    """They see the value after the chain."""
    seen = []
    future.then(add)
    future.add_done_callback(lambda done: seen.append(done.result()))
    future.set_result(1)

    assert [2] == seen


async def test_await(future):
    """In a coroutine it is awaited."""
    future.then(add)
    threading.Timer(0.01, future.set_result, (1,)).start()

    assert 2 == await future
    assert 2 == await future


async def test_await_an_error(future):
    """What the call raised is raised there."""
    threading.Timer(0.01, future.set_exception, (KeyError("no"),)).start()
    with pytest.raises(KeyError, match="no"):
        await future


def test_steps_from_many_threads(future):
    """None is lost, whether it comes before or after the result."""
    start = threading.Barrier(9)

    def work():
        start.wait(scaled(5))
        for _ in range(200):
            future.then(add)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait(scaled(5))
    future.set_result(0)
    for thread in threads:
        thread.join()

    assert eventually(lambda: future.value == 1600)


def test_shows_itself(future):
    """State and result, the result not at full length."""
    assert "<pyronb.FutureResult pending>" == repr(future)

    future.set_running_or_notify_cancel()

    assert "<pyronb.FutureResult running>" == repr(future)

    future.set_result("x" * 500)

    assert len(repr(future)) < 150
    assert "done: 'xxx" in repr(future)

    failed, cancelled = FutureResult(), FutureResult()
    failed.set_exception(ValueError("no"))
    cancelled.cancel()

    assert "<pyronb.FutureResult failed: ValueError: no>" == repr(failed)
    assert "<pyronb.FutureResult cancelled>" == repr(cancelled)


def test_await_in_another_loop(future):
    """Whichever loop runs when it is awaited."""
    future.set_result(5)

    async def read():
        return await future

    assert [5, 5] == [asyncio.run(read()), asyncio.run(read())]


def test_callable():
    """It runs with the arguments of the call, in another thread, and only once."""
    ran = []
    call = Future(lambda a, b: ran.append(threading.current_thread()) or a + b)
    assert call.then(add, 10) is call
    result = call(1, b=2)

    assert 13 == result.value
    assert 113 == result.then(add, 100).value
    assert [threading.current_thread()] != ran
    with pytest.raises(RuntimeError, match="already been evaluated"):
        call(1, 2)
    assert 1 == len(ran)
    assert (False, False) == (call.cancel(), call.delay(1))
    assert "Future of <lambda>; <pyronb.FutureResult done: 113>" in repr(call)


@pytest.mark.parametrize("late", [False, True])
def test_callable_that_fails(late):
    """The error handler is told, and the value raises."""
    seen = []
    call = Future(boom)
    if not late:
        assert call.iferror(seen.append) is call
    result = call("x")
    with pytest.raises(ValueError, match="boom x"):
        _ = result.value
    if late:
        call.iferror(seen.append)

    assert eventually(lambda: [ValueError] == [type(error) for error in seen])


def test_step_that_is_added_late():
    """The chain of the future and of its result are one."""
    call = Future(lambda: 1)
    result = call()
    call.then(add)

    assert 2 == result.value


def test_delay():
    """It waits, and a shorter delay wakes it."""
    call = Future(lambda: "ran")
    assert call.delay(1000)
    result = call()
    assert not result.wait(0.01)
    assert call.delay(0)

    assert "ran" == result.value


@pytest.mark.parametrize("called", [False, True])
def test_cancelled_callable(called):
    """What has not begun never runs; reading the value says why, and calling it too."""
    ran, call = [], Future(lambda: ran.append(1))
    call.delay(1000)
    result = call() if called else None
    assert call.cancel()
    assert not call.delay(0)
    if result is not None:
        with pytest.raises(RuntimeError, match="cancelled"):
            _ = result.value
        eventually(lambda: not any(thread.name == "pyronb-future" for thread in threading.enumerate()))
    else:
        with pytest.raises(RuntimeError, match="cancelled"):
            call()

    assert [] == ran


def test_what_cannot_be_called():
    """It is refused at once."""
    with pytest.raises(TypeError, match="not int"):
        Future(5)


# News of the call


def test_progress():
    """The last one; callbacks hear each, and a late one the last at once."""
    future, heard = FutureResult(), []
    assert future.progress is None
    future.add_progress_callback(heard.append)

    future.report(Progress(1, 2))
    future.report(Output("text"))
    future.report(Progress(2, 2))

    assert [Progress(1, 2), Progress(2, 2)] == heard
    assert Progress(2, 2) == future.progress
    future.set_result(7)
    late = []
    future.add_progress_callback(late.append)
    assert [Progress(2, 2)] == late


def test_listeners_that_do_not_keep_up():
    """They miss states that are over, and text that is too much, and are never called twice at a time."""
    future, heard = FutureResult(), []
    future.add_listener(heard.append)
    assert future.hear(Progress(0)) is True

    for count in range(1, 5000):
        assert future.hear(Progress(count)) is False
    for count in range(5000):
        assert future.hear(Output(str(count))) is False
    future.tell_news()

    assert Progress(4999) == heard[0]
    assert 1000 == len(heard)
    assert future.hear(Progress(1)) is True


def test_a_listener_that_fails_hears_nothing_more(caplog):
    """Others do."""
    future, heard = FutureResult(), []

    def fail(news):
        raise ValueError("listener")

    future.add_listener(fail)
    future.add_listener(heard.append)
    for count in range(3):
        future.report(Progress(count))

    assert [0, 1, 2] == [news.done for news in heard]
    assert 1 == len(caplog.records)


def test_cancelling_a_call_that_runs():
    """Whoever makes it is told, as often as that is said; it stays running, and is over when it is over."""
    future, told = FutureResult(), []
    future.withdraws(told.append)
    future.set_running_or_notify_cancel()

    assert [False, False] == [future.cancel(), future.cancel()]
    assert [future, future] == told
    assert future.running()
    future.set_result(7)
    assert future.cancel() is False
    assert [future, future] == told
    assert 7 == future.value


def test_cancelling_a_call_that_was_not_made():
    """Nobody need be told."""
    future, told = FutureResult(), []
    future.withdraws(told.append)

    assert future.cancel() is True
    assert future.cancel() is True
    assert [] == told


def test_settled_before_and_while_somebody_waits():
    """Whoever waits is woken, and whoever comes later need not wait; however the two meet."""
    for _ in range(300):
        future = FutureResult()
        got = []
        waiting = threading.Thread(target=lambda future=future, got=got: got.append(future.result(scaled(10))))
        waiting.start()
        assert future.publish("done") or future.set_result("done") is None
        waiting.join()

        assert ["done"] == got
        assert future.done()
        assert "done" == future.value


def test_steps_and_settling_meet():
    """A step is taken once, whether it came before the result or after."""
    for _ in range(300):
        future = FutureResult()
        adding = threading.Thread(target=future.then, args=(add,))
        adding.start()
        if not future.publish(1):
            future.set_result(1)
        adding.join()

        assert 2 == future.value


def test_cancelled_before_it_begins(future):
    """It does not begin then; one that began cannot be cancelled."""
    other = FutureResult()

    assert future.cancel()
    assert not future.set_running_or_notify_cancel()
    assert future.cancelled()
    assert other.set_running_or_notify_cancel()
    assert other.running()
    assert not other.cancel()
    assert not other.done()


def test_many_begin_at_once(future):
    """All of them, or none: not where somebody waits for one already, or one was cancelled."""
    some = [FutureResult() for _ in range(3)]
    waited_for = FutureResult().then(add)

    assert not FutureResult.begin_all([*some, waited_for])
    assert future.cancel()
    assert not FutureResult.begin_all([*some, future])
    assert not waited_for.running()
    assert FutureResult.begin_all([])
    assert FutureResult.begin_all(some)
    assert all(each.running() and not each.cancel() for each in some)
    assert not FutureResult.begin_all(some)


def test_many_results_at_once():
    """Those on which somebody's code has to run first are given back; whoever just waits is woken."""
    plain, waited_for, changed = FutureResult(), FutureResult(), FutureResult().then(add)
    got = []
    waiting = threading.Thread(target=lambda: got.append(waited_for.result(scaled(10))))
    waiting.start()
    eventually(lambda: waited_for._guarded)

    assert [(changed, 3)] == FutureResult.publish_all([(plain, 1), (waited_for, 2), (changed, 3)])
    waiting.join()
    assert [2] == got
    assert 1 == plain.value
    assert not changed.done()
    assert 2 == plain.then(add).value
