"""The first page: what needs a human, then every mailbox."""

from __future__ import annotations

from flask import Blueprint, g, render_template

bp = Blueprint("overview", __name__)


@bp.get("/")
def overview() -> str:
    """What needs a human first, then every mailbox with its light."""
    mailboxes = g.engine.health.mailboxes()
    return render_template("overview.html", section="Overview", mailboxes=mailboxes)
