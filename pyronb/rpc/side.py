"""What is said beside a call while it runs, as messages and back. (Wire specification, section 32.)

Only pyronb peers say such things to one another, and only once both said in the handshake that they can. A side message
has the number of its call, and a payload in json, whatever the call itself is written in. What a peer tells is checked
before it is believed: sizes, types and numbers.
"""

from __future__ import annotations

import json
from typing import Any

from pyronb.dialects import Dialect
from pyronb.news import HUGE, News, Output, Progress
from pyronb.wire.message import RESULT, TELLS_OUTPUT, TELLS_PROGRESS, Message

__all__ = ["LONGEST_OUTPUT", "decode_news", "encode_news"]

_LONGEST_MESSAGE = 500
LONGEST_OUTPUT = 8 * 1024
"""Most characters of output that one message holds."""
_STREAMS = ("stdout", "stderr", "log")

# What moves the cursor of a terminal, or does worse, has no place in what somebody else's program prints.
_HARMLESS = "\t\n\r"
_CONTROL: dict[int, str | None] = {
    code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _HARMLESS
}
# Half characters cannot be printed.
_CONTROL.update(dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"))


def encode_news(news: News, seq: int, dialect: Dialect) -> Message:
    """Make the message that tells something of the call with this number."""
    told: list[Any]
    if isinstance(news, Progress):
        flag = TELLS_PROGRESS
        told = [news.done, news.total, news.message[:_LONGEST_MESSAGE], round(news.seconds, 6)]
    else:
        flag = TELLS_OUTPUT
        told = [news.text[:LONGEST_OUTPUT], news.stream]
    payload = json.dumps(told, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return Message(RESULT, dialect.serializers["json"], flag, seq, payload)


def decode_news(message: Message) -> News | None:
    """Read what a message tells; None when it makes no sense, for that does the call no harm."""
    try:
        told = json.loads(bytes(message.payload))
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, list):
        return None
    if message.flags & TELLS_PROGRESS:
        return _progress(*told) if len(told) == len(Progress.__slots__) else None
    return _output(*told) if len(told) == len(Output.__slots__) else None


def _progress(done: Any, total: Any, message: Any, seconds: Any) -> Progress | None:
    if not (_is_number(done) and (total is None or _is_number(total)) and _is_number(seconds)):
        return None
    if not isinstance(message, str):
        return None
    return Progress(done, total, message[:_LONGEST_MESSAGE].translate(_CONTROL), max(0.0, seconds))


def _output(text: Any, stream: Any) -> Output | None:
    if not isinstance(text, str) or stream not in _STREAMS:
        return None
    return Output(text[:LONGEST_OUTPUT].translate(_CONTROL), stream)


def _is_number(value: Any) -> bool:
    # Neither infinite, nor no number, nor an integer of a thousand digits.
    return type(value) in (int, float) and abs(value) < HUGE
