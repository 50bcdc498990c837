"""Registered converters, the library's own classes, substitutes, and the dict of an object's attributes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from pyronb.dialects import PYRO5
from pyronb.errors import SecurityError, SerializeError
from pyronb.serializers.base import Serializer, SerializerBase
from pyronb.serializers.hooks import HOOKS, BatchError, Hooks, attributes_as_dict


class Animal:
    def __init__(self, name: str = "rex") -> None:
        self.name = name


class Dog(Animal):
    pass


class Shelf(dict[str, Any]):
    pass


def test_most_specific_class_wins() -> None:
    """The converter of the nearest class is used, whatever the order of registration."""
    for order in ((Animal, Dog), (Dog, Animal)):
        hooks = Hooks()
        for cls in order:
            hooks.register_class_to_dict(cls, lambda _, cls=cls: {"__class__": cls.__name__})

        assert {"__class__": "Dog"} == hooks.replacement(Dog(), PYRO5, foreign_exceptions=True)
        assert {"__class__": "Animal"} == hooks.replacement(Animal(), PYRO5, foreign_exceptions=True)


def test_round_trip_through_registered_converters(serializer: Serializer) -> None:
    """An object with converters on both sides arrives as an object, also inside other values."""
    SerializerBase.register_class_to_dict(Animal, lambda animal: {"__class__": "zoo.Animal", "name": animal.name})
    SerializerBase.register_dict_to_class("zoo.Animal", lambda _, data: Animal(data["name"]))

    actual = serializer.loads(serializer.dumps([{"pet": Dog("fido")}]))

    assert isinstance(actual[0]["pet"], Animal)
    assert "fido" == actual[0]["pet"].name


def test_unregister(serializer: Serializer) -> None:
    """What was taken back is not used any more; taking back twice does nothing."""
    SerializerBase.register_class_to_dict(Animal, lambda _: {"x": 1})
    SerializerBase.register_dict_to_class("zoo.Animal", lambda _name, _data: 5)
    for _ in range(2):
        SerializerBase.unregister_class_to_dict(Animal)
        SerializerBase.unregister_dict_to_class("zoo.Animal")

    with pytest.raises(SerializeError, match=r"unsupported serialized class: .*test_hooks\.Animal"):
        serializer.loads(serializer.dumps(Animal()))
    with pytest.raises(SerializeError, match=r"unsupported serialized class: zoo\.Animal \(register a converter"):
        serializer.loads(serializer.dumps({"__class__": "zoo.Animal"}))


def test_hook_for_a_subclass_of_a_builtin(serializer: Serializer) -> None:
    """A hook also counts for classes that a serializer would write by itself."""
    SerializerBase.register_class_to_dict(Shelf, lambda shelf: {"books": len(shelf)})

    assert [{"books": 1}, {"a": 1}] == serializer.loads(serializer.dumps([Shelf(a=1), {"a": 1}]))


def test_hook_that_gives_the_same_object(serializer: Serializer) -> None:
    """A hook that does not convert is told so, rather than asked for ever."""
    SerializerBase.register_class_to_dict(Animal, lambda animal: animal)

    with pytest.raises(SerializeError, match="same object"):
        serializer.dumps(Animal())


def test_hook_that_gives_nothing(serializer: Serializer) -> None:
    """A converter that forgets to return is told so, rather than None sent in the place of the object."""
    SerializerBase.register_class_to_dict(Animal, lambda _: None)  # type: ignore[arg-type, return-value]

    with pytest.raises(SerializeError, match=r"hook that writes .*Animal gave nothing, not a dict"):
        serializer.dumps([Animal()])


def test_hook_that_never_ends(serializer: Serializer) -> None:
    """A converter that gives another object of its class is found out."""
    SerializerBase.register_class_to_dict(Animal, lambda _: {"__class__": "zoo.Animal", "other": Animal()})

    with pytest.raises(SerializeError, match="nested too deeply, or contains itself"):
        serializer.dumps(Animal())


def test_hook_that_ends_the_program(serializer: Serializer) -> None:
    """It does not: a daemon that reads what a stranger sent must live on."""

    def leave(*_: Any) -> Any:
        raise SystemExit(3)

    SerializerBase.register_class_to_dict(Animal, leave)
    SerializerBase.register_dict_to_class("zoo.Animal", leave)

    with pytest.raises(SerializeError, match=r"Animal.*SystemExit\(3\)"):
        serializer.dumps([Animal()])
    with pytest.raises(SerializeError, match=r"Animal.*SystemExit\(3\)"):
        serializer.loads(serializer.dumps([{"__class__": "zoo.Animal"}]))


def test_hook_that_fails(serializer: Serializer) -> None:
    """The exception of a converter becomes a SerializeError that has it as its cause, both ways."""

    def fail(*_: Any) -> Any:
        raise KeyError("lost")

    SerializerBase.register_class_to_dict(Animal, fail)
    SerializerBase.register_dict_to_class("zoo.Animal", fail)

    with pytest.raises(SerializeError, match="lost") as writing:
        serializer.dumps(Animal())
    with pytest.raises(SerializeError, match="lost") as reading:
        serializer.loads(serializer.dumps({"__class__": "zoo.Animal"}))
    assert isinstance(writing.value.__cause__, KeyError)
    assert isinstance(reading.value.__cause__, KeyError)


@pytest.mark.parametrize("cls", [type, "Animal", 5])
def test_only_classes_are_registered(cls: Any) -> None:
    """Registering anything but a class is a TypeError."""
    with pytest.raises(TypeError):
        Hooks().register_class_to_dict(cls, dict)


def test_library_class(serializer: Serializer) -> None:
    """A class of the library, and its subclasses, travel under the name of the dialect."""
    HOOKS.register_library_class(
        Animal, "proxy", lambda animal, _: (animal.name, 1), lambda state, _: Animal(state[0] + "!")
    )

    actual = serializer.loads(serializer.dumps([Dog("fido")]))

    assert "fido!" == actual[0].name
    assert b"Pyro5.client.Proxy" in serializer.dumps(Dog())


@pytest.mark.parametrize(
    "state", [None, 5, "x", {}, (), (1, 2, 3, 4, 5), ("PYRO", 5, None, "h", 1), ("P", "o", None, "h", "1")]
)
def test_broken_state_of_a_library_class(serializer: Serializer, state: Any) -> None:
    """A state from the peer that cannot be used is a SerializeError."""
    data = serializer.dumps({"__class__": "Pyro5.core.URI", "state": state})

    with pytest.raises(SerializeError):
        serializer.loads(data)


def test_substitute(serializer: Serializer) -> None:
    """Another object is written in the place of one that has a substitute; None means no substitute."""
    HOOKS.register_substitute(Animal, lambda animal: "a dog" if isinstance(animal, Dog) else None)
    SerializerBase.register_dict_to_class(f"{__name__}.Animal", lambda _, data: data["name"])

    assert ["a dog", "cat"] == serializer.loads(serializer.dumps([Dog(), Animal("cat")]))

    HOOKS.unregister_substitute(Animal)
    HOOKS.unregister_substitute(Animal)
    assert ["cat"] == serializer.loads(serializer.dumps([Animal("cat")]))


def test_substitute_for_a_subclass_of_a_builtin(serializer: Serializer) -> None:
    """A registered object that is also a dict is substituted, not copied."""
    HOOKS.register_substitute(Shelf, lambda _: "proxy")

    assert ["proxy", {}] == serializer.loads(serializer.dumps([Shelf(), {}]))


def test_own_hook_before_substitute_before_library() -> None:
    """The hook of the program comes first, then the substitute, then the library's own form."""
    hooks = Hooks()
    hooks.register_library_class(Animal, "daemon", lambda _a, _d: (), lambda _s, _d: None)
    seen = [hooks.replacement(Animal(), PYRO5, foreign_exceptions=True)]
    hooks.register_substitute(Animal, lambda _: "substitute")
    seen.append(hooks.replacement(Animal(), PYRO5, foreign_exceptions=True))
    hooks.register_class_to_dict(Animal, lambda _: {"own": 1})
    seen.append(hooks.replacement(Animal(), PYRO5, foreign_exceptions=True))

    assert [{"__class__": "Pyro5.server.Daemon", "state": ()}, "substitute", {"own": 1}] == seen


def test_batch_error(serializer: Serializer) -> None:
    """The wrapper of a failed call in a batch keeps its exception."""
    actual = serializer.loads(serializer.dumps([3, BatchError(ValueError("boom", 7))]))

    assert isinstance(actual[1], BatchError)
    assert isinstance(actual[1].exception, ValueError)
    assert ("boom", 7) == actual[1].exception.args
    assert b"Pyro5.core._ExceptionWrapper" in serializer.dumps(actual[1])


def test_batch_error_without_an_exception(serializer: Serializer) -> None:
    """A wrapper around anything else is a SerializeError."""
    with pytest.raises(SerializeError, match="no exception"):
        serializer.loads(serializer.dumps({"__class__": "Pyro5.core._ExceptionWrapper", "exception": 5}))


@pytest.mark.parametrize("name", ["__main__.Thing", "os.__class__", "a__b"])
def test_names_with_double_underscores(serializer: Serializer, name: str) -> None:
    """A class name with double underscores is refused on purpose."""
    with pytest.raises(SecurityError, match=name):
        serializer.loads(serializer.dumps({"__class__": name}))


@pytest.mark.parametrize("name", [5, None, [1], ""])
def test_names_that_are_no_names(serializer: Serializer, name: Any) -> None:
    """A class name of another type, or an empty one, is a SerializeError."""
    with pytest.raises(SerializeError):
        serializer.loads(serializer.dumps({"__class__": name}))


@pytest.mark.parametrize("name", ["marshal", "msgpack"])
def test_names_as_bytes(catalog: Any, name: str) -> None:
    """A class name may come as bytes."""
    SerializerBase.register_dict_to_class("zoo.Animal", lambda name, _: name)
    serializer = catalog.by_name(name)

    assert "zoo.Animal" == serializer.loads(serializer.dumps({"__class__": b"zoo.Animal"}))


class Slotted:
    __slots__ = ("__secret", "a", "unset")

    def __init__(self) -> None:
        self.a = 1
        self.__secret = 2


class SlottedMore(Slotted):
    __slots__ = ("b",)

    def __init__(self) -> None:
        super().__init__()
        self.b = 3


class SlottedAndDict(Slotted):
    def __init__(self) -> None:
        super().__init__()
        self.c = 4


class WithState:
    def __getstate__(self) -> dict[str, Any]:
        return {"s": 1}


class WithOtherState:
    def __init__(self) -> None:
        self.a = 1

    def __getstate__(self) -> tuple[int, ...]:
        return (1,)


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class FrozenSlots:
    a: int = 1


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (Animal("x"), {"name": "x"}),
        (Slotted(), {"a": 1, "__secret": 2}),
        (SlottedMore(), {"a": 1, "__secret": 2, "b": 3}),
        (SlottedAndDict(), {"a": 1, "__secret": 2, "c": 4}),
        (WithState(), {"s": 1}),
        (WithOtherState(), {"a": 1}),
        (Frozen(), {"a": 1}),
        (FrozenSlots(), {"a": 1}),
    ],
)
def test_attributes_as_dict(obj: Any, expected: dict[str, Any]) -> None:
    """The attributes of every kind of class are found, and the name of the class is added."""
    expected = {**expected, "__class__": f"{__name__}.{type(obj).__name__}"}

    assert expected == attributes_as_dict(obj)


def test_encoding_does_not_change_the_object(serializer: Serializer) -> None:
    """Neither the object, nor the dict of its state, nor an exception is changed by writing it."""
    animal, error = Animal("x"), ValueError("a")
    error.extra = [1]  # type: ignore[attr-defined]
    value = [animal, error, {"k": (1, {2})}]

    serializer.dumps(value)

    assert {"name": "x"} == vars(animal)
    assert {"extra": [1]} == vars(error)
    assert [animal, error, {"k": (1, {2})}] == value
