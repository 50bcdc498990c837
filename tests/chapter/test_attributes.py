"""ATTR: accessing remote attributes."""

from __future__ import annotations

import pytest

import pyronb


class Rocket:
    """Has attributes that are exposed, and others."""

    def __init__(self):
        self._velocity = 7.9
        self.fuel = 100

    @pyronb.expose
    @property
    def velocity(self):
        return self._velocity

    @pyronb.expose
    @velocity.setter
    def velocity(self, velocity):
        self._velocity = velocity

    @property
    def secret(self):
        raise AssertionError("nobody asked for this")

    @pyronb.expose
    def launch(self):
        return "lift-off"


@pytest.fixture
def rocket(serve):
    """Give the address of one."""
    return serve(rocket=Rocket()).uriFor("rocket")


def test_s17_plain_attribute_access(rocket):
    """They are read and set without a call."""
    with pyronb.Proxy(rocket) as p:
        assert 7.9 == p.velocity
        p.velocity = 11.2

        assert 11.2 == p.velocity


@pytest.mark.parametrize("name", ["altitude", "secret", "fuel"])
def test_s18_unexposed_or_undefined(rocket, name):
    """The error names what is not there."""
    with pyronb.Proxy(rocket) as p:
        with pytest.raises(AttributeError, match=f"rocket.*{name}"):
            getattr(p, name)
        with pytest.raises(AttributeError, match=f"rocket.*{name}"):
            setattr(p, name, 1)


def test_s19_needs_metadata(rocket):
    """It is on by default; without it methods can be called, and attributes are out of reach."""
    assert pyronb.config.METADATA
    pyronb.config.METADATA = False
    with pyronb.Proxy(rocket) as p:
        assert "lift-off" == p.launch()
        with pytest.raises(AttributeError, match="METADATA is off"):
            p.velocity = 11.2
        assert not isinstance(p.velocity, float)
