"""What tests of calls share: a daemon of each engine, with the object that the test's module is about."""

from __future__ import annotations

import pytest

from tests.support.serving import ENGINES, serving


@pytest.fixture(params=ENGINES)
def daemon(request):
    """Give a daemon that serves an object of the module's class `SERVED`, which is told to go on at the end."""
    with serving(engine=request.param) as made:
        made.served = request.module.SERVED()
        made.uri = made.register(made.served, request.module.SERVED.__name__.lower())
        yield made
        made.served.go.set()


@pytest.fixture
def uri(daemon):
    """Give the address of that object."""
    return daemon.uri
