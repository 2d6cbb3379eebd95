"""Results of `evaluate` and `compare` as text."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stcodec.media.paths import display_name

if TYPE_CHECKING:
    from stcodec.evaluate import Evaluation
    from stcodec.evaluate.results import Curve, Failure, Headline, Point

EXIT_SOME_FAILED = 3
_MOST_LINES = 20


def show_results(results: Evaluation, arguments: argparse.Namespace) -> int:
    """Print results as the flags --json, --quiet and --report ask; the exit status: 3 if something failed."""
    from stcodec.evaluate.output import as_mapping

    if arguments.json:
        print(json.dumps({"event": "results", **as_mapping(results, with_series=False)}), flush=True)
    elif not arguments.quiet:
        has_rates = any(line.bd_rate_percent is not None for line in results.headlines)
        print("\n\n".join([headline_table(results)] if has_rates else [points_table(results)]))
        _tell("no BD-rate", _refusals(results))
        _tell("note", results.notes)
        if arguments.report is not None:
            print(f"the report: {display_name(Path(arguments.report) / 'report.html')}", file=sys.stderr)
    _tell("failed", [_failure(one) for one in results.failures])
    return EXIT_SOME_FAILED if results.failures else 0


def headline_table(results: Evaluation) -> str:
    """Bits at equal quality against the plain arm: a row a metric, a column an arm, for each encoder."""
    parts = []
    for encoder in dict.fromkeys(line.encoder for line in results.headlines):
        lines = [line for line in results.headlines if line.encoder == encoder]
        arms = list(dict.fromkeys(line.arm for line in lines))
        cells = {(line.metric, line.arm): line for line in lines}
        rows = [["", *arms]]
        for metric in results.metrics:
            if any(metric.name == line.metric for line in lines):
                rows.append([metric.label, *(_rate(cells.get((metric.name, arm))) for arm in arms)])
        shares = [cells.get((results.headline_metric, arm)) for arm in arms]
        if any(line is not None and line.share_of_human is not None for line in shares):
            rows.append(["of the human arm's saving", *(_share(line) for line in shares)])
        clips = max(line.clips for line in lines)
        parts.append(f"{encoder}: bits at equal quality against plain, {_mean_of(clips)}\n{aligned(rows)}")
    return "\n\n".join(parts)


def _mean_of(clips: int) -> str:
    return "one clip, so without interval" if clips == 1 else f"mean of {clips} clips [95 % interval]"


def points_table(results: Evaluation) -> str:
    """Every point: a row a point, a column a metric."""
    rows = [["", "crf", "kbit/s", *(metric.label for metric in results.metrics)]]
    for curve in results.curves:
        for point in curve.points:
            scores = (point.scores.get(metric.name) for metric in results.metrics)
            cells = [_score(score, metric.decimals) for score, metric in zip(scores, results.metrics, strict=True)]
            rows.append([_point_name(results, curve, point), _crf(point), f"{point.kbps:.0f}", *cells])
    if all(row[1] == "" for row in rows[1:]):
        rows = [[row[0], *row[2:]] for row in rows]
    return aligned(rows)


def _point_name(results: Evaluation, curve: Curve, point: Point) -> str:
    if results.kind == "compare":
        return curve.arm
    weighted = " (self-weighted)" if curve.self_weighted else ""
    return f"{curve.clip} {curve.encoder} {curve.arm}{weighted}"


def _crf(point: Point) -> str:
    return "" if point.crf is None else f"{point.crf:g}"


def _score(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _rate(line: Headline | None) -> str:
    if line is None or line.bd_rate_percent is None:
        return "-"
    text = f"{line.bd_rate_percent:+.1f} %"
    if line.low_percent is not None and line.high_percent is not None:
        text += f" [{line.low_percent:+.1f}, {line.high_percent:+.1f}]"
    return text + (" self-weighted" if line.self_weighted else "")


def _share(line: Headline | None) -> str:
    return "-" if line is None or line.share_of_human is None else f"{line.share_of_human:.0%}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, the first to the left, the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _refusals(results: Evaluation) -> list[str]:
    """Reasons why BD-rates are missing, each once with the curves it holds for."""
    reasons: dict[str, list[str]] = {}
    for saving in results.savings:
        if saving.refused:
            reasons.setdefault(saving.refused, []).append(" ".join((saving.clip, saving.encoder, saving.arm, saving.metric)))
    return [f"{', '.join(where[:3])}{_more(len(where) - 3)}: {why}" for why, where in reasons.items()]


def _failure(failure: Failure) -> str:
    crf = "" if failure.crf is None else f"crf {failure.crf:g}"
    where = " ".join(part for part in (failure.clip, failure.encoder, failure.arm, crf, failure.what) if part)
    return f"{where}: {failure.message}"


def _tell(what: str, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_LINES]:
        print(f"{what}: {display_name(line)}", file=sys.stderr)
    if len(lines) > _MOST_LINES:
        print(f"{what}: {len(lines) - _MOST_LINES} more, all in results.json", file=sys.stderr)


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
