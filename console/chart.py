"""A small chart of mails a day, as inline SVG without any style of its own."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

_BAR, _GAP, _HEIGHT = 8, 2, 28
_ROOM = _HEIGHT - 1


def bars(counts: Sequence[int]) -> Markup:
    """One bar a day, oldest first, today last; the numbers are in the accessible name."""
    top = max(counts, default=0)
    path = ""
    for place, count in enumerate(counts):
        if count:
            height = max(2, round(count / top * _ROOM))
            path += f"M{place * (_BAR + _GAP)} {_ROOM}v-{height}h{_BAR}v{height}z"
    width = len(counts) * (_BAR + _GAP) - _GAP
    total = sum(counts)
    name = f"{total} mails in {len(counts)} days, {counts[-1] if counts else 0} today"
    return Markup(
        '<svg class="chart" viewBox="0 0 {w} {h}" preserveAspectRatio="none" role="img" aria-label="{name}">'
        '<title>{name}</title><path class="base" d="M0 {y}h{w}v1H0z"/><path d="{path}"/></svg>'
    ).format(w=width, h=_HEIGHT, y=_ROOM, name=name, path=path)
