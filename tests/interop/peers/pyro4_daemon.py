"""A real Pyro4 daemon.

OPTIONS is JSON with `accept`, `compression`, `unixsocket`, `port`, `key`, `servertype`, `workers`,
and `ns` (host, port) with `name`.
"""

import json
import sys

import thing
from pyro4_api import api, config

options = json.loads(sys.argv[1])
config.COMPRESSION = options.get("compression", False)
config.SERIALIZERS_ACCEPTED.update(options.get("accept", ()))
config.SERVERTYPE = options.get("servertype", "thread")
config.THREADPOOL_SIZE = options.get("workers", config.THREADPOOL_SIZE)
key = options.get("key")
Daemon = thing.make_daemon(api)
with Daemon("127.0.0.1", options.get("port", 0), unixsocket=options.get("unixsocket")) as daemon:
    daemon._pyroHmacKey = key
    Thing = thing.make(api)
    served = Thing()
    served.other = Thing()
    uri = daemon.register(served, "thing")
    daemon.register(served.other, "other")
    if "ns" in options:
        with api.locateNS(*options["ns"], broadcast=False, hmac_key=key) as names:
            names.register(options["name"], uri, metadata={"interop", options["name"]})
    print("READY", uri, flush=True)
    daemon.requestLoop()
