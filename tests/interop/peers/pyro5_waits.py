"""A real Pyro5 client that waits for names; OPTIONS is JSON with `uris` and `seconds`."""

import json
import sys

from Pyro5 import api

options = json.loads(sys.argv[1])
# Its parameter delay_time does not arrive where it should.
api.config.NS_LOOKUP_DELAY = options["seconds"]
found = [str(api.resolve(uri)) for uri in options["uris"]]
print("READY", json.dumps(found), flush=True)
