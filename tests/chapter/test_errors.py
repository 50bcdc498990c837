"""ERR: error handling."""

from __future__ import annotations

import pytest

import pyronb
from pyronb.util import excepthook


class Faulty:
    """Fails deep inside."""

    @pyronb.expose
    def fail(self):
        wanted = "a treasure"
        return self.dig(wanted)

    def dig(self, wanted):
        raise LookupError(f"no {wanted}")


def test_s84_try_and_except(serve):
    """Remote errors are handled like others, and the remote traceback tells where they come from."""
    with pyronb.Proxy(serve(faulty=Faulty()).uriFor("faulty")) as faulty:
        try:
            faulty.fail()
        except LookupError:
            text = "".join(pyronb.getPyroTraceback())
        else:
            text = ""

    assert "no a treasure" in text
    assert "in dig" in text
    assert "remote traceback" in text


def test_s84_detailed_tracebacks(serve):
    """With DETAILED_TRACEBACK it shows the variables too."""
    pyronb.config.DETAILED_TRACEBACK = True
    with pyronb.Proxy(serve(faulty=Faulty()).uriFor("faulty")) as faulty, pytest.raises(LookupError) as caught:
        faulty.fail()

    assert "'a treasure'" in "".join(pyronb.getPyroTraceback(caught.value))


def test_s84_excepthook(serve, capsys):
    """The hook prints both parts for errors that nobody catches."""
    with pyronb.Proxy(serve(faulty=Faulty()).uriFor("faulty")) as faulty, pytest.raises(LookupError) as caught:
        faulty.fail()
    excepthook(caught.type, caught.value, caught.tb)
    printed = capsys.readouterr().err

    assert "test_s84_excepthook" in printed
    assert "in dig" in printed
