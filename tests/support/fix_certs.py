"""Certificates, made anew for each run of the tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from pyronb.options import TLSOptions

PASSWORD = "open sesame"


@dataclass(frozen=True)
class Certificates:
    """An authority, and files with what it signed; a name of a file is a word and `.pem`."""

    folder: Path
    authority: trustme.CA

    def file(self, word: str) -> str:
        """Give the path of a file."""
        return str(self.folder / f"{word}.pem")

    def issue(self, word: str, *names: str, **more: Any) -> str:
        """Sign a certificate, and give the file that holds it with its key."""
        made = self.authority.issue_cert(*names, **more)
        made.private_key_and_cert_chain_pem.write_to_path(self.file(word))
        return self.file(word)

    def split(self, word: str, *names: str, password: str = "") -> tuple[str, str]:
        """Sign a certificate, and give the files that hold it and its key, which may be locked."""
        made = self.authority.issue_cert(*names)
        key = serialization.load_pem_private_key(made.private_key_pem.bytes(), None)
        lock = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
        Path(self.file(f"{word}-key")).write_bytes(text)
        made.cert_chain_pems[0].write_to_path(self.file(word))
        return self.file(word), self.file(f"{word}-key")

    def daemon(self, **changes: Any) -> TLSOptions:
        """Give the options of a daemon on this machine."""
        return TLSOptions(**{"certificate": self.file("daemon"), "authorities": self.file("authority"), **changes})

    def client(self, **changes: Any) -> TLSOptions:
        """Give the options of a client that trusts the authority, and shows nothing."""
        return TLSOptions(**{"authorities": self.file("authority"), **changes})


def yesterday() -> dt.datetime:
    """Give the end of a certificate that is no longer good."""
    return dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Give an authority with the files `authority`, `daemon` (for this machine) and `client`."""
    made = Certificates(tmp_path_factory.mktemp("certificates"), trustme.CA())
    made.authority.cert_pem.write_to_path(made.file("authority"))
    made.issue("daemon", "localhost", "127.0.0.1", "::1")
    made.issue("client", "client@example.org", common_name="client")
    return made
