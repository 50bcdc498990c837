"""A real Pyro4 daemon that is as old as those of before 4.27: it knows of no metadata, in greetings or otherwise."""

import Pyro4.core
import Pyro4.message
import thing
from pyro4_api import api

# No flag asks for metadata, and no method tells it.
Pyro4.message.FLAGS_META_ON_CONNECT = 0
del Pyro4.core.DaemonObject.get_metadata
with api.Daemon("127.0.0.1") as daemon:
    print("READY", daemon.register(thing.make(api)(), "thing"), flush=True)
    daemon.requestLoop()
