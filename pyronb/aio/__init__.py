"""The room for asyncio: the same words as in `pyronb`, and what does I/O is awaited.

::

    from pyronb.aio import Proxy, locateNS

    async with Proxy("PYRONAME:example.motor") as motor:
        await motor.move(10)
        position = await motor.position
        async for reading in await motor.readings():
            ...
"""

from pyronb.aio.lookup import locateNS, resolve
from pyronb.aio.proxy import Proxy, batch

__all__ = ["Proxy", "batch", "locateNS", "resolve"]
