"""A real Pyro5 name server on a free port; OPTIONS is JSON with `storage`."""

import json
import sys

import Pyro5.nameserver

options = json.loads(sys.argv[1])
uri, daemon, _ = Pyro5.nameserver.start_ns("127.0.0.1", 0, enableBroadcast=False, storage=options.get("storage"))
print("READY", uri, flush=True)
daemon.requestLoop()
