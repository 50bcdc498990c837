"""A real client, of Pyro5 or Pyro4, that calls all members of an echo server and prints what it got.

OPTIONS is JSON with `uri` and `family`.
"""

import importlib
import json
import math
import sys

options = json.loads(sys.argv[1])
proxy = importlib.import_module(f"{options['family']}.core" if options["family"] == "Pyro4" else "Pyro5.client").Proxy
found = {}
with proxy(options["uri"]) as echo:
    echo._pyroTimeout = 20
    echo._pyroBind()
    found["methods"] = sorted(echo._pyroMethods)
    found["oneway"] = sorted(echo._pyroOneway)
    found["attributes"] = sorted(echo._pyroAttrs)
    found["echo"] = echo.echo({"a": [1, None, "ü"]})
    found["oneway_echo"] = echo.oneway_echo("x")
    found["generator"] = list(echo.generator())
    found["nan"] = math.isnan(echo.nan())
    found["inf"] = echo.inf() == math.inf
    found["dunder"] = echo.__dunder__()
    found["verbose"] = echo.verbose
    echo.verbose = True
    found["verbose now"] = echo.verbose
    echo.verbose = False
    for method in ("error", "error_with_text"):
        try:
            getattr(echo, method)()
        except ValueError as error:
            found[method] = "ValueError"
            found[f"{method} has a traceback"] = any("ValueError" in line for line in error._pyroTraceback)
    try:
        echo._private()
    except Exception as error:
        found["private"] = type(error).__name__
    echo.shutdown()
print("READY", json.dumps(found), flush=True)
