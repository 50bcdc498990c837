"""A real Pyro4 client, which speaks another protocol: prints the error that it has. OPTIONS is JSON with `uri`."""

import json
import sys
import warnings

warnings.simplefilter("ignore")

import Pyro4  # noqa: E402 - it warns when it is imported

with Pyro4.Proxy(json.loads(sys.argv[1])["uri"]) as proxy:
    proxy._pyroTimeout = 10
    try:
        proxy._pyroBind()
    except Pyro4.errors.PyroError as error:
        print("READY", type(error).__name__, error, flush=True)
