"""A real client of either family that calls coroutines of ours and prints what it got.

OPTIONS is JSON with `family` (pyro4 or pyro5) and `uri`.
"""

import json
import sys

options = json.loads(sys.argv[1])
if options["family"] == "pyro4":
    from Pyro4 import Proxy, batch
    from Pyro4.util import getPyroTraceback as traceback_of
else:
    from Pyro5.api import BatchProxy as batch
    from Pyro5.api import Proxy
    from Pyro5.errors import get_pyro_traceback as traceback_of

got = {}
with Proxy(options["uri"]) as proxy:
    got["call"] = proxy.add(1, 2)
    got["stream"] = list(proxy.count(3))
    calls = batch(proxy)
    calls.add(3, 4)
    calls.add(5)
    got["batch"] = list(calls())
    try:
        proxy.fail("boom")
    except ValueError as error:
        got["error"] = str(error)
        got["traceback"] = "in fail" in "".join(traceback_of())
    proxy.fire("fired")
    got["after"] = proxy.add(0, 0)
print("READY", json.dumps(got), flush=True)
