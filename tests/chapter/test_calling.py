"""CALL: calling methods."""

from __future__ import annotations

import pytest

import pyronb


class MediaServerError(ValueError):
    """An exception of the program's own."""


@pyronb.expose
class MusicServer:
    """The chapter's own example."""

    def __init__(self):
        self.playing = None
        self.playlists = {"90s rock": ["Smells Like Teen Spirit", "Creep"]}

    def load_playlist(self, name):
        if name not in self.playlists:
            raise KeyError(name)
        self.playing = list(self.playlists[name])

    def play(self, *, shuffle=False):
        if self.playing is None:
            raise RuntimeError("no playlist")
        self.playing.sort(reverse=not shuffle)

    def current_song(self, default=None):
        return self.playing[0] if self.playing else default


@pytest.fixture
def music(serve):
    """Give the object itself and a proxy for it."""
    here = MusicServer()
    with pyronb.Proxy(serve(musicserver=here).uriFor("musicserver")) as proxy:
        yield here, proxy


def test_s13_methods_run_over_there(music):
    """A call on the proxy runs the method of the remote object."""
    here, musicserver = music
    musicserver.load_playlist("90s rock")

    assert ["Smells Like Teen Spirit", "Creep"] == here.playing


def test_s14_normal_calls_and_values(music):
    """Positional, named and default arguments; return values come back."""
    _, musicserver = music

    assert musicserver.current_song() is None
    assert "silence" == musicserver.current_song("silence") == musicserver.current_song(default="silence")
    musicserver.load_playlist("90s rock")
    assert musicserver.play(shuffle=True) is None
    assert "Creep" == musicserver.current_song()
    with pytest.raises(TypeError):
        musicserver.current_song(1, 2, 3)


def test_s15_remote_exceptions_by_their_class(music):
    """They are raised where the call stands."""
    _, musicserver = music
    with pytest.raises(RuntimeError, match="no playlist"):
        musicserver.play()
    with pytest.raises(KeyError, match="80s pop"):
        musicserver.load_playlist("80s pop")


def test_s15_own_exceptions(serve):
    """The class of a program's own exception is known once it was registered."""

    class Faulty:
        @pyronb.expose
        def fail(self):
            raise MediaServerError("no such disk", 7)

    name = f"{MediaServerError.__module__}.{MediaServerError.__name__}"
    with pyronb.Proxy(serve(faulty=Faulty()).uriFor("faulty")) as faulty:
        with pytest.raises(pyronb.errors.RemoteError, match="MediaServerError"):
            faulty.fail()
        pyronb.SerializerBase.register_dict_to_class(name, lambda _, state: MediaServerError(*state["args"]))
        try:
            with pytest.raises(MediaServerError) as caught:
                faulty.fail()
        finally:
            pyronb.SerializerBase.unregister_dict_to_class(name)

    assert ("no such disk", 7) == caught.value.args


def test_s16_no_library_in_sight(music):
    """The same function works on the object itself and on a proxy for it."""

    def listen(musicserver):
        try:
            musicserver.load_playlist("90s rock")
            musicserver.play()
            return f"Currently playing: {musicserver.current_song()}"
        except KeyError:
            return "Couldn't select playlist or start playing"

    here, there = music

    assert listen(MusicServer()) == listen(here) == listen(there)
