"""The names of the real Pyro4 that the checks and the served object use, under the names that they use."""

import warnings
from types import SimpleNamespace

warnings.simplefilter("ignore")

import Pyro4  # noqa: E402 - it warns when it is imported
import Pyro4.message  # noqa: E402
import Pyro4.naming  # noqa: E402
import Pyro4.util  # noqa: E402

config = Pyro4.config
config.SERIALIZERS_ACCEPTED.add("msgpack")

api = SimpleNamespace(
    **{name: getattr(Pyro4, name) for name in ("URI", "Daemon", "Proxy", "callback", "current_context", "errors")},
    **{name: getattr(Pyro4, name) for name in ("expose", "oneway", "locateNS", "resolve")},
    SerializerBase=Pyro4.util.SerializerBase,
    BatchProxy=Pyro4.batch,
    SerializedBlob=Pyro4.core.SerializedBlob,
    get_pyro_traceback=Pyro4.util.getPyroTraceback,
)


def ping(proxy):
    """Send a PING over a connected proxy; Pyro4's own helper would not take a signed answer."""
    key = proxy._pyroHmacKey
    request = Pyro4.message.Message(Pyro4.message.MSG_PING, b"ping", 42, 0, 7, hmac_key=key)
    proxy._pyroConnection.send(request.to_bytes())
    answer = Pyro4.message.Message.recv(proxy._pyroConnection, [Pyro4.message.MSG_PING], hmac_key=key)
    assert (answer.seq, answer.serializer_id, bytes(answer.data)) == (7, 42, b"pong")
