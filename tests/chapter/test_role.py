"""ROLE: what the chapter says first."""

from __future__ import annotations

import pyronb


@pyronb.expose
class Counter:
    """Counts for others, and asks others to count."""

    def __init__(self, start):
        self.number = start

    def count(self):
        self.number += 1
        return self.number

    def count_there(self, uri):
        with pyronb.Proxy(uri) as other:
            return other.count()


def test_s1_client_and_server_in_one_program(serve):
    """Two programs call each other: each is server and client at once."""
    one, other = serve(counter=Counter(0)), serve(counter=Counter(100))
    with pyronb.Proxy(one.uriFor("counter")) as proxy:
        assert 101 == proxy.count_there(other.uriFor("counter"))
    with pyronb.Proxy(other.uriFor("counter")) as proxy:
        assert 1 == proxy.count_there(one.uriFor("counter"))
