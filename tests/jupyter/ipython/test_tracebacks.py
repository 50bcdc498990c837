"""Remote tracebacks in cells: below the local one, without plumbing, without what a terminal would obey."""

from __future__ import annotations

import traceback

import pytest
from IPython import version_info

from pyronb.errors import PyroError
from pyronb.jupyter.ipython.extension import unload_ipython_extension
from pyronb.jupyter.ipython.tracebacks import remote_lines, stripped

HEAD = "was raised over there; the remote traceback:"


def remote(error, *lines):
    error._pyroTraceback = [line + "\n" for line in lines]
    return error


def test_the_remote_traceback_is_below_the_local_one(counter, cell):
    """A builtin exception too; the user sees the own line and the line over there."""
    shown = cell("c.fail('no')").stdout

    assert shown.index("----> 1 c.fail('no')") < shown.index("ValueError: no") < shown.index(HEAD)
    assert "raise ValueError(text)" in shown.partition(HEAD)[2]


def test_plumbing_is_hidden_and_kept(counter, cell):
    """pyronb's own frames are not shown; the exception still has them."""
    done = cell("def user():\n    return c.fail('no')\nuser()")

    assert "methods.py" not in done.stdout
    assert "----> 2     return c.fail('no')" in done.stdout
    assert "----> 3 user()" in done.stdout
    assert "methods.py" in "".join(traceback.format_exception(done.error))


def test_a_cause_over_there_is_shown_once(shell, cell):
    """Its traceback is part of that of the error that was raised from it; one that came another way is shown, too."""
    cause, other = remote(KeyError("a"), "from a"), remote(OSError("c"), "from c")
    cause.__cause__ = other
    error = remote(ValueError("b"), "from a", "from b")
    error.__cause__ = cause
    shell.user_ns["error"] = error
    shown = cell("raise error").stdout

    assert 1 == shown.count("from a")
    assert 1 == shown.count("from b")
    assert 1 == shown.count("from c")
    assert 2 == shown.count(HEAD)


def test_futures_are_plumbing_too(counter, cell):
    """Reading a future shows neither Python's own futures nor pyronb's, but the line that read it."""
    cell("import pyronb")
    shown = cell("pyronb.asyncproxy(c).fail('no').value").stdout

    assert "futures" not in shown
    assert "----> 1 pyronb.asyncproxy(c).fail('no').value" in shown
    assert HEAD in shown


@pytest.mark.parametrize("mode", ["Context", "Plain", "Verbose", "Docs"])
def test_in_each_mode(shell, counter, cell, mode):
    if mode not in shell.InteractiveTB.valid_modes:
        pytest.skip(f"IPython {version_info[0]} has no mode {mode}")
    shell.InteractiveTB.set_mode(mode=mode)
    shown = cell("c.fail('no')").stdout

    assert HEAD in shown
    assert "sync/methods.py" not in shown


def test_the_minimal_mode_stays_minimal(shell, counter, cell):
    shell.InteractiveTB.set_mode(mode="Minimal")

    assert cell("c.fail('no')").stdout.strip() == "ValueError: no"


def test_the_traceback_magic_shows_it_again(counter, cell):
    cell("c.fail('no')")

    assert HEAD in cell("%tb").stdout


def test_a_remote_syntax_error(counter, cell):
    """IPython shows these by another way."""
    shown = cell("c.syntax()").stdout

    assert "SyntaxError" in shown
    assert "compile(" in shown.partition(HEAD)[2]


def test_a_chain_shows_all_of_it(counter, cell):
    shown = cell("try:\n    c.fail('first')\nexcept ValueError as e:\n    raise KeyError('second') from e").stdout

    assert shown.index("ValueError: first") < shown.index("KeyError: 'second'") < shown.index(HEAD)
    assert shown.count(HEAD) == 1


def test_an_exception_of_the_users_own_class(shell, cell):
    """Whatever has a remote traceback."""
    shell.user_ns["boom"] = remote(PyroError("x"), "Traceback:", "  far away")

    assert "    Traceback:\n      far away" in cell("raise boom").stdout


def test_local_errors_are_as_ever(shell, cell):
    shown = cell("1 / 0").stdout

    assert HEAD not in shown
    assert "ZeroDivisionError" in shown


def test_control_characters_are_stripped(counter, cell):
    """Neither the message nor the traceback can move the cursor or change the colours."""
    shown = cell("text = chr(27) + '[31mred' + chr(7) + chr(27) + ']0;title' + chr(7) + '!'\nc.fail(text)").stdout

    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "ValueError: red\\x07!" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\rb", "a\\x0db"),
        ("\x9b2Jx", "x"),
        ("tab\tis fine", "tab\tis fine"),
        ("é", "é"),
    ],
)
def test_stripped(text, shown):
    assert shown == stripped(text)


def test_nonsense_in_place_of_a_traceback():
    assert remote_lines(ValueError()) == []
    for nonsense in (3, "text", [1, None], {"a": 1}):
        error = ValueError()
        error._pyroTraceback = nonsense
        assert remote_lines(error) == []


def test_removed_by_unloading(shell, counter, cell):
    unload_ipython_extension(shell)

    assert HEAD not in cell("c.fail('no')").stdout


def test_an_error_of_our_own_is_its_message(counter, scene, cell):
    """A dead server takes the own line and one sentence, not the way to it; the exception keeps it all."""
    scene.daemon.close()
    done = cell("c.add(1)")

    assert "----> 1 c.add(1)" in done.stdout
    assert "ConnectionClosedError: " in done.stdout
    assert "calling.py" not in done.stdout
    assert "direct cause" not in done.stdout
    assert "direct cause" in "".join(traceback.format_exception(done.error))


def test_a_mistyped_member_is_one_line(counter, cell):
    """With what may have been meant."""
    shown = cell("c.ad(1)").stdout

    assert "did you mean 'add'?" in shown
    assert "proxy.py" not in shown


def test_a_users_own_cause_is_shown(shell, counter, cell):
    """Only the steps of our own errors are left out."""
    done = cell("try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise RuntimeError('mine') from error")

    assert "ZeroDivisionError" in done.stdout
