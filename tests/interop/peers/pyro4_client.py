"""A real Pyro4 client: runs checks and prints what became of each.

OPTIONS is JSON with `uri`, `serializers`, `compression`, `metadata`, `only`, `key`, or with `ns` (host, port) alone.
"""

import json
import sys
import traceback

import checks
import pyro4_checks
from pyro4_api import api, config, ping

options = json.loads(sys.argv[1])
config.COMPRESSION = options.get("compression", False)
config.METADATA = options.get("metadata", True)
key = options.get("key")
results = {}


def run(name, function, *args):
    try:
        function(*args)
    except BaseException:
        results[name] = traceback.format_exc()
    else:
        results[name] = "ok"


def world(serializer):
    config.SERIALIZER = serializer
    return checks.World(api, options.get("uri", ""), serializer, real=True, ping=ping, pyro4=True, key=key)


chosen = pyro4_checks.chosen(options.get("only"), metadata=config.METADATA)
for serializer in options.get("serializers", ()):
    for name, function in chosen.items():
        if pyro4_checks.applies(name, serializer, real=True):
            run(f"{serializer} {name}", function, world(serializer))
if "ns" in options:
    for serializer in checks.ALL:
        with_serializer = world(serializer)
        with api.locateNS(*options["ns"], broadcast=False, hmac_key=key) as names:
            run(serializer, pyro4_checks.nameserver, with_serializer, names)
print("READY", json.dumps(results), flush=True)
