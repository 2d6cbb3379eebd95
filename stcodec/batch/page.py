"""The summary as a page: one HTML file that opens offline, without scripts."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from stcodec.batch.summary import BatchSummary
from stcodec.batch.table import JobRow
from stcodec.media.output import atomic_output, check_output
from stcodec.media.paths import display_name
from stcodec.web.page import page_policy

_MOST_ROWS = 2000
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1b1f24; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .25rem .6rem; text-align: right; }
th:first-child, td:first-child, td.text { text-align: left; overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #8c959f; } tbody tr:nth-child(even) { background: #f3f5f7; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; } dt { color: #57606a; } dd { margin: 0; }
.bad { color: #b32020; }
@media (prefers-color-scheme: dark) {
  body { background: #14181d; color: #dde3ea; } tbody tr:nth-child(even) { background: #1d232a; }
  dt { color: #9aa5b1; } .bad { color: #ff8f8f; }
}
"""


def write_page(summary: BatchSummary, rows: Iterable[JobRow], path: Path, *, overwrite: bool) -> None:
    """Write the page, whole or not at all; rows: the files that are done. Raises MediaError."""
    target = check_output(path, overwrite=overwrite)
    shown = list(islice(rows, _MOST_ROWS))
    with atomic_output(target, overwrite=overwrite) as temporary:
        temporary.write_text(_page(summary, shown), encoding="utf-8", errors="backslashreplace")


def _page(summary: BatchSummary, rows: Sequence[JobRow]) -> str:
    failures = _table(
        ("file", "why", "tries"),
        [(one.source, one.error, f"{one.attempts}") for one in summary.failures[:_MOST_ROWS]],
        text_columns=2,
    )
    more = f"<p>The first {len(rows)} of {summary.done} files.</p>" if summary.done > len(rows) else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{html.escape(page_policy(_STYLE, ""))}">'
        '<meta name="viewport" content="width=device-width"><title>Batch of videos</title>'
        f"<style>{_STYLE}</style></head><body><h1>Batch of videos</h1>{_facts(summary)}"
        + (f'<h2 class="bad">Failed</h2>{failures}' if summary.failures else "")
        + f"<h2>Files, by what they save</h2>{more}{_table(_COLUMNS, [_row(row) for row in rows])}</body></html>\n"
    )


_COLUMNS = ("file", "before, MB", "after, MB", "saving", "frames", "encode, s", "PSNR, dB")


def _row(row: JobRow) -> tuple[str, ...]:
    after = row.output_bytes or 0
    saving = f"{100 * (1 - after / row.source_bytes):.1f} %" if row.source_bytes else ""
    quality = "" if row.quality_db is None else f"{row.quality_db:.1f}"
    megabytes = (f"{size / 1e6:.2f}" for size in (row.source_bytes, after))
    return display_name(row.output), *megabytes, saving, f"{row.frames or 0}", f"{row.wall_seconds or 0:.1f}", quality


def _facts(summary: BatchSummary) -> str:
    facts = {
        "videos": f"{summary.files}",
        "done": f"{summary.done}",
        "failed": f"{summary.failed}",
        "waiting or being made": f"{summary.waiting + summary.running}",
        "hours of video": f"{summary.video_hours:.2f}",
        "before": f"{summary.bytes_before / 1e6:.1f} MB",
        "after": f"{summary.bytes_after / 1e6:.1f} MB",
    }
    if summary.saving_percent is not None:
        facts["saving"] = f"{summary.saving_percent:.1f} %"
    if summary.mean_quality_db is not None:
        facts["PSNR where the maps say viewers look"] = (
            f"{summary.mean_quality_db:.1f} dB on average, {summary.least_quality_db:.1f} dB at least "
            "(sampled; weighted by the maps that guided the encodes)"
        )
    return (
        "<dl>"
        + "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts.items())
        + "</dl>"
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(_cell(place, cell, text_columns) for place, cell in enumerate(row)) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(place: int, text: str, text_columns: int) -> str:
    kind = ' class="text"' if place < text_columns else ""
    return f"<td{kind}>{html.escape(text)}</td>"
