"""What clients check where one end is a real Pyro4, beyond what holds for both families."""

import time

try:
    import checks
    import thing
except ImportError:
    from tests.interop.peers import checks, thing

raised = checks.raised


def daemon_object(world):
    """Ask the daemon about itself; `get_metadata` can give lists."""
    with world.proxy() as p:
        p._pyroBind()
        location = p._pyroUri.location
    with world.proxy(f"PYRO:Pyro.Daemon@{location}") as daemon:
        assert daemon.ping() is None
        assert set(daemon.registered()) == {"Pyro.Daemon", "thing", "other"}
        assert "Pyro.Daemon bound on" in daemon.info()
        assert "3 objects" in daemon.info()
        for found in (daemon.get_metadata("thing"), daemon.get_metadata("thing", True)):
            assert set(found["methods"]) == thing.METHODS, found
            assert set(found["oneway"]) == thing.ONEWAY, found
            assert set(found["attrs"]) == thing.ATTRIBUTES, found
        found = daemon.get_metadata("thing", as_lists=True)
        assert [type(names) for names in found.values()] == [list] * 3, found
        raised(world.api.errors.DaemonError, daemon.get_metadata, "nobody")


def many_sequence_numbers(world):
    """Count past 65535: the first call after it has the number 0."""
    with world.proxy() as p:
        p._pyroBind()
        p._pyroSeq = 0xFFFD
        assert [p.add(number, 1) for number in range(6)] == [1, 2, 3, 4, 5, 6]
        assert p._pyroSeq == 3


def chunks(world):
    """Annotations of every size that protocol 48 has room for, beside the correlation id."""
    context = world.api.current_context
    with world.proxy() as p:
        p._pyroBind()
        for size in (0, 1, 30_000):
            context.annotations = {"TEST": b"x" * size, "MORE": b"y" * 30_000}
            assert p.annotations() == "x" * size
            assert len(context.response_annotations["BACK"]) == size
        context.annotations = {}
        assert p.annotations() == ""


def without_metadata(world):
    """Nothing is known of the object: every name is a method, and the daemon judges it."""
    errors = world.api.errors
    with world.proxy() as p:
        assert p.add(1, 2) == 3
        assert p.add(1, b=4) == 5
        assert not p._pyroMethods
        for name in ("absent", "_private", "__call__", "value", "read_only", "add.__call__"):
            raised(AttributeError, getattr(p, name))
        error = raised(ValueError, p.fail)
        assert error.args == ("boom", 7)
        assert "in fail" in "".join(error._pyroTraceback)
        raised(errors.NamingError, p.fail, "naming")
        # Without the flag it is a call like any other.
        token = int(time.monotonic() * 1000)
        assert p.fire(token) is None
        assert token in p.fired()
        raised(ValueError, p.fire_and_fail)
        assert list(p.count(3)) == [0, 1, 2]
        if world.serializer != "marshal":
            batch = world.api.BatchProxy(p)
            batch.add(1, 2)
            batch.fail()
            results = batch()
            assert next(results) == 3
            raised(ValueError, next, results)
        world.ping(p)
        p._pyroHandshake = {"some": "thing"}
        p._pyroReconnect(tries=1)
        assert p.add(1, 2) == 3
        # Metadata can still be asked for.
        p._pyroGetMetadata("thing")
        assert set(p._pyroMethods) == thing.METHODS, p._pyroMethods
        assert set(p._pyroOneway) == thing.ONEWAY
        location = p._pyroConnection.sock.getpeername()
    # The greeting is not about an object, so only a call finds out.
    with world.proxy("PYRO:nobody@{}:{}".format(*location)) as p:
        p._pyroBind()
        error = raised(errors.DaemonError, p.add, 1, 2)
        assert "unknown object" in str(error), error


def nameserver(world, names):
    """What `nsc` of Pyro4 asks a name server, and more; all of it in Pyro4's own words."""
    errors = world.api.errors
    # Pyro4 cannot write an address inside of a tuple in marshal.
    can_tell_uri_with_tags = not (world.real_peer and world.serializer == "marshal")
    assert names.ping() is None
    names.remove(prefix="interop.")
    before = names.count()
    assert before == len(names.list())
    assert "Pyro.NameServer" in names.list(prefix="Pyro.")
    assert set(names.list(prefix="Pyro.", return_metadata=True)["Pyro.NameServer"][1]) & {
        "class:Pyro4.naming.NameServer",
        "class:Pyro5.nameserver.NameServer",
    }
    a, b = "PYRO:a@localhost:1", "PYRO:b@localhost:2"
    names.register("interop.a", a, metadata={"tag1", "tag2"})
    names.register("interop.b", world.api.URI(b), safe=True)
    assert isinstance(names.lookup("interop.a"), world.api.URI)
    assert str(names.lookup("interop.a")) == a
    if can_tell_uri_with_tags:
        uri, tags = names.lookup("interop.a", return_metadata=True)
        assert isinstance(uri, world.api.URI)
        assert (str(uri), type(tags), sorted(tags)) == (a, list, ["tag1", "tag2"])
        uri, tags = names.lookup("interop.b", True)
        assert (str(uri), tags) == (b, [])

    assert names.list(prefix="interop.") == {"interop.a": a, "interop.b": b}
    assert names.list("interop.") == {"interop.a": a, "interop.b": b}
    assert names.list(regex=r"inter.*\.b") == {"interop.b": b}
    assert names.list(None, r"inter.*\.b") == {"interop.b": b}
    for found in (names.list(prefix="interop.", return_metadata=True), names.list("interop.", None, None, None, True)):
        assert set(found) == {"interop.a", "interop.b"}
        uri, tags = found["interop.a"]
        assert (uri, type(tags), sorted(tags)) == (a, list, ["tag1", "tag2"])
        assert tuple(found["interop.b"]) == (b, [])

    names.set_metadata("interop.b", {"tag2"})
    assert names.list(metadata_all={"tag1", "tag2"}) == {"interop.a": a}
    assert names.list(None, None, ["tag1", "tag2"]) == {"interop.a": a}
    assert names.list(metadata_all=["tag2"]) == {"interop.a": a, "interop.b": b}
    assert names.list(metadata_any=["tag1", "absent"]) == {"interop.a": a}
    assert names.list(None, None, None, ["tag1", "tag2"]) == {"interop.a": a, "interop.b": b}
    assert names.list(metadata_all=["absent"]) == {}
    uri, tags = names.list(metadata_all=["tag2"], return_metadata=True)["interop.b"]
    assert (uri, tags) == (b, ["tag2"])
    names.set_metadata("interop.b", [])
    assert set(names.list(metadata_any=["tag2"])) == {"interop.a"}

    raised(errors.NamingError, lambda: names.lookup("interop.absent"))
    raised(errors.NamingError, lambda: names.set_metadata("interop.absent", ["tag"]))
    raised(errors.NamingError, lambda: names.register("interop.a", "PYRO:c@localhost:3", safe=True))
    raised(TypeError, lambda: names.register(3, "PYRO:c@localhost:3"))
    raised(TypeError, lambda: names.register("interop.c", 3))
    raised(TypeError, lambda: names.register("interop.c", "PYRO:c@localhost:3", metadata="tag"))
    raised(errors.PyroError, lambda: names.register("interop.c", "nonsense"))
    raised(errors.NamingError, lambda: names.list(regex="("))
    raised(ValueError, lambda: names.list(prefix="a", regex="b"))
    raised(ValueError, lambda: names.list(prefix="a", metadata_all=["b"]))
    raised(TypeError, lambda: names.list(metadata_all="tag"))

    names.register("interop.a", "PYRO:other@localhost:4")  # replaces the tags too
    assert str(names.lookup("interop.a")) == "PYRO:other@localhost:4"
    assert names.list(metadata_any=["tag1", "tag2"]) == {}
    assert names.remove("Pyro.NameServer") == 0
    assert names.remove("interop.absent") == 0
    assert names.remove("interop.a") == 1
    assert names.remove(regex=r"interop\..*") == 1
    assert names.count() == before


# By name: the check, and whether metadata is on.
MORE = {
    "daemon_object": (daemon_object, True),
    "many_sequence_numbers": (many_sequence_numbers, True),
    "chunks": (chunks, True),
    "without_metadata": (without_metadata, False),
}


def applies(name, serializer, *, real):
    """Whether a client can do this at all; pyronb's has no sequence number to set, and always has metadata."""
    if name in MORE:
        return real or name in ("daemon_object", "chunks")
    return checks.applies(name, serializer, real=real)


def chosen(only=None, *, metadata=True):
    """Give the checks with these names, or all, of clients that have metadata switched on or off."""
    found = {name: function for name, (function, _, _) in checks.CHECKS.items() if metadata}
    found |= {name: function for name, (function, mode) in MORE.items() if mode == metadata}
    return {name: function for name, function in found.items() if only is None or name in only}
