"""A real Pyro5 or Pyro4 on one end of a kind of connection.

OPTIONS is JSON: `family` (4 or 5), `config` (items and their values), and `role`, which is one of

- daemon: serve `echo` under the id thing at `unixsocket`, or on the connected socket `fd`, or on `host`;
- call: call `echo` at `uri`, or on the connected socket `fd`;
- ns: run a name server on `host` that answers broadcasts on any port of `bchost`;
- locate: find a name server with the means of `config`.
"""

import json
import socket
import sys
import time

import pyro4_api
from Pyro5 import api as pyro5_api
from Pyro5 import nameserver as pyro5_nameserver

options = json.loads(sys.argv[1])
real4 = options["family"] == 4
api = pyro4_api.api if real4 else pyro5_api
config = pyro4_api.config if real4 else pyro5_api.config
locate = api.locateNS if real4 else pyro5_api.locate_ns
start = pyro4_api.Pyro4.naming.startNS if real4 else pyro5_nameserver.start_ns
for name, value in options.get("config", {}).items():
    setattr(config, name, value)
given = socket.socket(fileno=options["fd"]) if "fd" in options else None


@api.expose
class Thing:
    def echo(self, value):
        return value

    def certificate(self):
        return Daemon.shown


class Daemon(api.Daemon):
    shown = None

    def validateHandshake(self, conn, data):
        if config.SSL:
            Daemon.shown = repr(conn.getpeercert())
        return "hello"


def daemon():
    if given is not None:
        made = Daemon(connected_socket=given)
    else:
        made = Daemon(options.get("host", "127.0.0.1"), unixsocket=options.get("unixsocket"))
    print("READY", made.register(Thing(), "thing"), flush=True)
    made.requestLoop()


def call():
    began = time.monotonic()
    try:
        proxy = api.Proxy("thing", connected_socket=given) if given is not None else api.Proxy(options["uri"])
        found = [proxy.echo("x" * size) == "x" * size for size in (0, 10, 100_000)]
        found += [proxy.certificate()]
    except BaseException as error:
        found = f"{type(error).__name__}: {error}"
    print("READY", json.dumps({"found": found, "seconds": time.monotonic() - began}), flush=True)


def ns():
    uri, made, responder = start(options["host"], 0, bchost=options["bchost"], bcport=0)
    responder.runInThread()
    print("READY", json.dumps({"uri": str(uri), "bcport": responder.getPort()}), flush=True)
    made.requestLoop()


def locate_it():
    with locate() as names:
        print("READY", json.dumps({"uri": str(names._pyroUri), "count": names.count()}), flush=True)


{"daemon": daemon, "call": call, "ns": ns, "locate": locate_it}[options["role"]]()
