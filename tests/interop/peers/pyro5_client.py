"""A real Pyro5 client: runs checks and prints what became of each.

OPTIONS is JSON with `uri`, `serializers`, `compression`, or with `ns` (host, port) alone, or with `uri` and `only`.
"""

import json
import sys
import traceback

import checks
import Pyro5.errors
import Pyro5.protocol
import Pyro5.serializers
from Pyro5 import api

options = json.loads(sys.argv[1])
# pyronb has them in one place.
api.errors = Pyro5.errors
api.SerializerBase = Pyro5.serializers.SerializerBase
api.get_pyro_traceback = Pyro5.errors.get_pyro_traceback
api.config.COMPRESSION = options.get("compression", False)
results = {}


def run(key, function, *args):
    try:
        function(*args)
    except BaseException:
        results[key] = traceback.format_exc()
    else:
        results[key] = "ok"


def ping(proxy):
    Pyro5.protocol.SendingMessage.ping(proxy._pyroConnection)


for serializer in options.get("serializers", ()):
    api.config.SERIALIZER = serializer
    world = checks.World(api, options["uri"], serializer, real=True, ping=ping)
    for name, (function, _, _) in checks.CHECKS.items():
        if checks.applies(name, serializer, real=True) and name in options.get("only", checks.CHECKS):
            run(f"{serializer} {name}", function, world)
if "ns" in options:
    for serializer in checks.ALL:
        api.config.SERIALIZER = serializer
        world = checks.World(api, "", serializer, real=True, ping=ping)
        with api.locate_ns(*options["ns"], broadcast=False) as names:
            run(serializer, checks.nameserver, world, names)
print("READY", json.dumps(results), flush=True)
