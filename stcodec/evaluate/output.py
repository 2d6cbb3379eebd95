"""Files that an evaluation leaves in its folder: results.json, results.csv and the report.

Curves have the layout of CompressAI's result files, with our own fields beside them:
{"name", "source", "description", "results": {"crf": [...], "bitrate": [...], METRIC: [...], ...}}: one value a point, by
rising bitrate, bitrate in kbit/s; docs/evaluate.md is the contract of the rest.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

from stcodec.errors import MediaError
from stcodec.evaluate.report import REPORT_NAME, write_report
from stcodec.evaluate.results import RESULTS_SCHEMA, WORST, Curve, Evaluation, Point
from stcodec.media.output import atomic_output, check_output
from stcodec.media.paths import display_name, file_error, local_url
from stcodec.report import json_value

RESULTS_NAME = "results.json"
TABLE_NAME = "results.csv"


def check_folder(folder: Path, *, overwrite: bool) -> None:
    """Raises MediaError unless results can be written into a folder, made or still to be made, without losing others."""
    local_url(folder)
    if not folder.exists():
        check_output(folder, overwrite=False)
        return
    if not folder.is_dir():
        raise MediaError(f"{display_name(folder)}: is a file; give a folder for the report", path=folder)
    for name in (RESULTS_NAME, TABLE_NAME, REPORT_NAME):
        check_output(folder / name, overwrite=overwrite)


def make_folder(folder: Path) -> None:
    """Make the folder if it is not there. Raises MediaError."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise file_error(folder, "can't be made", error) from None


def write_all(results: Evaluation, folder: Path) -> None:
    """Write results.json, results.csv and report.html, each whole or not at all. Raises MediaError."""
    for name, text in ((RESULTS_NAME, to_json(results)), (TABLE_NAME, to_csv(results))):
        with atomic_output(folder / name, overwrite=True) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_report(results, folder)


_DIGITS = 6
_SERIES_DIGITS = 4


def to_json(results: Evaluation) -> str:
    """The whole evaluation as JSON."""
    return json.dumps(as_mapping(results), ensure_ascii=True, allow_nan=False) + "\n"


def as_mapping(results: Evaluation, *, with_series: bool = True) -> dict[str, Any]:
    """Content of `results.json`; without series the values of single frames are left out."""
    arms = {arm.name: arm for arm in results.arms}
    fields = dataclasses.asdict(dataclasses.replace(results, curves=()))
    clips = fields.pop("clips")
    del fields["curves"]
    if not with_series:
        clips = [{name: value for name, value in clip.items() if name not in ("seconds", "scored")} for clip in clips]
    value = {
        "schema": RESULTS_SCHEMA,
        **fields,
        "self_weighted": results.self_weighted,
        "clips": clips,
        "curves": [_curve(curve, arms[curve.arm].attention, with_series) for curve in results.curves],
    }
    rounded: dict[str, Any] = json_value(value)
    return rounded


def to_csv(results: Evaluation) -> str:
    """One line a point: what it is, its bits and its pooled scores."""
    names = [name for metric in results.metrics for name in (metric.name, metric.name + WORST)]
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["clip", "encoder", "arm", "self_weighted", "crf", "kbps", "video_bytes", *names])
    for curve in results.curves:
        for point in curve.points:
            what = [_cell(curve.clip), curve.encoder, _cell(curve.arm), str(curve.self_weighted).lower()]
            bits = [_number(point.crf), _number(point.kbps), str(point.video_bytes)]
            table.writerow([*what, *bits, *(_number(point.scores.get(name)) for name in names)])
    return out.getvalue()


def _curve(curve: Curve, source: str, with_series: bool) -> dict[str, Any]:
    points = curve.points
    names = list(dict.fromkeys(name for point in points for name in point.scores))
    columns: dict[str, list[Any]] = {"crf": [point.crf for point in points], "bitrate": [point.kbps for point in points]}
    columns |= {name: [point.scores.get(name) for point in points] for name in names}
    weighted = ", self-weighted: no result" if curve.self_weighted else ""
    value: dict[str, Any] = {
        "name": " ".join(part for part in (curve.clip, curve.encoder, curve.arm) if part),
        "source": source,
        "description": f"{curve.arm} on {curve.clip}{weighted}; bitrate in kbit/s",
        "results": columns,
        "clip": curve.clip,
        "encoder": curve.encoder,
        "arm": curve.arm,
        "self_weighted": curve.self_weighted,
        "points": [_point(point) for point in points],
    }
    if with_series:
        names = list(dict.fromkeys(name for point in points for name in point.series))
        value["series"] = {name: [json_value(point.series.get(name), _SERIES_DIGITS) for point in points] for name in names}
    return value


def _point(point: Point) -> dict[str, Any]:
    """Fields of a point beside its scores."""
    kept = ("name", "video_bytes", "frames", "mean_delta_qp", "encode_seconds", "offsets_verdict")
    return {name: getattr(point, name) for name in kept}


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.{_DIGITS}g}" if abs(value) < 1 else f"{value:.4f}".rstrip("0").rstrip(".")
