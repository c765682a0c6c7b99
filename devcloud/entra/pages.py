"""The pages that a person sees at the identity platform: an account to pick, or an error."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 30rem; margin: 3rem auto; padding: 0 1rem; }}
button {{ display: block; width: 100%; margin: .5rem 0; padding: .75rem; text-align: left; font: inherit; }}
small {{ color: #555; }}</style></head><body><h1>{title}</h1>{body}
<p><small>devcloud's stand-in for Microsoft Entra ID</small></p></body></html>"""


def pick_account(action: str, application: str, accounts: Sequence[str], query: Mapping[str, str]) -> str:
    """The account picker: a form whose buttons are the accounts, and Cancel."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in query.items()
    )
    mail = "AccessAsUser" in query.get("scope", "")
    purpose = "would like to read your mail" if mail else "asks who you are"
    buttons = "".join(
        f'<button name="account" value="{html.escape(account)}">{html.escape(account)}</button>' for account in accounts
    )
    body = (
        f"<p><strong>{html.escape(application)}</strong> {purpose}.</p>"
        f'<form method="post" action="{html.escape(action)}">{hidden}{buttons}<button>Cancel</button></form>'
    )
    return _PAGE.format(title="Pick an account", body=body)


def approve(action: str, application: str, query: Mapping[str, str]) -> str:
    """The administrator's page: approve the application for everyone in the tenant."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in query.items()
    )
    body = (
        f"<p><strong>{html.escape(application)}</strong> wants to read mail on behalf of people in this tenant.</p>"
        f'<form method="post" action="{html.escape(action)}">{hidden}<button>Accept</button></form>'
    )
    return _PAGE.format(title="Permissions requested", body=body)


def error(escaped: str) -> str:
    """The page for a request that can't be answered by a redirect."""
    return _PAGE.format(title="Sorry, but we're having trouble signing you in", body=f"<p>{escaped}</p>")
