"""Records of settings: values that nobody changes."""

from __future__ import annotations

import dataclasses

import pytest

from pyronb.config import Configuration
from pyronb.options import ClientOptions, DaemonOptions, LookupOptions, WireOptions


@pytest.mark.parametrize("kind", [ClientOptions, DaemonOptions, LookupOptions, WireOptions])
def test_frozen(kind):
    """A record is a value: equal by its fields, and not to be changed."""
    record = kind()

    assert kind() == record
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, dataclasses.fields(kind)[0].name, None)


@pytest.mark.parametrize("kind", [ClientOptions, DaemonOptions, LookupOptions, WireOptions])
def test_every_field_is_explained(kind):
    """Each has its line in the docstring."""
    for field in dataclasses.fields(kind):
        assert f"    {field.name}: " in kind.__doc__


def test_defaults_are_those_of_the_configuration():
    """Without a configuration one gets what an untouched one gives."""
    config = Configuration({})

    assert WireOptions() == config.wire_options()
    assert LookupOptions() == config.lookup_options()
    assert ClientOptions() == config.client_options()
    assert DaemonOptions() == config.daemon_options()
