"""A real Pyro5 daemon.

OPTIONS is JSON with `compression`, `unixsocket`, `port`, `servertype`, `workers`, and `ns` (host, port) with `name`.
"""

import json
import sys

import Pyro5.errors
import Pyro5.serializers
import thing
from Pyro5 import api

options = json.loads(sys.argv[1])
# pyronb has them in one place.
api.errors = Pyro5.errors
api.SerializerBase = Pyro5.serializers.SerializerBase
api.config.COMPRESSION = options.get("compression", False)
api.config.SERVERTYPE = options.get("servertype", "thread")
api.config.THREADPOOL_SIZE = options.get("workers", api.config.THREADPOOL_SIZE)
Daemon = thing.make_daemon(api)
with Daemon("127.0.0.1", options.get("port", 0), unixsocket=options.get("unixsocket")) as daemon:
    Thing = thing.make(api)
    served = Thing()
    served.other = Thing()
    uri = daemon.register(served, "thing")
    daemon.register(served.other, "other")
    if "ns" in options:
        with api.locate_ns(*options["ns"], broadcast=False) as names:
            names.register(options["name"], uri, metadata={"interop", options["name"]})
    print("READY", uri, flush=True)
    daemon.requestLoop()
