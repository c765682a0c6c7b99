"""SASL XOAUTH2: Microsoft, "Authenticate an IMAP, POP or SMTP connection using OAuth"."""

from __future__ import annotations

import base64


def xoauth2(username: str, access_token: str) -> bytes:
    """The initial client response, base64 without line breaks."""
    return base64.b64encode(f"user={username}\x01auth=Bearer {access_token}\x01\x01".encode())
