"""What calls print: how much of it is kept, and what becomes of the standard streams meanwhile."""

from __future__ import annotations

import contextlib
import io
import logging
import subprocess
import sys

import pytest

from pyronb.context import CallContext, enter, leave
from pyronb.news import Output
from pyronb.rpc.side import LONGEST_OUTPUT
from pyronb.server.output import CAPTURE, Printed


def texts(printed, **how):
    return "".join(piece.text for piece in printed.pieces(**how))


def test_pieces_are_few():
    """What belongs together is told together, and no piece is too long."""
    printed = Printed()
    assert not printed

    for text in ("a", "b\n", "c"):
        printed.add(text, "stdout", 1.0)
    printed.add("d", "stderr", 1.0)
    printed.add("e", "stdout", 1.0)
    printed.add("x" * (2 * LONGEST_OUTPUT + 1), "stdout", 1.0)

    pieces = printed.pieces()
    assert [Output("ab\nc"), Output("d", "stderr"), Output("e")] == pieces[:3]
    assert [LONGEST_OUTPUT, LONGEST_OUTPUT, 1] == [len(piece.text) for piece in pieces[3:]]
    assert printed
    printed.clear()
    assert not printed


def test_what_is_too_much_is_counted():
    """For a caller that does not read, in a second, and in all; a note tells how much it was, where it was."""
    printed = Printed()
    for _ in range(100):
        printed.add("x" * 1000, "stdout", 1.0)
    assert texts(printed).startswith("x" * 1000)
    kept = len(texts(printed))
    assert kept == 64 * 1024

    printed.clear()
    printed.add("after", "stdout", 1.1)

    assert f"\n[{100_000 - kept} characters were left out here]\nafter" == texts(printed)


def test_so_much_in_a_second():
    """And the next second so much again."""
    printed, told = Printed(), []
    for moment in (1.0, 2.5):
        for _ in range(1000):
            printed.add("x" * 1000, "stdout", moment)
            told.append(texts(printed))
            printed.clear()

    assert 2 * 256 * 1024 == "".join(told).count("x")
    assert "left out" in "".join(told)
    assert "left out" in texts(printed, last=True)


def test_so_much_in_all():
    """However long it takes."""
    printed, count = Printed(), 0
    for second in range(100):
        printed.add("x" * 60_000, "stdout", float(second))
        printed.add("x" * 60_000, "stdout", second + 0.5)
        count += texts(printed).count("x")
        printed.clear()
        printed.add("x" * 60_000, "stdout", second + 0.5)
        count += texts(printed).count("x")
        printed.clear()

    assert 8 * 1024 * 1024 == count


class Side:
    """Stands for what goes beside a call."""

    def __init__(self):
        self.told = []
        self.quiet = False

    def write(self, text, stream):
        if not self.quiet:
            self.told.append((text, stream))

    @contextlib.contextmanager
    def silent(self):
        self.quiet = True
        yield
        self.quiet = False


@pytest.fixture
def side():
    """Be in a call whose caller wants to know what it prints."""
    made = Side()
    token = enter(CallContext(side=made))
    yield made
    leave(token)


@pytest.fixture
def streams():
    """Give standard streams of the test's own, which `own` puts in place: pytest replaces those of fixtures."""
    return io.StringIO(), io.StringIO()


@contextlib.contextmanager
def own(streams):
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        yield


@contextlib.contextmanager
def capturing():
    CAPTURE.begin()
    try:
        yield
    finally:
        CAPTURE.end()


def test_what_a_call_prints_is_told(side, streams):
    """And still printed here; streams are as they were afterwards."""
    with own(streams):
        with capturing():
            print("out")
            print("err", file=sys.stderr)
            sys.stdout.writelines(["one\n", "two\n"])
            assert sys.stdout.getvalue() == "out\none\ntwo\n"  # it is like the other one in all else
        print("not told")

        assert [("out", "stdout"), ("\n", "stdout"), ("err", "stderr"), ("\n", "stderr")] == side.told[:4]
        assert [("one\n", "stdout"), ("two\n", "stdout")] == side.told[4:]
        assert streams == (sys.stdout, sys.stderr)
        assert "out\none\ntwo\nnot told\n" == streams[0].getvalue()


def test_only_what_a_call_prints(streams):
    """What others print is nobody else's business."""
    with own(streams):
        with capturing():
            print("mine alone")
            logging.getLogger("anybody").error("mine alone")

        assert "mine alone\n" == streams[0].getvalue()


def test_streams_are_replaced_once(side, streams):
    """However many calls want that, and until the last of them has ended."""
    with own(streams):
        with capturing(), capturing():
            print("once")
            CAPTURE.begin()
            CAPTURE.end()
            print("still")

        assert ["once", "\n", "still", "\n"] == [text for text, _ in side.told]
        assert streams[0] is sys.stdout


def test_somebody_else_has_replaced_a_stream(side, streams):
    """It is left to them, and what they put back afterwards is no harm."""
    with own(streams):
        elsewhere = io.StringIO()
        redirected = contextlib.redirect_stdout(elsewhere)
        with capturing():
            redirected.__enter__()
            print("elsewhere")
        assert sys.stdout is elsewhere
        redirected.__exit__(None, None, None)  # puts back what had been there for a while

        print("after")
        with capturing():
            print("again")

        assert [("again", "stdout"), ("\n", "stdout")] == side.told[-2:]
        assert ["elsewhere\n", "after\nagain\n"] == [elsewhere.getvalue(), streams[0].getvalue()]


def test_other_threads_may_print_meanwhile():
    """`print` holds no reference to the stream that it writes to, and crashes where that one goes meanwhile."""
    ran = subprocess.run(
        [sys.executable, "-c", BUSY_PRINTERS],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=60,
    )

    assert (0, b"") == (ran.returncode, ran.stderr)


BUSY_PRINTERS = """
import sys, threading
from pyronb.server.output import CAPTURE

def work():
    while not over.is_set():
        print("one", "two", 3)

over = threading.Event()
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(50_000):
    CAPTURE.begin()
    CAPTURE.end()
over.set()
for thread in threads:
    thread.join()
"""


def test_there_may_be_no_streams(side, monkeypatch):
    """As in a program without a console."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with capturing():
        print("nowhere")

    assert sys.stdout is None


@contextlib.contextmanager
def no_handlers():
    """Take the handlers of the test runner from the root logger."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    yield
    root.handlers = before


def test_what_a_call_logs_is_told(side, streams):
    """Once; and where nobody else hears of it, it is printed here as ever."""
    with own(streams), no_handlers():
        with capturing():
            logging.getLogger("camera").warning("too %s", "dark")
            logging.getLogger("pyronb.server").warning("of the daemon")

        assert [("WARNING camera: too dark\n", "log")] == side.told
        assert "too dark\n" == streams[1].getvalue()


def test_loggers_with_handlers_are_left_alone(side, streams):
    """What they do is not done twice."""
    with own(streams), no_handlers():
        logger, heard = logging.getLogger("camera.lens"), io.StringIO()
        handler = logging.StreamHandler(heard)
        logger.addHandler(handler)
        try:
            with capturing():
                logger.warning("dirty")
        finally:
            logger.removeHandler(handler)

        assert "dirty\n" == heard.getvalue()
        assert "" == streams[1].getvalue()
        assert [("WARNING camera.lens: dirty\n", "log")] == side.told
