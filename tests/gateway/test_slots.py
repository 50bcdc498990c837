"""Slots: threads beside the event loop, never more than there are."""

from __future__ import annotations

import asyncio
import threading

import pytest

pytest.importorskip("starlette")

from pyronb.gateway.slots import BusyError, Slots
from tests.support.waiting import eventually, scaled


def test_work_is_done_beside_the_loop():
    """What it gives and what it raises comes back."""

    async def main():
        slots = Slots(2, 1)
        assert await slots.run(threading.current_thread) is not threading.current_thread()
        assert await slots.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await slots.run(divmod, 7, 0)

    asyncio.run(main())


def test_there_are_only_so_many():
    """Whoever finds none in time is told so; those given up still count until they end."""
    leave, inside, most = threading.Event(), [], []

    def work():
        inside.append(1)
        most.append(len(inside))
        leave.wait(scaled(20))
        inside.pop()

    async def main():
        slots = Slots(2, 0.05)
        given_up = [asyncio.create_task(slots.run(work)) for _ in range(2)]
        while len(inside) < 2:
            await asyncio.sleep(0.005)
        for task in given_up:
            task.cancel()
        with pytest.raises(BusyError, match="too many calls"):
            await slots.run(work)
        leave.set()
        while inside:
            await asyncio.sleep(0.005)
        patient = Slots(2, scaled(20))
        await asyncio.gather(*(patient.run(work) for _ in range(10)))

    asyncio.run(main())
    eventually(lambda: not inside)

    assert max(most) <= 2


def test_what_comes_too_late_is_closed():
    """A result that holds something is not lost with whoever wanted it."""
    leave, closed = threading.Event(), threading.Event()

    class Result:
        def close(self):
            closed.set()

    def work():
        leave.wait(scaled(20))
        return Result()

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(Slots(1, 1).run(work), 0.02)

    asyncio.run(main())
    leave.set()

    assert closed.wait(scaled(5))
