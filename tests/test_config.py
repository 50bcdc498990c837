"""The configuration: defaults, environment, and what may be assigned."""

from __future__ import annotations

import copy
import pickle

import pytest

from pyronb.config import ITEMS, Configuration
from pyronb.dialects import SAFE


@pytest.fixture
def config():
    """Give a configuration of its own, in an empty environment."""
    return Configuration({})


DEFAULTS = {
    "HOST": "localhost",
    "NS_PORT": 9090,
    "SERIALIZER": "serpent",
    "COMMTIMEOUT": 0.0,
    "MAX_RETRIES": 0,
    "MAX_MESSAGE_SIZE": 1 << 30,
    "COMPRESSION": False,
    "ITER_STREAM_LINGER": 30.0,
    "THREADPOOL_SIZE": 80,
    "POLLTIMEOUT": 2.0,
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults(config, name):
    """They are those of Pyro5 (wire specification, section 30)."""
    assert DEFAULTS[name] == getattr(config, name)


# Environment

ENVIRONMENT = [
    ("NS_PORT", "4711", 4711),
    ("HOST", "0.0.0.0", "0.0.0.0"),
    ("COMMTIMEOUT", "2", 2.0),
    ("COMMTIMEOUT", "1.5", 1.5),
    ("COMPRESSION", "1", True),
    ("COMPRESSION", "ON", True),
    ("COMPRESSION", " yes ", True),
    ("COMPRESSION", "true", True),
    ("SOCK_NODELAY", "0", False),
    ("SOCK_NODELAY", "off", False),
    ("SOCK_NODELAY", "No", False),
    ("SOCK_NODELAY", "false", False),
    ("SERIALIZERS_ACCEPTED", "json, serpent,,", {"json", "serpent"}),
]


@pytest.mark.parametrize("prefix", ["PYRO_", "PYRONB_"])
@pytest.mark.parametrize(("name", "text", "value"), ENVIRONMENT)
def test_environment(prefix, name, text, value):
    """Both prefixes give a value of the item's type."""
    actual = getattr(Configuration({prefix + name: text}), name)

    assert value == actual
    assert type(value) is type(actual)


def test_precedence():
    """The longer prefix wins, in whatever order the environment has them."""
    both = {"PYRONB_NS_PORT": "1", "PYRO_NS_PORT": "2"}

    assert 1 == Configuration(both).NS_PORT
    assert 1 == Configuration(dict(reversed(both.items()))).NS_PORT


def test_own_items_have_the_longer_prefix_only():
    """A real Pyro5 in the same environment would stumble over the shorter one."""
    assert 10.0 == Configuration({"PYRO_CONNECT_TIMEOUT": "3"}).CONNECT_TIMEOUT
    assert 3.0 == Configuration({"PYRONB_CONNECT_TIMEOUT": "3"}).CONNECT_TIMEOUT


def test_foreign_variables():
    """What is no item is left alone, as are names without the prefix."""
    environment = {"PYRO_HMAC_KEY": "x", "PYRO_FOO": "1", "PYRONB_TEST_SLOWNESS": "4", "NS_PORT": "5"}

    assert Configuration({}).asDict() == Configuration(environment).asDict()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PYRO_NS_PORT", "many"),
        ("PYRO_NS_PORT", "70000"),
        ("PYRONB_COMPRESSION", "perhaps"),
        ("PYRO_COMMTIMEOUT", "-1"),
        ("PYRO_COMMTIMEOUT", "nan"),
        ("PYRO_COMMTIMEOUT", ""),
        ("PYRO_SERVERTYPE", "fork"),
    ],
)
def test_environment_that_makes_no_sense(variable, text):
    """The error names the variable and its text."""
    with pytest.raises(ValueError, match=rf"environment variable {variable}='{text}'"):
        Configuration({variable: text})


def test_the_process_environment(monkeypatch):
    """It is read where no other is given."""
    monkeypatch.setenv("PYRONB_NS_PORT", "1234")

    assert 1234 == Configuration().NS_PORT


# Assignment

WRONG = [
    ("NS_AUTOCLEAN", 2.0, ValueError),
    ("NATHOST", 5, TypeError),
    ("PREFER_IP_VERSION", 5, ValueError),
    ("LOGLEVEL", "LOUD", ValueError),
    ("PICKLE_PROTOCOL_VERSION", 99, ValueError),
    ("NS_PORT", "9090", TypeError),
    ("NS_PORT", 9090.0, TypeError),
    ("NS_PORT", True, TypeError),
    ("NS_PORT", None, TypeError),
    ("NS_PORT", -1, ValueError),
    ("NS_PORT", 65536, ValueError),
    ("COMMTIMEOUT", "2", TypeError),
    ("COMMTIMEOUT", True, TypeError),
    ("COMMTIMEOUT", -0.1, ValueError),
    ("COMMTIMEOUT", float("nan"), ValueError),
    ("COMPRESSION", 1, TypeError),
    ("COMPRESSION", "yes", TypeError),
    ("HOST", b"localhost", TypeError),
    ("SERIALIZERS_ACCEPTED", "serpent", TypeError),
    ("SERIALIZERS_ACCEPTED", [["serpent"]], TypeError),
    ("POLLTIMEOUT", 0, ValueError),
    ("THREADPOOL_SIZE", 0, ValueError),
    ("MAX_RETRIES", -1, ValueError),
    ("SERVERTYPE", "fork", ValueError),
    ("SERIALIZER", "yaml", ValueError),
]


@pytest.mark.parametrize(("name", "value", "error"), WRONG)
def test_wrong_values(config, name, value, error):
    """They are refused at once, and the old value stays."""
    before = config.asDict()
    with pytest.raises(error):
        setattr(config, name, value)

    assert before == config.asDict()


def test_wrong_type_names_both():
    """The message says what is taken and what was given."""
    with pytest.raises(TypeError, match="NS_PORT takes int, not str"):
        Configuration({}).NS_PORT = "9090"


def test_good_values(config):
    """A number stands for a fraction, any collection for a set of names."""
    config.COMMTIMEOUT = 3
    config.SERIALIZERS_ACCEPTED = ["json"]
    config.MAX_MESSAGE_SIZE = 0

    assert (3.0, {"json"}, 0) == (config.COMMTIMEOUT, config.SERIALIZERS_ACCEPTED, config.MAX_MESSAGE_SIZE)
    assert type(config.COMMTIMEOUT) is float


@pytest.mark.parametrize("name", ["NOPE", "ns_port", "_values", "__dict__"])
def test_unknown_items(config, name):
    """There is no such item, to read or to write."""
    with pytest.raises(AttributeError):
        setattr(config, name, 1)


def test_reading_an_unknown_item(config):
    """The error names it."""
    with pytest.raises(AttributeError, match="no configuration item 'NOPE'"):
        _ = config.NOPE


@pytest.mark.parametrize("make", [copy.copy, Configuration.copy, lambda config: config.asDict()])
def test_copying(config, make):
    """A copy starts with the same values, also where they differ from the environment, and goes its own way."""
    config.NS_PORT = 1
    config.SERIALIZERS_ACCEPTED.add("pickle")
    kept = make(config)
    config.NS_PORT = 2
    config.SERIALIZERS_ACCEPTED.add("dill")
    values = kept if isinstance(kept, dict) else kept.asDict()

    assert (1, {*SAFE, "pickle"}) == (values["NS_PORT"], values["SERIALIZERS_ACCEPTED"])


def test_copy_knows_what_was_told(config):
    """Also what was set to its default."""
    config.SERIALIZER = "serpent"

    assert config.copy().told("SERIALIZER")
    assert not config.copy().told("COMMTIMEOUT")


# Reset


def test_reset(config):
    """Defaults and environment come back; or the defaults alone."""
    config.NS_PORT = 1
    config.SERIALIZERS_ACCEPTED.add("other")
    config.reset(environment={"PYRO_HOST": "there"})

    assert (9090, "there") == (config.NS_PORT, config.HOST)
    assert "other" not in config.SERIALIZERS_ACCEPTED

    config.reset(environment={"PYRO_HOST": "there"}, use_environment=False)

    assert Configuration({}).asDict() == config.asDict()


def test_failed_reset(config):
    """All values stay as they were."""
    config.NS_PORT = 1
    before = config.asDict()
    with pytest.raises(ValueError, match="PYRO_COMMTIMEOUT"):
        config.reset(environment={"PYRO_HOST": "there", "PYRO_COMMTIMEOUT": "x"})

    assert before == config.asDict()


# Showing


def test_dump(config):
    """One line for each item, with value and meaning."""
    config.NS_PORT = 1
    lines = config.dump().splitlines()

    assert list(ITEMS) == [line.split(" ")[0] for line in lines]
    assert any("= 1 " in line and "# port of the name server" in line for line in lines)


def test_names(config):
    """All items are listed, also where the tab key looks."""
    assert list(ITEMS) == list(config)
    assert set(ITEMS) <= set(dir(config))
    assert set(ITEMS) == set(config.asDict())


# Records


def test_zero_is_no_timeout(config):
    """Pyro writes "wait for ever" as 0; inside it is None."""
    assert config.client_options().timeout is None

    config.CONNECT_TIMEOUT = 0

    assert config.client_options().connect_timeout is None
    assert (None, 10.0) == (config.daemon_options().timeout, config.daemon_options().handshake_timeout)


def test_connecting_is_communication_too(config):
    """COMMTIMEOUT limits it as well; the shorter of the two limits counts. (S86.)"""
    for calls, connecting, limit in ((0, 5, 5), (2, 0, 2), (2, 5, 2), (8, 5, 5)):
        config.COMMTIMEOUT, config.CONNECT_TIMEOUT = calls, connecting

        assert (calls or None, limit) == (config.client_options().timeout, config.client_options().connect_timeout)


def test_records_follow_the_items(config):
    """Each item arrives in its field."""
    config.SERIALIZER, config.MAX_RETRIES, config.NS_HOST, config.NS_LOOKUP_DELAY = "json", 3, "names", 1.5
    config.MAX_MESSAGE_SIZE, config.COMPRESSION, config.SOCK_NODELAY = 1000, True, False
    config.SERIALIZERS_ACCEPTED, config.THREADPOOL_SIZE = {"json"}, 3
    client, daemon = config.client_options(), config.daemon_options()

    assert ("json", 3, False) == (client.serializer, client.max_retries, client.nodelay)
    assert ("names", 1.5) == (client.lookup.host, client.lookup.delay)
    assert (1000, True) == (client.wire.max_message_size, client.wire.compression)
    assert (frozenset({"json"}), 3, client.wire) == (daemon.serializers, daemon.workers, daemon.wire)


def test_records_of_clients_are_made_once(config):
    """Until an item changes."""
    first = config.client_options()
    assert first is config.client_options()
    assert config.copy().client_options() == first

    config.MAX_RETRIES = 5
    assert (0, 5) == (first.max_retries, config.client_options().max_retries)
    config.reset(environment={})
    assert 0 == config.client_options().max_retries


def test_a_serializer_that_somebody_asked_for_stays(config):
    """A door may prefer another one, but only where neither code nor environment set SERIALIZER."""
    assert config.client_options(serializer="auto").serializer == "auto"
    assert config.client_options().serializer == "serpent"

    config.SERIALIZER = "serpent"
    assert config.client_options(serializer="auto").serializer == "serpent"

    config.reset(environment={})
    assert config.client_options(serializer="auto").serializer == "auto"
    told = Configuration({"PYRO_SERIALIZER": "serpent"})
    assert told.told("SERIALIZER")
    assert told.client_options(serializer="auto").serializer == "serpent"


def test_records_are_snapshots(config):
    """A later change of the configuration reaches no record that was made before."""
    options = config.daemon_options()
    config.SERIALIZERS_ACCEPTED.clear()

    assert options.serializers


def test_highest_protocol_of_pickle():
    """It is written down rather than asked for, so that the configuration need not load pickle."""
    config = Configuration({})
    config.PICKLE_PROTOCOL_VERSION = pickle.HIGHEST_PROTOCOL

    with pytest.raises(ValueError, match="out of range"):
        config.PICKLE_PROTOCOL_VERSION = pickle.HIGHEST_PROTOCOL + 1


def test_a_number_that_is_none_is_explained():
    """In words for people."""
    for name, text in (("NS_PORT", "a whole number is needed"), ("COMMTIMEOUT", "a number is needed")):
        with pytest.raises(ValueError, match=f"PYRO_{name}='x': {text}"):
            Configuration({f"PYRO_{name}": "x"})


def test_sources_of_settings():
    """The stronger variable; none for what was changed in code since."""
    environment = {"PYRO_NS_PORT": "1", "PYRO_NS_HOST": "a", "PYRONB_NS_HOST": "b", "PYRO_COMPRESSION": "on"}
    settings = Configuration(environment)
    settings.COMPRESSION = False

    assert settings.sources(environment) == {"NS_PORT": "PYRO_NS_PORT", "NS_HOST": "PYRONB_NS_HOST"}
