"""Secrets of ways back, and their keys."""

from __future__ import annotations

from pyronb.server.secrets import back_key, is_back_secret


def test_secrets_and_keys():
    """Of a secret comes one key, which does not tell the secret and has the same shape."""
    secret = "0123456789abcdef" * 2
    key = back_key(secret)

    assert is_back_secret(secret)
    assert is_back_secret(key)
    assert key == back_key(secret)
    assert key != secret
    assert not any(is_back_secret(text) for text in ("", secret[1:], secret.upper(), secret + "0", "../" + secret[3:]))
