"""A server or a client in a process of its own: it takes orders as lines of json, and answers each with one.

Orders are `{"do": "serve", "peer": ..., "kind": ...}`, `{"do": "pin", "cpu": ...}` and `{"do": "measure", ...}`. The
process ends when there are no more orders.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from tests.bench.peers import PEERS
from tests.bench.places import pin
from tests.bench.workloads import WORKLOADS, Job


def obey(order: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked, and give the answer."""
    do = order.pop("do")
    if do == "serve":
        return {"address": PEERS[order["peer"]].serve(order["kind"]), "pid": os.getpid()}
    if do == "pin":
        pin(order["cpu"])
        return {}
    workload = WORKLOADS[order.pop("workload")]
    return {"metrics": workload.measure(Job(**order))}


def more_descriptors() -> None:
    """Have as many descriptors as may be had; a thousand connections need more than is usual."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Obey until there are no more orders."""
    # What libraries print must not come between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    more_descriptors()
    for line in sys.stdin:
        try:
            answer = obey(json.loads(line))
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
