"""The phone book: the same contract for every storage. (Wire specification, section 21.)"""

from __future__ import annotations

import threading

import pytest

from pyronb.errors import NamingError, PyroError
from pyronb.nameserver.names import NameServer, type_meta
from pyronb.uri import URI
from tests.support.waiting import scaled

A, B = "PYRO:a@localhost:1", "PYRO:b@localhost:2"


def test_an_empty_name_server_knows_nothing(names):
    """And says so in every way."""
    assert names.count() == 0
    assert names.list() == {}
    assert names.remove("x") == 0
    assert names.yplookup({"x"}) == {}
    assert names.ping() is None
    with pytest.raises(NamingError, match="unknown name: x"):
        names.lookup("x")


def test_a_name_leads_to_its_address(names):
    """As a URI, with tags if they are asked for; the list has texts."""
    names.register("a", A, metadata={"one", "two"})
    names.register("b", URI(B))

    assert names.lookup("a") == URI(A)
    assert names.lookup("a", return_metadata=True) == (URI(A), {"one", "two"})
    assert names.lookup("b", return_metadata=True) == (URI(B), set())
    assert names.list() == {"a": A, "b": B}
    assert names.list(return_metadata=True) == {"a": (A, {"one", "two"}), "b": (B, set())}
    assert names.count() == 2


def test_registering_again_replaces_address_and_tags(names):
    """Unless it should be safe."""
    names.register("a", A, metadata={"one"})
    names.register("a", B, metadata=["two"])
    assert names.lookup("a", return_metadata=True) == (URI(B), {"two"})
    names.register("a", B)
    assert names.lookup("a", return_metadata=True) == (URI(B), set())
    with pytest.raises(NamingError, match="name already registered: a"):
        names.register("a", A, safe=True, metadata={"three"})

    assert names.lookup("a", return_metadata=True) == (URI(B), set())
    assert names.count() == 1


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((3, A), TypeError, "name must be a str"),
        ((None, A), TypeError, "name must be a str"),
        (("a", 3), TypeError, "only URIs or strings can be registered"),
        (("a", None), TypeError, "only URIs or strings can be registered"),
        (("a", "nonsense"), PyroError, "invalid uri"),
        (("a", "PYRO:a"), PyroError, "invalid uri"),
        (("a", A, False, "tag"), TypeError, "metadata should not be a str, but another iterable"),
        (("a", A, False, [3]), TypeError, "should be a str"),
        (("a", A, False, 3), TypeError, "iterable"),
        (("a\0b", A), ValueError, "characters"),
        (("a\ud800", A), ValueError, "characters"),
        (("a", "PYRO:a\0@localhost:1"), ValueError, "characters"),
        (("a", "PYRO:\udfff@localhost:1"), ValueError, "characters"),
        (("a", A, False, ["\0"]), ValueError, "characters"),
    ],
)
def test_nonsense_is_not_registered(names, arguments, error, text):
    """What could not be told to every client would spoil the list for all."""
    with pytest.raises(error, match=text):
        names.register(*arguments)

    assert names.count() == 0


def test_tags_can_be_replaced(names):
    """The address stays; a name that is not known has no tags."""
    names.register("a", A, metadata={"one"})
    names.set_metadata("a", ["two", "three", "two"])
    assert names.lookup("a", True) == (URI(A), {"two", "three"})
    names.set_metadata("a", None)
    assert names.lookup("a", True) == (URI(A), set())
    with pytest.raises(NamingError, match="unknown name: b"):
        names.set_metadata("b", ["x"])
    with pytest.raises(TypeError, match="metadata should not be a str"):
        names.set_metadata("a", "x")


def test_names_are_removed_by_name_prefix_and_pattern(names):
    """The count of the removed is told."""
    for name in ("a.one", "a.two", "b.one", "b.two", "c"):
        names.register(name, A, metadata={"tag"})

    assert names.remove("c") == 1
    assert names.remove("c") == 0
    assert names.remove(prefix="a.") == 2
    assert names.remove(regex=r"b\.t") == 1
    assert names.list() == {"b.one": A}
    assert names.yplookup({"tag"}).keys() == {"b.one"}
    assert names.remove() == 0
    assert names.count() == 1


def test_nothing_in_particular_is_not_everything(names):
    """An empty prefix or pattern removes nothing, as with Pyro; it lists everything, as with Pyro."""
    names.register("a", A)
    assert names.remove(prefix="") == names.remove(regex="") == names.remove(name="") == 0

    assert names.list(prefix="") == names.list(regex="") == {"a": A}


def test_the_name_server_never_removes_itself(names):
    """By no way of saying it."""
    names.register("Pyro.NameServer", A)
    assert names.remove("Pyro.NameServer") == 0
    assert names.remove(prefix="Pyro") == 0
    assert names.remove(prefix="") == 0
    assert names.remove(regex=".*") == 0

    assert names.count() == 1


@pytest.mark.parametrize(
    ("prefix", "found"),
    [
        ("", ["%", "%b", "A", "A_", "Aa", "a", "a%", "a%b", "a_", "a_b", "ab", "b", "ä", "äb", "\ud7ff", "\ue000"]),
        ("a", ["a", "a%", "a%b", "a_", "a_b", "ab"]),
        ("A", ["A", "A_", "Aa"]),
        ("a%", ["a%", "a%b"]),
        ("a_", ["a_", "a_b"]),
        ("%", ["%", "%b"]),
        ("_", []),
        ("ä", ["ä", "äb"]),
        ("\ud7ff", ["\ud7ff"]),
        ("\U0010ffff", []),
        ("a%b%", []),
        ("'", []),
        ("a' OR '1'='1", []),
        ("*", []),
    ],
)
def test_a_prefix_is_what_names_start_with(names, prefix, found):
    """No character in it means anything but itself, and upper and lower case differ."""
    for name in ("a", "ab", "a_", "a_b", "a%", "a%b", "A", "A_", "Aa", "b", "%", "%b", "ä", "äb", "\ud7ff", "\ue000"):
        names.register(name, A)

    assert sorted(names.list(prefix=prefix)) == sorted(found)
    assert sorted(names.list(prefix=prefix, return_metadata=True)) == sorted(found)
    assert names.remove(prefix=prefix) == (len(found) if prefix else 0)


@pytest.mark.parametrize("prefix", ["a", "\U0010ffff", "a\U0010ffff"])
def test_the_last_character_of_all_continues_a_prefix_too(names, prefix):
    """However often it stands there."""
    continued = [prefix + "\U0010ffff" * count for count in range(3)]
    for name in (*continued, "b", "`"):
        names.register(name, A)

    assert sorted(names.list(prefix=prefix)) == continued


@pytest.mark.parametrize(
    ("regex", "found"),
    [
        ("a", ["a", "ab"]),
        ("b", ["b"]),
        (".*b", ["ab", "b"]),
        ("a$", ["a"]),
        ("", ["a", "ab", "b"]),
        ("(?i)A", ["a", "ab"]),
    ],
)
def test_a_pattern_matches_from_the_start(names, regex, found):
    """As `re.match` does."""
    for name in ("a", "ab", "b"):
        names.register(name, A)

    assert sorted(names.list(regex=regex)) == found


@pytest.mark.parametrize("regex", ["(", "*", "a{99999999999999999999}", "(" * 20_000, 3, b"bytes"])
def test_an_invalid_pattern_is_a_naming_error(names, regex):
    """Whatever is wrong with it."""
    names.register("a", A)
    for ask in (names.list, names.remove):
        with pytest.raises((NamingError, TypeError)):
            ask(regex=regex)

    assert names.count() == 1


def test_one_filter_at_a_time(names):
    """Two at once are an error, as with Pyro."""
    text = "you can only filter on one thing at a time"
    with pytest.raises(ValueError, match=text):
        names.list(prefix="a", regex="b")
    with pytest.raises(ValueError, match=text):
        names.yplookup({"a"}, {"b"})
    with pytest.raises(TypeError, match="prefix must be a str"):
        names.list(prefix=3)


@pytest.mark.parametrize(
    ("every", "some", "found"),
    [
        (["x"], None, ["a", "b"]),
        (["x", "y"], None, ["b"]),
        (("x", "x"), None, ["a", "b"]),
        ({"x", "absent"}, None, []),
        (None, ["x", "z"], ["a", "b", "c"]),
        (None, ["absent", "z"], ["c"]),
        (None, ["absent"], []),
        ([], None, []),
        (None, [], []),
        (None, None, []),
        ([], ["z"], ["c"]),
        (["%"], None, []),
        (["X"], None, []),
    ],
)
def test_names_are_found_by_their_tags(names, every, some, found):
    """All of them, or any of them; without tags nothing is found."""
    for name, tags in {"a": {"x"}, "b": {"x", "y"}, "c": {"z"}, "d": set()}.items():
        names.register(name, A, metadata=tags)

    assert sorted(names.yplookup(every, some)) == found
    assert names.yplookup(every, some, return_metadata=False) == dict.fromkeys(found, A)


@pytest.mark.parametrize("every", [True, False])
def test_as_many_tags_as_there_can_be(names, every):
    """Are looked for, and kept; one more is refused."""
    tags = [f"tag{number}" for number in range(500)]
    names.register("a", A, metadata=tags)
    names.register("b", A, metadata=tags[:1])

    assert sorted(names.yplookup(tags if every else None, None if every else tags)) == (["a"] if every else ["a", "b"])
    for ask in (names.yplookup, lambda tags: names.set_metadata("a", tags)):
        with pytest.raises(ValueError, match="501 tags are more than the 500"):
            ask([*tags, "another"])


@pytest.mark.parametrize("place", ["name", "uri", "tag", "prefix"])
def test_texts_have_a_length(names, place):
    """More than 10,000 characters are refused, wherever they stand."""
    long = "x" * 10_001
    with pytest.raises(ValueError, match=r"has 100\d\d characters, and may have 10000"):
        match place:
            case "name":
                names.register(long, A)
            case "uri":
                names.register("a", f"PYRO:{long}@localhost:1")
            case "tag":
                names.register("a", A, metadata=[long])
            case "prefix":
                names.list(prefix=long)

    assert names.count() == 0


def test_what_a_type_says():
    """The class and its bases, in the words of Pyro; of an object, those of its class."""

    class Base(Exception):
        pass

    class Derived(Base):
        pass

    tags = {f"class:{__name__}.Base", f"class:{__name__}.Derived"}
    assert type_meta(Derived) == type_meta(Derived()) == tags
    assert type_meta(Base, prefix="") == {f"{__name__}.Base"}
    assert type_meta(3) == set()
    for module in ("Pyro5.core", "Pyro4.naming"):
        theirs = pytest.importorskip(module).type_meta
        assert (theirs(Derived), theirs(Derived())) == (tags, tags)


def test_tags_come_with_what_was_found(names):
    """All tags of a name, not only those that were asked for."""
    names.register("a", A, metadata={"x", "y"})

    assert names.yplookup(["x"]) == {"a": (A, {"x", "y"})}
    with pytest.raises(TypeError, match="not be a str"):
        names.yplookup("x")


@pytest.mark.parametrize("name", ["", " ", "a b", "a.b.c", "ä€💥", "'; DROP TABLE pyro_names; --", "\n", "x" * 10_000])
def test_names_can_be_any_text(names, name):
    """As they are with Pyro."""
    names.register(name, A, metadata={name})

    assert names.lookup(name, True) == (URI(A), {name})
    assert names.yplookup({name}, return_metadata=False) == {name: A}
    assert names.remove(name) == 1


def test_ten_thousand_names_are_no_problem(names):
    """Listing them, finding one, and finding a hundred."""
    for number in range(10_000):
        names.register(f"n{number:05}", A, metadata=["even" if number % 2 == 0 else "odd"])

    assert names.count() == len(names.list()) == 10_000
    assert len(names.list(return_metadata=True)) == 10_000
    assert len(names.list(prefix="n012")) == 100
    assert names.lookup("n09999") == URI(A)
    assert len(names.yplookup(["odd"])) == 5000
    assert names.remove(prefix="n0") == 10_000


def test_threads_do_not_disturb_each_other(names):
    """Of many who register a name safely one succeeds; what each thread did is all there."""
    successes, errors = [], []

    def work(number):
        try:
            for step in range(50):
                names.register(f"{number}.{step}", A, metadata={f"{number}"})
                names.list(prefix=f"{number}.")
                try:
                    names.register(f"shared.{step}", f"PYRO:{number}@localhost:1", safe=True)
                    successes.append(step)
                except NamingError:
                    pass
                names.set_metadata(f"{number}.{step}", {"done"})
                if step % 2:
                    assert names.remove(f"{number}.{step}") == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(scaled(20))

    assert errors == []
    assert sorted(successes) == list(range(50))
    assert names.count() == 8 * 25 + 50
    assert len(names.yplookup({"done"})) == 8 * 25


def test_changing_tags_does_not_bring_an_old_address_back(storage):
    """A registration that comes in between stays."""
    names = NameServer(storage)
    names.register("a", A)
    real = storage.set_tags

    def set_tags(name, tags):
        names.register("a", B)
        return real(name, tags)

    class Between:
        def __getattr__(self, name):
            return set_tags if name == "set_tags" else getattr(storage, name)

    NameServer(Between()).set_metadata("a", ["x"])

    assert names.lookup("a", True) == (URI(B), {"x"})
