"""DISC: object discovery."""

from __future__ import annotations

import pytest

import pyronb
from tests.chapter.conftest import serving


@pyronb.expose
class MusicServer:
    """The chapter's own example."""

    def __init__(self, song="Smells Like Teen Spirit"):
        self.song = song

    def current_song(self):
        return self.song


def test_s2_location_in_a_uri(serve):
    """A URI holds the name of the object and the place where it is."""
    daemon = serve(musicserver=MusicServer())
    uri = pyronb.URI(str(daemon.uriFor("musicserver")))

    assert ("PYRO", "musicserver", "127.0.0.1") == (uri.protocol, uri.object, uri.host)
    assert f"{uri.host}:{uri.port}" == uri.location == daemon.locationStr
    with pytest.raises(pyronb.errors.PyroError, match="URI"):
        pyronb.Proxy("musicserver at home")


def test_s3_direct_uri_needs_no_name_server(serve):
    """PYRO:object@server:port connects, though nobody knows the name."""
    daemon = serve(musicserver=MusicServer())
    pyronb.config.NS_PORT = 1  # nobody is there
    with pyronb.Proxy(f"PYRO:musicserver@{daemon.locationStr}") as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()


def test_s4_fixed_names_and_ports(serve, free_port):
    """A server may choose both, and a client may know both by heart."""
    serve(port=free_port, musicserver=MusicServer())
    with pyronb.Proxy(f"PYRO:musicserver@127.0.0.1:{free_port}") as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()


@pytest.mark.parametrize("form", [str, pyronb.URI])
def test_s5_text_or_uri_object(serve, form):
    """Both have the same effect."""
    uri = form(f"PYRO:musicserver@{serve(musicserver=MusicServer()).locationStr}")
    with pyronb.Proxy(uri) as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()
        assert pyronb.URI(str(uri)) == musicserver._pyroUri


def test_s6_uri_from_a_file(serve, tmp_path):
    """What the server printed or wrote down can be typed in or read back."""
    file = tmp_path / "musicserver.uri"
    file.write_text(f"{serve(musicserver=MusicServer()).uriFor('musicserver')}\n")
    with pyronb.Proxy(file.read_text().strip()) as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()


def test_s7_locate_ns_without_arguments(name_server):
    """It gives a proxy for the name server that can be used at once."""
    with pyronb.locateNS() as nameserver:
        nameserver.register("musicserver", "PYRO:musicserver@somewhere:9999")

        assert {"musicserver", "Pyro.NameServer"} == set(nameserver.list())


def test_s8_lookup_gives_the_location(serve, name_server):
    """The name server knows where the object really is."""
    uri = serve(musicserver=MusicServer()).uriFor("musicserver")
    with pyronb.locateNS() as nameserver:
        nameserver.register("musicserver", uri)
        found = nameserver.lookup("musicserver")

    assert isinstance(found, pyronb.URI)
    assert uri == found
    with pyronb.Proxy(found) as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()


def test_s9_server_moves(name_server):
    """A client that knows only the name need not be changed."""
    songs = []
    for song in ("in the old place", "in the new place"):
        with serving(musicserver=MusicServer(song)) as daemon:
            with pyronb.locateNS() as nameserver:
                nameserver.register("musicserver", daemon.uriFor("musicserver"))
            with pyronb.Proxy("PYRONAME:musicserver") as musicserver:
                songs.append(musicserver.current_song())

    assert ["in the old place", "in the new place"] == songs


@pytest.fixture
def registered(serve, name_server):
    """Have a music server in the name server, and give its direct address."""
    uri = serve(musicserver=MusicServer()).uriFor("musicserver")
    with pyronb.locateNS() as nameserver:
        nameserver.register("musicserver", uri)
    return uri


def test_s10_pyroname_is_looked_up(registered):
    """Wherever an address can be given, a name can be given; the library looks it up."""
    with pyronb.Proxy("PYRONAME:musicserver") as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()
    assert registered == pyronb.resolve("PYRONAME:musicserver")
    with pytest.raises(pyronb.errors.NamingError, match="radio"):
        pyronb.Proxy("PYRONAME:radio")._pyroBind()


@pytest.mark.parametrize("form", [str, pyronb.URI])
@pytest.mark.usefixtures("registered")
def test_s11_pyroname_as_text_or_uri_object(form):
    """Both have the same effect."""
    with pyronb.Proxy(form("PYRONAME:musicserver")) as musicserver:
        assert "Smells Like Teen Spirit" == musicserver.current_song()


def test_s12_each_connection_looks_it_up(registered):
    """It is asked for each time, unless the proxy is bound to what the name stood for."""
    with (
        serving(musicserver=MusicServer("elsewhere")) as daemon,
        pyronb.Proxy("PYRONAME:musicserver") as free,
        pyronb.Proxy("PYRONAME:musicserver") as bound,
    ):
        free.current_song()
        assert bound._pyroBind()
        assert ("PYRONAME", registered) == (free._pyroUri.protocol, bound._pyroUri)
        with pyronb.locateNS() as nameserver:
            nameserver.register("musicserver", daemon.uriFor("musicserver"))
        for proxy in (free, bound):
            proxy._pyroRelease()

        assert ("elsewhere", "Smells Like Teen Spirit") == (free.current_song(), bound.current_song())
