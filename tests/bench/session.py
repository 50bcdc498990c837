"""One run: processes for servers and clients, and all contenders in turn, round by round."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tests.bench.peers import missing
from tests.bench.places import cpus_for
from tests.bench.workloads import Contender, Workload
from tests.support.paths import ROOT

PATIENCE = 300
"""Most seconds that one measurement may take."""


class Worker:
    """A process that obeys; see `worker`."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.worker"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self.answers: queue.Queue[str] = queue.Queue()
        self.cpu: int | None = None
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self) -> None:
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        """Have it do something, and give its answer.

        Raises:
            RuntimeError: it could not, or did not in time.
        """
        try:
            self.process.stdin.write(json.dumps({"do": do, **order}) + "\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=PATIENCE)
        except (OSError, queue.Empty) as cause:
            self.close()
            raise RuntimeError(f"its process gave no answer ({type(cause).__name__})") from cause
        if not line:
            raise RuntimeError("its process has ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def pin(self, cpu: int) -> None:
        if cpu != self.cpu:
            self.ask("pin", cpu=cpu)
            self.cpu = cpu

    def close(self) -> None:
        """End it, by force where it does not listen any more."""
        try:
            self.process.stdin.close()
            self.process.wait(5)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()


@dataclass
class Result:
    """What one contender did in one workload at one place; `rounds` has a list of values for each metric."""

    workload: str
    place: str
    contender: Contender
    rounds: dict[str, list[float | None]] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True)
class Settings:
    """How long and how often to measure."""

    rounds: int = 5
    seconds: float = 0.5
    scale: str = "full"


QUICK = Settings(rounds=3, seconds=0.08, scale="quick")
TINY = Settings(rounds=1, seconds=0.001, scale="tiny")


class Session:
    """Keeps the processes, and ends them with its block."""

    def __init__(self, settings: Settings, progress: Callable[[str], None] = lambda _text: None) -> None:
        self.settings = settings
        self.progress = progress
        self.absent = set(missing())
        self.servers: dict[Any, tuple[Worker, dict[str, Any]]] = {}
        self.clients: dict[Any, Worker] = {}
        self.stack = ExitStack()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stack.close()

    def contenders(self, workload: Workload) -> list[Contender]:
        """Give those who are installed."""
        return [each for each in workload.contenders if not {each.client, each.server} & self.absent]

    def run(self, workload: Workload) -> Iterator[list[Result]]:
        """Measure a workload, and give the results of each place when they are complete."""
        with ExitStack() as own:
            for place in workload.places:
                cpus = cpus_for(place)
                if cpus is None and place == "split" and "same" in workload.places:
                    continue
                results = [Result(workload.name, place, each) for each in self.contenders(workload)]
                rounds = min(self.settings.rounds, workload.rounds)
                for number in range(rounds):
                    # Another one begins each time, so that nobody is always behind the same one.
                    turn = number % len(results)
                    for result in results[turn:] + results[:turn]:
                        self.progress(f"{workload.name} {place}, round {number + 1}/{rounds}: {result.contender.label}")
                        self.measure(workload, result, cpus, own)
                yield results

    def measure(self, workload: Workload, result: Result, cpus: tuple[int, int] | None, own: ExitStack) -> None:
        """Measure once; what goes wrong is kept, and the contender is left out from then on."""
        values: dict[str, float] = {}
        if not result.error:
            try:
                values = self.ask(workload, result.contender, cpus, own)
            except RuntimeError as error:
                result.error = str(error)
        for metric in workload.metrics:
            result.rounds.setdefault(metric.name, []).append(values.get(metric.name))

    def ask(
        self, workload: Workload, contender: Contender, cpus: tuple[int, int] | None, own: ExitStack
    ) -> dict[str, float]:
        client = self.client((contender.client, contender.again))
        served: dict[str, Any] = {"address": None, "pid": 0}
        if workload.served:
            server, served = self.server(workload, contender, own)
            if cpus:
                server.pin(cpus[0])
        if cpus:
            client.pin(cpus[1])
        answer = client.ask(
            "measure",
            workload=workload.name,
            peer=contender.client,
            address=served["address"],
            serializer=contender.serializer,
            seconds=self.settings.seconds,
            scale=self.settings.scale,
            server_pid=served["pid"],
        )
        return answer["metrics"]

    def client(self, key: Any) -> Worker:
        if key not in self.clients or self.clients[key].process.poll() is not None:
            self.clients[key] = worker = Worker()
            self.stack.callback(worker.close)
        return self.clients[key]

    def server(self, workload: Workload, contender: Contender, own: ExitStack) -> tuple[Worker, dict[str, Any]]:
        peer = contender.server or contender.client
        key = (
            peer,
            contender.kind,
            contender.again,
            (workload.name, contender.label) if workload.own_servers else None,
        )
        if key not in self.servers:
            worker = Worker()
            (own if workload.own_servers else self.stack).callback(worker.close)
            self.servers[key] = worker, worker.ask("serve", peer=peer, kind=contender.kind)
        return self.servers[key]
