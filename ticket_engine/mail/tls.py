"""TLS towards mail servers: certificates are verified, and the authorities are loaded once a process."""

from __future__ import annotations

import os
import ssl
from functools import cache


def context() -> ssl.SSLContext:
    """The context of every connection; reading all authorities anew would cost more than an idle poll."""
    return _context(os.environ.get("SSL_CERT_FILE", ""), os.environ.get("SSL_CERT_DIR", ""))


@cache
def _context(file: str, folder: str) -> ssl.SSLContext:
    # OpenSSL reads these two variables itself; they are arguments so that a change makes another context.
    del file, folder
    return ssl.create_default_context()
