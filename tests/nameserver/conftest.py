"""The name server on each kind of storage in turn."""

from __future__ import annotations

import pytest

from pyronb.nameserver.daemon import open_storage
from pyronb.nameserver.names import NameServer


@pytest.fixture(params=["memory", "sql"])
def where(request, tmp_path):
    """Give the text that names a storage, as `-s` takes it."""
    return "memory" if request.param == "memory" else f"sql:{tmp_path / 'names.db'}"


@pytest.fixture
def storage(where):
    """Give an empty storage of each kind."""
    storage = open_storage(where)
    yield storage
    storage.close()


@pytest.fixture
def names(storage):
    """Give a name server that is not served, on each kind of storage."""
    return NameServer(storage)
