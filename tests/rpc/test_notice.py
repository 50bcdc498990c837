"""Notices: what a daemon says beside a result."""

from __future__ import annotations

import pytest

from pyronb.rpc.notice import NOTICE, pack_notice, unpack_notice


def test_a_notice_arrives():
    """As it was said."""
    assert unpack_notice({"ABCD": b"x", NOTICE: memoryview(pack_notice("größe"))}) == "größe"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"a\nb\x1b[31m", "a b [31m"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"", ""),
        (b"x" * 100_000, "x" * 1000),
        ("ä".encode() * 100_000, "ä" * 1000),
    ],
)
def test_strangers_may_say_anything(data, shown):
    """It is shown as one short line."""
    assert unpack_notice({NOTICE: data}) == shown
