"""A real Pyro5 name server on a free port."""

import Pyro5.nameserver

uri, daemon, _ = Pyro5.nameserver.start_ns("127.0.0.1", 0, enableBroadcast=False)
print("READY", uri, flush=True)
daemon.requestLoop()
