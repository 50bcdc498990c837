"""What the tests of the serializers share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pyronb.dialects import PYRO5
from pyronb.options import WireOptions
from pyronb.serializers.base import Serializer
from pyronb.serializers.catalog import Catalog
from pyronb.serializers.hooks import HOOKS, register_uri

NAMES = ("serpent", "json", "marshal", "msgpack")


@pytest.fixture(params=NAMES)
def serializer(request: pytest.FixtureRequest) -> Serializer:
    """Give each serializer in turn, for peers that take exceptions of any class."""
    return Catalog(PYRO5, WireOptions(), pyronb_peer=True).by_name(request.param)


@pytest.fixture(params=NAMES)
def for_real_pyro(request: pytest.FixtureRequest) -> Serializer:
    """Give each serializer in turn, for a real Pyro."""
    return Catalog(PYRO5, WireOptions(), pyronb_peer=False).by_name(request.param)


@pytest.fixture
def catalog() -> Catalog:
    """Give the serializers of Pyro5's dialect."""
    return Catalog(PYRO5, WireOptions(), pyronb_peer=True)


@pytest.fixture
def all_hooks() -> dict[str, Any]:
    """Give what is in the process-wide registry by itself; ask for it before anything else."""
    return {name: dict(value) for name, value in vars(HOOKS).items() if isinstance(value, dict)}


@pytest.fixture(autouse=True)
def _clean_hooks(all_hooks: dict[str, Any]) -> Iterator[None]:
    """Start with the classes of this floor only, and leave the process-wide registry as it was."""
    touches = HOOKS.touches_builtins
    vars(HOOKS).update({name: {} for name in all_hooks})
    register_uri(HOOKS)
    yield
    vars(HOOKS).update(all_hooks)
    HOOKS.touches_builtins = touches
