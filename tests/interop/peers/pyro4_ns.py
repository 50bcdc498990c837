"""A real Pyro4 name server on a free port; OPTIONS is JSON with `key` and `storage`."""

import json
import sys

import Pyro4.naming
import pyro4_api  # noqa: F401 - it accepts more serializers

options = json.loads(sys.argv[1])
uri, daemon, _ = Pyro4.naming.startNS(
    "127.0.0.1", 0, enableBroadcast=False, storage=options.get("storage"), hmac=options.get("key")
)
print("READY", uri, flush=True)
daemon.requestLoop()
