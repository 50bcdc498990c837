"""The object that both sides serve. `make` builds it from the names of either package."""

import builtins
import threading
import time
import uuid


class CustomError(Exception):
    """Known to nobody else."""


class Animal:
    """Of a class that both sides have hooks for."""

    def __init__(self, name):
        self.name = name


def register_hooks(api):
    """Have animals travel."""
    hooks = api.SerializerBase
    hooks.register_class_to_dict(Animal, lambda animal: {"__class__": "zoo.Animal", "name": animal.name})
    hooks.register_dict_to_class("zoo.Animal", lambda name, data: Animal(data["name"]))


def make(api):
    """Make the class; `api` is Pyro5.api, or the same names of pyronb."""
    register_hooks(api)

    @api.expose
    class Thing:
        """A thing to call."""

        def __init__(self):
            self.fired_ = []
            self.value_ = 1
            self.other = None
            self.fail_lock = threading.Lock()

        def add(self, a, b=10):
            """Add two numbers."""
            return a + b

        def array(self, count):
            import numpy as np

            return np.arange(count)

        def echo(self, value):
            return value

        def sleep(self, seconds):
            """Take so long."""
            time.sleep(seconds)

        def size(self, value):
            return len(value)

        def kind(self, value):
            return type(value).__name__

        def fail(self, kind="value"):
            error = {
                "value": ValueError("boom", 7),
                "key": KeyError("missing"),
                "zero": ZeroDivisionError("division by zero"),
                "os": FileNotFoundError(2, "No such file or directory"),
                "naming": api.errors.NamingError("no such name"),
                "daemon": api.errors.DaemonError("no such object"),
                "custom": CustomError("custom boom", 3),
                "exit": SystemExit(3),
                "linked": ValueError("boom"),
                # Python has groups from 3.11 on.
                "group": getattr(builtins, "ExceptionGroup", ValueError)("several", [KeyError("one of them")]),
            }[kind]
            if kind == "linked":
                error.__cause__ = CustomError("the cause")
            error.extra = "attribute"
            raise error

        @api.oneway
        def fire(self, value):
            self.fired_.append(value)

        @api.oneway
        def fire_and_fail(self):
            raise ValueError("nobody hears this")

        def fired(self):
            return sorted(self.fired_)

        def count(self, limit):
            try:
                yield from range(limit)
            finally:
                self.fired_.append(-limit)

        def count_and_fail(self):
            yield 1
            raise ValueError("in stream")

        def give_other(self):
            return self.other

        def give_others(self):
            return {"list": [self.other]}

        def correlation(self):
            return str(api.current_context.correlation_id)

        def annotations(self):
            chunk = api.current_context.annotations.get("TEST", b"")
            api.current_context.response_annotations = {"BACK": bytes(chunk)[::-1]}
            return bytes(chunk).decode()

        def call_back(self, whom, value):
            """Ask the caller's own object."""
            with whom:
                if hasattr(whom, "_pyroClaimOwnership"):
                    whom._pyroClaimOwnership()
                return ["called back", whom.receive(value)]

        def call_function(self, function, *values):
            """Call the caller's own function, which is an object with one method for a real Pyro."""
            with function:
                if hasattr(function, "_pyroClaimOwnership"):
                    function._pyroClaimOwnership()
                return [function.call(value) for value in values]

        def call_back_fails(self, whom):
            with whom:
                try:
                    whom.receive_badly()
                except ZeroDivisionError as error:
                    return str(error)

        def open_blob(self, blob):
            return [blob.info, blob.deserialized()]

        def pass_blob_on(self, blob):
            """Hand it to the object whose address is on the outside."""
            with api.Proxy(blob.info) as proxy:
                return proxy.open_blob(blob)

        def new_id(self):
            return str(uuid.uuid4())

        def where(self, whom):
            return str(whom)

        def __len__(self):
            return 5

        def __getitem__(self, index):
            if index >= 5:
                raise IndexError(index)
            return index * index

        @property
        def value(self):
            return self.value_

        @value.setter
        def value(self, value):
            self.value_ = value

        @property
        def read_only(self):
            return 42

        def _private(self):
            raise AssertionError

    return Thing


METHODS = {
    *(
        "add",
        "array",
        "echo",
        "size",
        "sleep",
        "kind",
        "fail",
        "fire",
        "fire_and_fail",
        "fired",
        "count",
        "count_and_fail",
    ),
    *(
        "give_other",
        "give_others",
        "correlation",
        "annotations",
        "call_back",
        "call_back_fails",
        "call_function",
        "new_id",
        "where",
    ),
    *("open_blob", "pass_blob_on"),
    *("__len__", "__getitem__"),
}
ONEWAY = {"fire", "fire_and_fail"}
ATTRIBUTES = {"value", "read_only"}


def make_daemon(api):
    """Make a daemon class that refuses the handshake `refuse`, and answers others."""

    class Guarded(api.Daemon):
        def validateHandshake(self, conn, data):
            if data == "refuse":
                raise ValueError("you are not welcome: größe")
            return {"welcome": data}

    return Guarded
