"""Remote tracebacks: written there, read here."""

from __future__ import annotations

import sys

import pytest

from pyronb.tracebacks import excepthook, format_traceback, getPyroTraceback, remote_traceback


class Broken:
    """Shows nothing."""

    def __repr__(self):
        raise RuntimeError("no repr")


def failing(kind=ValueError, remote=None):
    """Raise and catch an exception, with a remote traceback on it."""
    secret, broken, long = "variable", Broken(), "x" * 1000
    try:
        raise kind("boom")
    except Exception as error:
        if remote is not None:
            error._pyroTraceback = remote
        del secret, broken, long
        return error


def failing_with_variables():
    """Raise and catch an exception in a frame with variables."""
    secret, broken, long = "variable", Broken(), "x" * 1000
    try:
        raise ValueError(f"boom {len(secret)} {len(long)} {type(broken).__name__}")
    except ValueError as error:
        return error


@pytest.mark.parametrize("lines", [["a\n", "b\n"], ("a\n", "b\n"), ["a\n", 5, None, "b\n"]])
def test_reading(lines):
    """A list of lines is read; what is no line is left out."""
    assert ["a\n", "b\n"] == remote_traceback(failing(remote=lines))


@pytest.mark.parametrize("lines", [None, "text", 5, {"a": 1}, []])
def test_reading_nothing(lines):
    """Anything else is no remote traceback."""
    error = failing()
    error._pyroTraceback = lines

    assert [] == remote_traceback(error)
    assert [] == remote_traceback(ValueError())


def test_reading_too_much():
    """A peer cannot fill the screen for ever."""
    assert 2000 == len(remote_traceback(failing(remote=["x\n"] * 100_000)))


def test_writing():
    """Each line ends in a newline, and the last one tells the exception."""
    lines = format_traceback(failing())

    assert all(line.endswith("\n") and line.count("\n") == 1 for line in lines)
    assert "Traceback (most recent call last):\n" == lines[0]
    assert "ValueError: boom\n" == lines[-1]


def test_remote_part_comes_last():
    """The traceback of an exception that itself came from elsewhere is kept, set off from ours."""
    lines = format_traceback(failing(remote=["over there\n"]))

    assert lines[-3].startswith(" +--- This exception occurred remotely")
    assert " | over there\n" == lines[-2]
    assert lines[-1].startswith(" +---")


def test_detailed():
    """The variables of each frame are shown, in one line each, also those that cannot be shown."""
    text = "".join(format_traceback(failing_with_variables(), detailed=True))

    assert "in failing_with_variables\n" in text
    assert "secret = 'variable'\n" in text
    assert "broken = <Broken; its repr raised RuntimeError>\n" in text
    assert "x…\n" in text
    assert "x" * 200 not in text
    assert text.endswith("ValueError: boom 8 1000 Broken\n")


def test_of_what_is_being_handled():
    """Without arguments the exception of the moment is taken."""
    found = []
    try:
        raise KeyError("here")
    except KeyError as error:
        given = [(), (error,), sys.exc_info(), (KeyError, error)]
        found = [getPyroTraceback(*arguments) for arguments in given]
        expected = format_traceback(error)

    assert [expected] * 4 == found


def test_of_nothing():
    """There must be an exception."""
    with pytest.raises(ValueError, match="no exception was given"):
        getPyroTraceback()


def test_excepthook(capsys, monkeypatch):
    """Assigned to sys.excepthook, it prints the remote part too."""
    error = failing(remote=["over there\n"])
    excepthook(type(error), error, error.__traceback__)

    assert "".join(format_traceback(error)) == capsys.readouterr().err
