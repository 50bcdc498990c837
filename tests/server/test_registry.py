"""Which objects a daemon has, under which ids."""

from __future__ import annotations

import gc
import weakref

import pytest

from pyronb.errors import DaemonError
from pyronb.server.exposure import expose
from pyronb.server.registry import Registry


@expose
class Thing:
    def method(self):
        pass


@pytest.fixture
def registry():
    return Registry()


def test_an_object_is_found_under_its_id(registry):
    """Registering gives the id, finding gives the object."""
    thing = Thing()

    assert registry.register(thing, "thing") == "thing"
    assert registry.find("thing") is thing
    assert registry.id_of(thing) == "thing"
    assert registry.ids() == ["thing"]


def test_an_id_is_made_up_where_none_is_given(registry):
    """It looks like Pyro's own, and no two are the same."""
    ids = {registry.register(Thing(), None) for _ in range(3)}

    assert len(ids) == 3
    assert all(made.startswith("obj_") and len(made) == 36 for made in ids)


@pytest.mark.parametrize(
    ("object_id", "error"),
    [
        (3, TypeError),
        (b"x", TypeError),
        ("", ValueError),
        ("a b", ValueError),
        ("a\n", ValueError),
        ("a@b", ValueError),
    ],
)
def test_ids_that_no_address_could_hold_are_refused(registry, object_id, error):
    """An id is text without white space and without the sign that ends it in an address."""
    with pytest.raises(error):
        registry.register(Thing(), object_id)


def test_a_taken_id_and_a_registered_object_are_refused(registry):
    """Neither is replaced by accident."""
    thing = Thing()
    registry.register(thing, "thing")
    with pytest.raises(DaemonError, match="id 'thing' is registered already"):
        registry.register(Thing(), "thing")
    with pytest.raises(DaemonError, match="registered already, as 'thing'"):
        registry.register(thing, "other")

    assert registry.ids() == ["thing"]


def test_force_takes_the_place_of_what_was_there(registry):
    """The former object has no id any more, and a forced object has one id only."""
    old, new = Thing(), Thing()
    registry.register(old, "a")
    registry.register(new, "b")
    registry.register(new, "a", force=True)

    assert registry.ids() == ["a"]
    assert registry.find("a") is new
    assert registry.id_of(old) is None


@pytest.mark.parametrize("by_id", [True, False])
def test_an_unregistered_object_is_gone(registry, by_id):
    """By its id or by itself; a second time there is nothing to unregister."""
    thing = Thing()
    registry.register(thing, "thing")
    registry.unregister("thing" if by_id else thing)
    with pytest.raises(DaemonError, match="unknown object"):
        registry.find("thing")
    with pytest.raises(DaemonError, match="not registered"):
        registry.unregister("thing" if by_id else thing)
    with pytest.raises(DaemonError):
        registry.metadata("thing")

    assert registry.register(thing, "thing") == "thing"


def test_metadata_is_worked_out_once_and_anew_on_demand(registry):
    """A class that is changed later shows its change after a reset, or after a new registration."""

    @expose
    class Changing:
        def one(self):
            pass

    registry.register(Changing(), "x")
    assert registry.metadata("x").methods == {"one"}
    Changing.two = expose(lambda self: 0)
    assert registry.metadata("x").methods == {"one"}
    registry.reset_metadata("x")

    assert registry.metadata("x").methods == {"one", "two"}


def test_clearing_gives_what_was_there(registry):
    """So that the daemon can take its marks off the objects."""
    thing = Thing()
    registry.register(thing, "thing")

    assert registry.clear() == [thing]
    assert registry.ids() == []


def test_an_object_that_is_registered_weakly_is_not_kept(registry):
    """With its last owner it is gone from the registry too, and its id can be taken again."""
    thing = Thing()
    registry.register(thing, "thing", weak=True)
    assert registry.find("thing") is thing
    assert registry.id_of(thing) == "thing"
    assert registry.all() == {"thing": thing}
    assert registry.metadata("thing").methods == {"method"}
    gone = weakref.ref(thing)
    del thing
    gc.collect()

    assert gone() is None
    with pytest.raises(DaemonError, match="unknown object"):
        registry.find("thing")
    assert registry.ids() == []
    assert registry.all() == {}
    assert registry.clear() == []
    assert registry.register(Thing(), "thing") == "thing"


def test_objects_come_and_go_weakly(registry):
    """Numbers of objects are given out anew; nobody is taken for one that is gone."""
    for number in range(200):
        thing = Thing()
        assert registry.id_of(thing) is None
        registry.register(thing, f"thing{number}", weak=True)
        assert registry.id_of(thing) == f"thing{number}"

    assert registry.ids() == ["thing199"]


def test_a_weak_object_can_be_replaced_and_unregistered(registry):
    """As any other; that it goes later changes nothing."""
    old, new = Thing(), Thing()
    registry.register(old, "thing", weak=True)
    registry.register(new, "thing", force=True)
    del old
    gc.collect()
    assert registry.find("thing") is new
    registry.unregister(new)
    registry.register(new, "again", weak=True)
    assert registry.unregister(new) == ("again", new)


@pytest.mark.parametrize("obj", [Thing, 3, ()])
def test_what_cannot_be_kept_weakly_is_refused(registry, obj):
    """Classes, and objects that know no weak references."""
    with pytest.raises(TypeError):
        registry.register(obj, "thing", weak=True)

    assert registry.ids() == []


def test_without_required_marks_all_that_is_not_private_is_exposed():
    """REQUIRE_EXPOSE is off: functions and properties, of whatever class."""

    class Unmarked:
        constant = 3

        def method(self):
            pass

        @property
        def value(self):
            return 1

        @staticmethod
        def static():
            pass

        def _private(self):
            pass

    objects = Registry(require_expose=False)
    objects.register(Unmarked(), "thing")
    told = objects.metadata("thing")

    assert told.methods == {"method", "static"}
    assert told.attributes == {"value"}
