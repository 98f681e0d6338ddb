"""Draw a few lines over a logarithmic axis as SVG; that is all of it."""

from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT, _LEFT, _TOP, _PANEL = 640, 170, 80, 40, 100
_COLOURS = ("#2563eb", "#d97706", "#059669", "#dc2626")

Points = Sequence[tuple[float, float]]


def write_panels(path: Path, title: str, axis: str, panels: Mapping[str, Points]) -> None:
    """Write one panel a line under each other; each begins at zero, and says its values."""
    height = _TOP + _HEIGHT * len(panels)
    drawn = [
        f'<text x="{_LEFT}" y="24" font-size="16" font-weight="bold">{escape(title)}</text>',
        *(_panel(index, name, axis, points) for index, (name, points) in enumerate(panels.items())),
    ]
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif"'
        f' font-size="11" fill="#374151"><rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(drawn)
        + "\n</svg>\n",
        encoding="utf-8",
    )


def _panel(index: int, name: str, axis: str, points: Points) -> str:
    top, colour = _TOP + index * _HEIGHT + 24, _COLOURS[index % len(_COLOURS)]
    least, most = log10(min(x for x, _ in points)), log10(max(x for x, _ in points))
    highest = max((y for _, y in points), default=0) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) - least) / ((most - least) or 1)
        return _LEFT + across * (_WIDTH - 2 * _LEFT), top + _PANEL * (1 - y / highest / 1.2)

    spots = [(*place(x, y), x, y) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _, _ in spots)
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{value:g}</text>'
        f'<text x="{x:.1f}" y="{top + _PANEL + 14}" text-anchor="middle">{number:,.0f}</text>'
        for x, y, number, value in spots
    )
    return (
        f'<text x="{_LEFT}" y="{top - 8}" font-weight="bold">{escape(name)}</text>'
        f'<line x1="{_LEFT}" y1="{top + _PANEL}" x2="{_WIDTH - _LEFT}" y2="{top + _PANEL}" stroke="#9ca3af"/>'
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>{marks}'
        f'<text x="{_WIDTH - _LEFT + 8}" y="{top + _PANEL + 14}">{escape(axis)}</text>'
    )
