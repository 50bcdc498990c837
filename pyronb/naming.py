"""A side door with the module name that Pyro4 gave these."""

from __future__ import annotations

from pyronb.nameserver.daemon import NameServerDaemon
from pyronb.nameserver.names import NameServer, type_meta
from pyronb.nameserver.start import startNS, startNSloop
from pyronb.sync.lookup import locateNS, resolve

__all__ = ["NameServer", "NameServerDaemon", "locateNS", "resolve", "startNS", "startNSloop", "type_meta"]
