"""A real client that leaves an address and a proxy in a box, or looks at those that it finds there.

OPTIONS is JSON with `family` (Pyro4 or Pyro5), `box`, `thing`, `serializer` and `leave`.
"""

import json
import sys

options = json.loads(sys.argv[1])
if options["family"] == "Pyro4":
    from pyro4_api import api
else:
    from Pyro5 import api

with api.Proxy(options["box"]) as box:
    box._pyroSerializer = options["serializer"]
    if options["leave"]:
        box.put({"uri": api.URI(options["thing"]), "proxies": [api.Proxy(options["thing"])]})
        print("READY left", flush=True)
    else:
        found = box.get()
        assert isinstance(found["uri"], api.URI), found
        assert str(found["uri"]) == options["thing"], found
        (proxy,) = found["proxies"]
        assert isinstance(proxy, api.Proxy), found
        with proxy:
            print("READY", proxy.add(2, 3), flush=True)
