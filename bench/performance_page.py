"""``python -m bench.performance_page``: writes bench-results.json into docs/performance.md, with a plot of the cost.

First come the rows with a goal, then all rows part by part. Further files, of parts that were run alone (``python -m
bench --json soak.json soak``), may follow as arguments: their tables have their own date.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import click

from bench.report import Row, environment_summary, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
PAGE, PLOT = Path("docs/performance.md"), Path("docs/performance.svg")
TITLES = {
    "icmp": "Measured: pings",
    "services": "Measured: a page of http",
    "checks": "Measured: checks of all types",
    "libraries": "Measured: own code beside libraries",
    "daemon": "Measured: the whole monitor",
    "storage": "Measured: results at rest",
    "accounts": "Measured: accounts of a month",
    "figures": "Measured: figures kept up to date",
    "scrape": "Measured: scrapes",
    "start": "Measured: start and reload",
    "day": "Measured: a day, compressed",
    "soak": "Measured: half an hour",
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 360, 70, 24, 64, 52
OURS, PEER, INK, GRID = "#0969da", "#bc4c00", "#1f2328", "#d1d9e0"
COST = ": processor a check"


def row_of(record: Mapping[str, Any]) -> Row:
    """Return the row of a JSON record."""
    return Row(**{name: value for name, value in record.items() if name not in ("ratio", "goal", "met")})


def costs(rows: Sequence[Row]) -> tuple[list[tuple[int, float]], float | None]:
    """Return the cost of a check by the number of servers, and the peer's cost."""
    found = [row for row in rows if row.what.endswith(COST)]
    ours = sorted((int(row.more["servers"]), row.ours) for row in found)
    return ours, next((row.peer for row in found if row.peer is not None), None)


def plot_costs(ours: Sequence[tuple[int, float]], peer: float | None, caption: str) -> str:
    """Return an SVG plot of the cost of a check by the number of servers."""
    top = _ceiling(max([cost for _, cost in ours] + ([peer] if peer is not None else [])))
    low, high = math.log10(ours[0][0]) - 0.2, math.log10(ours[-1][0]) + 0.2

    def x(servers: float) -> float:
        return LEFT + (math.log10(servers) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(cost: float) -> float:
        return HEIGHT - BOTTOM - cost / top * (HEIGHT - TOP - BOTTOM)

    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'font-size="13" fill="{INK}">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 24, "Processor time a check (microseconds), by number of servers", size=15),
        _text(LEFT, 44, caption, size=11),
    ]
    for step in range(5):
        cost = top * step / 4
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(cost):.1f}" y2="{y(cost):.1f}" stroke="{GRID}"/>',
            _text(LEFT - 8, y(cost) + 4, f"{cost:,.0f}", anchor="end"),
        ]
    parts += [_text(x(servers), HEIGHT - BOTTOM + 20, f"{servers:,}", anchor="middle") for servers, _ in ours]
    parts.append(
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, "servers, each a ping and two http checks a minute", "middle")
    )
    if peer is not None:
        parts += [
            (
                f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(peer):.1f}" y2="{y(peer):.1f}" stroke="{PEER}" '
                'stroke-width="2" stroke-dasharray="6 4"/>'
            ),
            _text(WIDTH - RIGHT, y(peer) - 6, f"blackbox_exporter, the probes alone: {peer:,.0f}", "end", colour=PEER),
        ]
    points = " ".join(f"{x(servers):.1f},{y(cost):.1f}" for servers, cost in ours)
    parts.append(f'<polyline points="{points}" fill="none" stroke="{OURS}" stroke-width="2"/>')
    for servers, cost in ours:
        parts += [
            f'<circle cx="{x(servers):.1f}" cy="{y(cost):.1f}" r="4" fill="{OURS}"/>',
            _text(x(servers), y(cost) - 10, f"{cost:,.0f}", "middle", colour=OURS),
        ]
    parts.append(_text(x(ours[0][0]), y(ours[0][1]) + 20, "the whole monitor", "middle", colour=OURS))
    return "\n".join([*parts, "</svg>\n"])


def _text(x: float, y: float, text: str, anchor: str = "start", *, size: int = 13, colour: str = INK) -> str:
    attributes = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {attributes} font-size="{size}" fill="{colour}">{escape(text)}</text>'


def _ceiling(number: float) -> float:
    """Return the next larger round number."""
    size: float = 10 ** math.floor(math.log10(number))
    return next(size * step for step in (1, 2, 4, 6, 8, 10) if size * step >= number)


def goals_table(rows: Sequence[Row]) -> str:
    """Return the rows that have a goal, and how many were met."""
    bound = [row for row in rows if row.at_most is not None]
    missed = sum(row.met is False for row in bound)
    unknown = sum(row.met is None for row in bound)
    summary = f"{len(bound) - missed - unknown} of {len(bound)} are met"
    summary += f", {missed} missed" if missed else ""
    summary += f", {unknown} not judged: a peer was missing" if unknown else ""
    return f"### Goals\n\n{summary}.\n\n{table(bound)}\n"


def section(name: str, rows: Sequence[Row], date: str = "") -> str:
    """Return all rows of a part."""
    source = f"`python -m bench {name}`{date}:"
    return f"### {TITLES.get(name, name)}\n\n{source}\n\n{table(rows)}\n"


@click.command()
@click.argument("results", default=["bench-results.json"], nargs=-1, type=click.Path(path_type=Path, exists=True))
def main(results: tuple[Path, ...]) -> None:
    """Write the measurements into the page and draw the plot; run it in the root of the repository."""
    documents = [json.loads(file.read_text()) for file in results]
    first = documents[0]
    parts, dates = {}, {}
    for document in documents:
        for name, records in document["parts"].items():
            parts[name] = [row_of(record) for record in records]
            dates[name] = "" if document is first else f", {document['date']}"
    text = f"\n{environment_summary(first)}.\n\n{goals_table([row for rows in parts.values() for row in rows])}\n"
    text += "\n".join(section(name, rows, dates[name]) for name, rows in parts.items())
    ours, peer = costs(parts.get("daemon", []))
    if ours:
        about = f"{first['date'][:10]}, {first['machine']['cores']} cores of {first['machine']['cpu']}"
        PLOT.write_text(plot_costs(ours, peer, about))
        text += f"\n![What a check costs, by number of servers]({PLOT.name})\n"
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{text}\n{END}{after}")


if __name__ == "__main__":
    main()
