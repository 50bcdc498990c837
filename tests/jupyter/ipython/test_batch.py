"""`%%pyro_batch`: recording, sending, showing; and mistakes."""

from __future__ import annotations

import threading

import pytest
from IPython.core.error import UsageError

from pyronb.futures import FutureResult
from pyronb.jupyter.ipython.batch import Batches, BatchRecorder, BatchResults, NotRunError, Placeholder
from pyronb.jupyter.ipython.reprs import MAX_ROWS
from pyronb.server.exposure import expose
from pyronb.sync.batch import BatchProxy
from pyronb.sync.proxy import Proxy
from tests.jupyter.ipython.scene import HOST, HOSTILE, Counter
from tests.jupyter.ipython.test_connect import usage
from tests.support.programs import free_port
from tests.support.waiting import eventually, scaled


@pytest.fixture
def sent(monkeypatch):
    """The sizes of the batches that were sent."""
    sizes = []
    original = BatchProxy.__call__

    def counted(self, *args, **kwargs):
        sizes.append(len(self))
        return original(self, *args, **kwargs)

    monkeypatch.setattr(BatchProxy, "__call__", counted)
    return sizes


def test_ordinary_python_becomes_one_batch(counter, cell, sent):
    """Loops, comprehensions, helper variables and functions work."""
    done = cell(
        "%%pyro_batch c\n"
        "base = 10\n"
        "def twice(n):\n    c.add(n); c.add(n)\n"
        "for i in range(2):\n    c.add(base + i)\n"
        "[c.echo(str(i)) for i in range(2)]\n"
        "twice(1)\n"
    )

    assert done.error is None
    assert isinstance(done.result, BatchResults)
    assert list(done.result) == [10, 21, "0", "1", 22, 23]
    assert sent == [6]


def test_the_proxy_is_back_afterwards(shell, counter, cell):
    cell("%%pyro_batch c\nc.add(1)\nbase = 3")

    assert shell.user_ns["c"] is counter
    assert shell.user_ns["base"] == 3


def test_results_are_shown_as_a_table(counter, cell):
    done = cell("%%pyro_batch c\nc.add(1)\nc.echo('<b>')")

    assert repr(done.result) == "batch: 2 calls\n  0  c.add(1)       1\n  1  c.echo('<b>')  '<b>'"
    html = done.result._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_an_error_stands_at_its_place(counter, cell):
    """The calls before it have results, those after it were not run."""
    results = cell("%%pyro_batch c\nc.add(1)\nc.fail('no')\nc.add(1)\nc.add(1)").result

    assert [row.state for row in results.rows()] == ["ok", "error", "not run", "not run"]
    assert "ValueError: no" in repr(results)
    assert "not run" in results._repr_html_()
    assert results[0] == 1
    with pytest.raises(ValueError, match="no"):
        results[1]
    with pytest.raises(NotRunError):
        results[2]
    assert results.done == [1]
    assert results.error._pyroTraceback


def test_results_are_used_like_a_list(counter, cell):
    results = cell("%%pyro_batch c\nfor i in range(4): c.echo(i)").result

    assert results == [0, 1, 2, 3]
    assert len(results) == 4
    assert results[-1] == 3
    assert results[1:3] == [1, 2]
    assert 2 in results
    assert results.index(3) == 3
    first, *rest = results
    assert (first, rest) == (0, [1, 2, 3])
    with pytest.raises(IndexError):
        results[4]


def test_many_rows_show_both_ends():
    results = BatchResults([f"c.add({i})" for i in range(1000)], range(1000))

    assert repr(results).count("\n") == MAX_ROWS + 1
    assert "… 980 more" in repr(results)
    assert "c.add(0)" in repr(results)
    assert "c.add(999)" in repr(results)
    assert results._repr_html_().count("<tr>") == MAX_ROWS + 2


def test_an_error_in_the_middle_of_many_is_shown():
    results = BatchResults([f"c.add({i})" for i in range(1000)], range(500), ValueError("here"))

    for text in (repr(results), results._repr_html_()):
        assert "ValueError: here" in text
        assert "… 490 more" in text
        assert "… 489 more" in text


def test_long_values_are_shortened():
    results = BatchResults(["c.big()"], ["x" * 10**6])

    assert len(repr(results)) < 400
    assert len(results._repr_html_()) < 8000


def test_a_broken_repr_does_not_break_the_table():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no repr")

    assert "Broken" in repr(BatchResults(["c.x()"], [Broken()]))


def test_hostile_text_is_escaped():
    html = BatchResults([f"c.x({HOSTILE!r})"], [HOSTILE], ValueError(HOSTILE))._repr_html_()

    assert "<script" not in html
    assert "<script" not in BatchResults([HOSTILE], [], ValueError(HOSTILE))._repr_html_()


def test_out_binds_and_shows_nothing(shell, counter, cell):
    done = cell("%%pyro_batch c -o 'results'\nc.add(1)\nc.add(1)")

    assert done.result is None
    assert done.stdout == ""
    assert shell.user_ns["results"] == [1, 2]


def test_out_is_not_silent_about_an_error(shell, counter, cell):
    done = cell("%%pyro_batch c -o results\nc.add(1)\nc.fail('no')\nc.add(1)")

    assert "c.fail('no') failed (ValueError: no); not run after it: 1. See results." in done.stdout
    assert isinstance(shell.user_ns["results"].error, ValueError)


def test_an_error_in_the_body_sends_nothing(shell, scene, counter, cell, sent):
    """The usual traceback is shown, with the line of the cell and without pyronb's frames."""
    done = cell("%%pyro_batch c\nc.add(1)\n1 / 0")

    assert isinstance(done.error, ZeroDivisionError)
    assert "----> 3 1 / 0" in done.stdout
    assert "magics.py" not in done.stdout
    assert "interactiveshell.py" not in done.stdout
    assert sent == []
    assert scene.counter.total == 0
    assert shell.user_ns["c"] is counter


def test_a_syntax_error_in_the_body(shell, counter, cell, sent):
    done = cell("%%pyro_batch c\nc.add(1\n")

    assert isinstance(done.error, SyntaxError)
    assert sent == []
    assert shell.user_ns["c"] is counter


def test_an_interrupt_in_the_body(shell, counter, cell, sent):
    done = cell("%%pyro_batch c\nc.add(1)\nraise KeyboardInterrupt")

    assert isinstance(done.error, KeyboardInterrupt)
    assert sent == []
    assert shell.user_ns["c"] is counter


def test_rebinding_the_variable_in_the_body(shell, counter, cell):
    assert cell("%%pyro_batch c\nc.add(1)\nc = 3").result == [1]
    assert shell.user_ns["c"] is counter
    assert cell("%%pyro_batch c\nc.add(1)\ndel c").result == [2]
    assert shell.user_ns["c"] is counter


@pytest.mark.parametrize("background", ["", "--async"])
def test_an_empty_batch_says_so(counter, cell, sent, background):
    done = cell(f"%%pyro_batch c {background}\npass")

    assert "The batch is empty" in done.stdout
    assert done.result is None
    assert sent == []


def test_an_empty_batch_binds_an_empty_list(shell, counter, cell):
    cell("%%pyro_batch c -o none\npass")

    assert shell.user_ns["none"] == []


def test_oneway_tells_how_many(scene, counter, cell):
    done = cell("%%pyro_batch c --oneway\nc.note('a')\nc.add(1)")

    assert done.stdout == "2 calls sent, no results.\n"
    assert done.result is None
    eventually(lambda: scene.counter.total == 1)


def test_async_gives_a_future(counter, cell):
    future = cell("%%pyro_batch c --async\nc.add(1)\nc.fail('no')").result

    assert isinstance(future, FutureResult)
    assert future.wait(scaled(5))
    assert isinstance(future.value, BatchResults)
    assert future.value[0] == 1
    assert isinstance(future.value.error, ValueError)


def test_async_with_out_binds_the_future(shell, counter, cell):
    done = cell("%%pyro_batch c --async -o later\nc.add(1)")

    assert (done.result, done.stdout) == (None, "")
    assert shell.user_ns["later"].value == [1]


def test_attributes_cannot_be_batched(scene, counter, cell, sent):
    done = cell("%%pyro_batch c\nc.add(1)\nprint(c.value)")

    assert isinstance(done.error, AttributeError)
    assert "c.value is an attribute, and a batch holds only calls" in str(done.error)
    assert (sent, scene.counter.reads) == ([], 0)
    assert isinstance(cell("%%pyro_batch c\nc.speed = 3").error, AttributeError)
    assert isinstance(cell("%%pyro_batch c\nc.nothing()").error, AttributeError)
    assert isinstance(cell("%%pyro_batch c\nc._pyroRelease()").error, AttributeError)


def test_arguments_are_taken_as_they_are_now(counter, cell):
    """What the cell changes later does not change what was called."""
    done = cell("%%pyro_batch c\nrows = []\nfor i in range(3):\n    rows.append(i)\n    c.echo({'rows': rows})")

    assert [r["rows"] for r in done.result] == [[0], [0, 1], [0, 1, 2]]


@pytest.mark.parametrize(
    "use",
    [
        "x + 1", "1 + x", "x == 1", "if x: pass", "x[0]", "x.name", "list(x)", "len(x)", "x()", "c.add(x)",
        "c.echo([x])", "c.echo({'a': x})", "int(x)", "-x", "x < 3", "'a' in x", "for i in x: pass", "round(x)",
    ],
)  # fmt: skip
def test_a_result_that_is_not_there(counter, cell, sent, use):
    """Whatever needs it says clearly why there is none."""
    done = cell(f"%%pyro_batch c\nx = c.add(1)\n{use}")

    assert isinstance(done.error, RuntimeError)
    assert "the result of c.add(1) is not there yet" in str(done.error)
    assert sent == []


def test_a_placeholder_can_be_looked_at():
    placeholder = Placeholder("c.add(1)")

    assert "not there yet" in repr(placeholder)
    assert "not there yet" in f"{placeholder}"
    assert {placeholder}
    assert not hasattr(placeholder, "_repr_html_")


def test_the_recorder_is_of_no_use_afterwards(shell, counter, cell):
    cell("%%pyro_batch c\nkept = c\nc.add(1)")
    kept = shell.user_ns["kept"]

    assert isinstance(kept, BatchRecorder)
    assert "1 so far" in repr(kept)
    assert "add" in dir(kept)
    with pytest.raises(RuntimeError, match="comes too late"):
        kept.add(1)


def test_the_failed_connection_is_an_error_of_the_cell(scene, counter, cell):
    """Nobody answers: the usual exception, and the proxy is back."""
    scene.daemon.shutdown()
    scene.daemon.close()
    done = cell("%%pyro_batch c\nc.add(1)")

    assert isinstance(done.error, ConnectionError)


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("", "required: VAR; for example: %%pyro_batch cam"),
        ("nothing", "there is no variable nothing; these are proxies: c"),
        ("number", "number is no proxy but holds something else (int); these are proxies: c"),
        ("c -o 2x", "-o 2x: that cannot be the name of a variable"),
        ("c -o list", "would hide Python's own list"),
        ("c -o c", "that variable holds the proxy"),
        ("c -o", "expected one argument"),
        ("c --oneway -o x", "--oneway brings no results"),
        ("c --oneway --async", "--oneway brings no results"),
        ("c d", "there is no variable d; these are proxies: c"),
        ("c --timeout soon", "--timeout takes a number of seconds such as 2.5 (0 waits for ever)"),
        ("c --progress-after -1", "--progress-after takes a number of seconds such as 2.5 (0 shows it at once)"),
    ],
)
def test_mistakes_on_the_line(shell, counter, cell, sent, line, part):
    shell.user_ns["number"] = 3

    assert part in usage(cell(f"%%pyro_batch {line}\nc.add(1)"))
    assert sent == []


def test_without_any_proxy(cell):
    assert "get one with: %pyro_connect NAME as VAR" in usage(cell("%%pyro_batch c\nc.add(1)"))
    assert UsageError


# Several proxies


@pytest.fixture
def other(shell, scene, counter, cell):
    """A second object, in the variable `d`."""
    scene.offer("lab.other", Counter())
    assert cell(f"%pyro_connect lab.other as d --ns {scene.nameserver}").error is None
    proxy = shell.user_ns["d"]
    yield proxy
    proxy._pyroRelease()


BOTH = "c.add(1)\nd.add(10)\nc.add(2)\n"


def test_several_proxies_make_one_batch_each(counter, other, cell, sent):
    """The results are found by the variables, and the proxies are back."""
    done = cell(f"%%pyro_batch c d\n{BOTH}")

    assert done.error is None
    assert isinstance(done.result, Batches)
    assert {"c": [1, 3], "d": [10]} == dict(done.result)
    assert sent == [2, 1]
    assert repr(done.result).startswith("batch of c: 2 calls\n  0  c.add(1)  1")
    assert "Batch of d" in done.result._repr_html_()
    assert cell("c.add(0), d.add(0)").result == (3, 10)


def test_an_error_in_one_batch_spoils_no_other(counter, other, cell):
    done = cell("%%pyro_batch c d\nc.fail('no')\nc.add(1)\nd.add(10)")

    assert isinstance(done.result["c"].error, ValueError)
    assert done.result["d"] == [10]
    assert "ValueError: no" in repr(done.result)


def test_a_batch_that_does_not_come_through_spoils_no_other(shell, counter, other, cell):
    """Its first call has the error, the others were not run."""
    shell.user_ns["e"] = Proxy(f"PYRO:gone@{HOST}:{free_port()}")
    done = cell("%%pyro_batch e d\ne.add(1)\ne.add(1)\nd.add(10)")

    assert [row.state for row in done.result["e"].rows()] == ["error", "not run"]
    assert "ConnectionClosedError" in repr(done.result["e"])
    assert done.result["d"] == [10]


def test_a_proxy_without_calls_sends_nothing(counter, other, cell, sent):
    assert {"c": [1], "d": []} == dict(cell("%%pyro_batch c d\nc.add(1)").result)
    assert sent == [1]
    assert "made no calls on c, d, and nothing was sent" in cell("%%pyro_batch c d\npass").stdout


def test_several_in_the_background(shell, counter, other, cell):
    """Each has its future."""
    done = cell(f"%%pyro_batch c d --async -o jobs\n{BOTH}")

    assert done.error is None
    assert {"c": [1, 3], "d": [10]} == {name: job.result(scaled(10)) for name, job in shell.user_ns["jobs"].items()}


def test_several_without_results(scene, counter, other, cell):
    assert cell(f"%%pyro_batch c d --oneway\n{BOTH}").stdout == "3 calls sent, no results.\n"
    eventually(lambda: scene.counter.total == 3 and other.add(0) == 10)


def test_several_failures_are_told(shell, counter, other, cell):
    """As with one, results in a variable are silent but for errors."""
    done = cell("%%pyro_batch c d -o out\nc.fail('no')\nd.fail('nor')")

    assert done.stdout.count("failed (ValueError: no") == 2
    assert list(shell.user_ns["out"]) == ["c", "d"]


# Time


@expose
class Slow:
    """Answers when the test lets it."""

    def __init__(self):
        self.let = threading.Event()

    def wait(self):
        return self.let.wait(scaled(10))

    def ready(self):
        return True


@pytest.fixture
def slow(shell, scene, cell):
    """An object that takes its time, in the variable `s`."""
    slow = Slow()
    scene.offer("lab.slow", slow)
    assert cell(f"%pyro_connect lab.slow as s --ns {scene.nameserver}").error is None
    yield slow
    slow.let.set()
    shell.user_ns["s"]._pyroRelease()


def test_a_limit_for_the_batch(shell, slow, cell):
    """For this batch only; the proxy works on."""
    done = cell("%%pyro_batch s --timeout 0.2\ns.wait()")

    assert isinstance(done.error, TimeoutError)
    assert shell.user_ns["s"]._pyroTimeout is None
    slow.let.set()
    assert cell("s.ready()").result is True


def test_a_limit_in_the_background(slow, cell):
    done = cell("%%pyro_batch s --timeout 0.2 --async\ns.wait()")

    assert isinstance(done.result.exception(scaled(10)), TimeoutError)


def test_a_wait_is_shown(slow, cell):
    """It counts, and says in the end how long it was; a quick batch shows nothing."""
    assert "so far" not in cell("%%pyro_batch s\ns.ready()").text
    threading.Timer(scaled(0.8), slow.let.set).start()
    done = cell("%%pyro_batch s --progress-after 0.1\ns.wait()\ns.ready()")

    assert done.result == [True, True]
    shown = [output.data["text/plain"] for output in done.outputs if "2 calls of s" in output.data["text/plain"]]
    assert "s so far" in shown[0]
    assert shown[-1].startswith("2 calls of s: done after ")
    assert "<progress" in done.html


def test_a_wait_that_fails_says_so(slow, cell):
    done = cell("%%pyro_batch s --progress-after 0 --timeout 0.3\ns.wait()")

    assert "1 call of s: ended by TimeoutError after " in done.text
