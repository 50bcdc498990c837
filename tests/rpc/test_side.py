"""What is said beside a call: messages and back, and what a peer may tell."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyronb.dialects import PYRO4, PYRO5
from pyronb.news import Output, Progress
from pyronb.rpc.side import LONGEST_OUTPUT, decode_news, encode_news
from pyronb.wire.message import RESULT, TELLS_OUTPUT, TELLS_PROGRESS, Message


@pytest.mark.parametrize("dialect", [PYRO5, PYRO4], ids=str)
@pytest.mark.parametrize(
    "news",
    [
        Progress(1, 2, "häl\tf", 0.25),
        Progress(0.5),
        Progress(1 << 60, None, "x" * 500, 1e9),
        Output("line\r\n"),
        Output("", "log"),
        Output("ü" * LONGEST_OUTPUT, "stderr"),
    ],
)
def test_round_trip(news, dialect):
    """What is told is what is heard, under the number of the call and in json."""
    message = encode_news(news, 7, dialect)

    assert news == decode_news(message)
    assert (RESULT, dialect.serializers["json"], 7) == (message.type, message.serializer_id, message.seq)


def test_long_texts_are_cut():
    """At both ends."""
    progress = encode_news(Progress(1, message="x" * 501), 1, PYRO5)
    output = encode_news(Output("x" * (LONGEST_OUTPUT + 1)), 1, PYRO5)
    told = Message(RESULT, 3, TELLS_PROGRESS, 1, json.dumps([1, 2, "x" * 5000, 0]).encode())

    assert [500, LONGEST_OUTPUT] == [len(decode_news(progress).message), len(decode_news(output).text)]
    assert 500 == len(decode_news(told).message)


def test_terminals_are_safe():
    """What moves cursors or sets titles is taken out."""
    for news in (Output("\x1b[2Ja\x07b\x9bc\x00\n"), Progress(1, message="\x1b[2Ja\x07b\x9bc\x00\n")):
        heard = decode_news(encode_news(news, 1, PYRO5))

        assert "[2Jabc\n" == (heard.text if isinstance(heard, Output) else heard.message)


NONSENSE = [
    b"",
    b"{",
    b"{}",
    b"7",
    b"[]",
    b"[1, 2]",
    b'["1", 2, "", 0]',
    b"[true, 2, '', 0]",
    b'[true, 2, "", 0]',
    b'[NaN, 2, "", 0]',
    b'[1, Infinity, "", 0]',
    b"[1, 2, null, 0]",
    b'[1, 2, "", "0"]',
    b'[1, 2, "", 0, 0]',
    b"[" * 5000,
    b"[1" + b"0" * 400 + b', 2, "", 0]',
    b"[1" + b"0" * 5000 + b', 2, "", 0]',
    b'["text", "stdin"]',
    b'["text", ["log"]]',
    b'[null, "log"]',
    b"\xff\xfe",
]


@pytest.mark.parametrize("flag", [TELLS_PROGRESS, TELLS_OUTPUT])
@pytest.mark.parametrize("payload", NONSENSE, ids=lambda payload: repr(payload[:20]))
def test_nonsense_is_not_heard(payload, flag):
    """It is nothing, and no error."""
    assert decode_news(Message(RESULT, 3, flag, 1, payload)) is None


@given(st.binary(max_size=200), st.sampled_from([TELLS_PROGRESS, TELLS_OUTPUT]))
def test_no_bytes_raise(payload, flag):
    """Whatever comes."""
    assert isinstance(decode_news(Message(RESULT, 3, flag, 1, payload)), Progress | Output | None)
