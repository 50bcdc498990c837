"""Probing many places: who answers is found, and nothing else holds it up."""

from __future__ import annotations

import socket
import time

import pytest

from pyronb.net.probe import answering
from pyronb.uri import URI
from tests.support.programs import free_port
from tests.support.serving import LOCAL
from tests.support.waiting import scaled


@pytest.fixture
def listening():
    with socket.create_server((LOCAL, 0)) as listener:
        yield listener.getsockname()[1]


def test_who_answers_is_found(listening):
    """By number and by name, each place once; others are not."""
    places = {f"{host}:{listening}" for host in (LOCAL, "localhost")}
    others = {f"{LOCAL}:{free_port()}", "no.such.host.invalid:1", f"{'x' * 80}:1", "[::1%99]:1"}

    assert answering([URI(f"PYRO:a@{place}") for place in (places | others)], scaled(5)) == places


def test_a_unix_socket_answers(tmp_path):
    """One that is listened on; neither one that was left behind nor one that cannot be."""
    paths = [str(tmp_path / name) for name in ("there", "left", "absent", "x" * 200)]
    with socket.socket(socket.AF_UNIX) as there, socket.socket(socket.AF_UNIX) as left:
        there.bind(paths[0])
        there.listen(0)
        left.bind(paths[1])
        for _ in range(3):  # its queue is full at last
            assert answering([URI(f"PYRO:a@./u:{path}") for path in paths], scaled(5)) == {f"./u:{paths[0]}"}


def test_many_places_are_tried_at_the_same_time(listening):
    """More than there can be sockets at once."""
    ports = {free_port() for _ in range(200)} - {listening}
    places = [URI(f"PYRO:a@{LOCAL}:{port}") for port in (*ports, listening)]

    assert answering(places, scaled(5)) == {f"{LOCAL}:{listening}"}


def full():
    """Listen, and take in no more than fits into the queue: whoever connects then waits."""
    listener = socket.socket()
    listener.bind((LOCAL, 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
    return listener, waiting


def test_silence_has_a_limit(listening):
    """A place that does not even refuse is given up, and the others are found."""
    listener, waiting = full()
    try:
        silent = URI(f"PYRO:a@{LOCAL}:{listener.getsockname()[1]}")
        began = time.monotonic()
        found = answering([silent, URI(f"PYRO:a@{LOCAL}:{listening}")], 0.3)
        assert time.monotonic() - began < scaled(5)
    finally:
        for sock in (listener, *waiting):
            sock.close()

    assert found == {f"{LOCAL}:{listening}"}


def test_it_can_be_stopped():
    """Long before the time is over."""
    listener, waiting = full()
    asked = iter([False, False, True])
    try:
        began = time.monotonic()
        assert answering([URI(f"PYRO:a@{LOCAL}:{listener.getsockname()[1]}")], 1000, lambda: next(asked)) == set()
        assert time.monotonic() - began < scaled(5)
    finally:
        for sock in (listener, *waiting):
            sock.close()
