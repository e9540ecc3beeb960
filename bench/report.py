"""The benchmark's figures as the table of docs/QUALITY.md and as a plot."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
QUALITY = ROOT / "docs" / "QUALITY.md"
PLOT = ROOT / "docs" / "pictures" / "viewers.svg"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"

Curve = list[tuple[int, float, float]]  # viewers, CPU per cent, p99 jitter in ms

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 60, 30, 50


def write(results: dict[str, dict[str, Any]], curve: Curve, rounds: int) -> None:
    """Put the table into docs/QUALITY.md, between its marks, and write the plot."""
    text = table(results, rounds)
    print(text)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    PLOT.write_text(plot(curve))
    page = QUALITY.read_text()
    if BEGIN in page and END in page:
        before, rest = page.split(BEGIN, 1)
        after = rest.split(END, 1)[1]
        QUALITY.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def table(results: dict[str, dict[str, Any]], rounds: int) -> str:
    """Return a Markdown table: a row a figure, a column a server, and the ratio to each other."""
    names = list(results)
    others = [name for name in names if name != "ours"]
    head = ["", *others, "ours", *(f"ours to {name}" for name in others)]
    lines = [_row(head), _row(["---"] * len(head))]
    for figure in results["ours"]:
        ours = results["ours"][figure]
        theirs = [results[name].get(figure) for name in others]
        ratios = [f"{ours / value:.2f}" if value else "-" for value in theirs]
        lines.append(_row([figure, *map(_number, [*theirs, ours]), *ratios]))
    lines.append("")
    python = platform.python_version()
    basis = f"Medians of {rounds} rounds" if rounds > 1 else "One round"
    lines.append(f"{basis} in one run, Python {python}; machines differ.")
    return "\n".join(lines)


def fit(curve: Curve) -> tuple[float, float]:
    """Return slope (CPU per cent a viewer) and intercept of the straight line through the CPU."""
    n = len(curve)
    mean_x = sum(viewers for viewers, _, _ in curve) / n
    mean_y = sum(cpu for _, cpu, _ in curve) / n
    spread = sum((viewers - mean_x) ** 2 for viewers, _, _ in curve)
    slope = sum((viewers - mean_x) * (cpu - mean_y) for viewers, cpu, _ in curve) / spread
    return slope, mean_y - slope * mean_x


def plot(curve: Curve) -> str:
    """Return an SVG picture of CPU and p99 jitter against the number of viewers."""
    most_viewers = curve[-1][0]
    most_jitter = max(10.0, *(jitter for _, _, jitter in curve))
    slope, intercept = fit(curve)
    cpu = _points([(viewers, cpu) for viewers, cpu, _ in curve], most_viewers, 100)
    jitter = _points([(viewers, jitter) for viewers, _, jitter in curve], most_viewers, most_jitter)
    ends = [(0, intercept), (most_viewers, intercept + slope * most_viewers)]
    line = _points(ends, most_viewers, 100)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
            ' font-family="sans-serif" font-size="13">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            *_axes(most_viewers, most_jitter),
            f'<polyline points="{line}" fill="none" stroke="#9ab" stroke-dasharray="5 4"/>',
            f'<polyline points="{cpu}" fill="none" stroke="#1f6fb4" stroke-width="2"/>',
            f'<polyline points="{jitter}" fill="none" stroke="#c4531f" stroke-width="2"/>',
            f'<text x="{_LEFT + 12}" y="{_TOP + 14}" fill="#1f6fb4">CPU, % of one core'
            f" (fit: {slope * 10:.2f} ms per session-second)</text>",
            f'<text x="{_LEFT + 12}" y="{_TOP + 32}" fill="#c4531f">frame jitter, p99, ms</text>',
            "</svg>\n",
        ]
    )


def _axes(most_viewers: int, most_jitter: float) -> list[str]:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}V{_TOP}" fill="none" stroke="#888"/>']
    for step in range(6):
        x = _LEFT + (right - _LEFT) * step / 5
        y = bottom - (bottom - _TOP) * step / 5
        parts += [
            f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle">'
            f"{most_viewers * step / 5:.0f}</text>",
            f'<text x="{_LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#1f6fb4">'
            f"{step * 20}</text>",
            f'<text x="{right + 6}" y="{y + 4:.0f}" fill="#c4531f">'
            f"{most_jitter * step / 5:.0f}</text>",
        ]
    middle = (_LEFT + right) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 10}" text-anchor="middle">viewers, UDP</text>')
    return parts


def _points(values: list[tuple[float, float]], most_x: float, most_y: float) -> str:
    width, height = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    return " ".join(
        f"{_LEFT + width * x / most_x:.1f},{_HEIGHT - _BOTTOM - height * min(y / most_y, 1):.1f}"
        for x, y in values
    )


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
