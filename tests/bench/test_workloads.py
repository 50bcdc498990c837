"""Each workload runs, and its answers are right; how fast it is asserts nothing."""

from __future__ import annotations

import pytest

from tests.bench.peers import PEERS, missing
from tests.bench.places import cpus_for, processors
from tests.bench.session import TINY, Session
from tests.bench.workloads import TABLE, Contender, check

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def session():
    """The processes of one run."""
    with Session(TINY) as made:
        yield made


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workload", TABLE, ids=lambda workload: workload.name)
def test_workload_runs(session, workload):
    """All contenders do it once, and every metric is told."""
    if not workload.there:
        pytest.skip(f"{workload.needs} is not there yet")
    results = [result for group in session.run(workload) for result in group]

    assert [] == [(result.contender.label, result.error) for result in results if result.error]
    assert {metric.name for metric in workload.metrics} == set(results[0].rounds)
    assert all(value is not None for result in results for rounds in result.rounds.values() for value in rounds)


def test_labels_are_unique():
    """A kept run is read by them."""
    for workload in TABLE:
        labels = [each.label for each in workload.contenders]

        assert len(labels) == len(set(labels)), workload.name


def test_failures_are_kept(session, monkeypatch):
    """One that cannot take part does not end the run."""
    workload = TABLE[0]
    monkeypatch.setattr(session, "contenders", lambda _workload: [Contender("raw"), Contender("pyronb", "nonsense")])

    results = next(session.run(workload))

    assert results[0].error == ""
    assert "nonsense" in results[1].error


def test_those_who_are_missing_are_left_out(session):
    """They are named, and nothing is asked of them."""
    session.absent = {*missing(), "rpyc"}

    assert "rpyc" not in {each.client for each in session.contenders(TABLE[0])}
    assert {"raw", "pyronb", "Pyro5", "Pyro4"} <= set(PEERS) - set(missing())


def test_wrong_answers_are_found():
    """A list for a tuple is right, anything else is not."""
    check((1, ("a",)), [1, ["a"]])
    with pytest.raises(AssertionError, match="wrong answer"):
        check((1, "a"), [1, "b"])


def test_places():
    """Server and client share a processor, or have one each; never where there is none."""
    if not processors():
        assert (cpus_for("same"), cpus_for("split")) == (None, None)
        return
    assert len(set(cpus_for("same"))) == 1
    assert cpus_for("split") is None or len(set(cpus_for("split"))) == 2
