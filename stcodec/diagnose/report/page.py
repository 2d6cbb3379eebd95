"""An inspection as a page: its stills, the layers over them, and all else as JSON in the template of this folder."""

from __future__ import annotations

import html
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stcodec.attention.center import map_shape
from stcodec.diagnose.encoded import MOVED
from stcodec.diagnose.faults import Fault, excess
from stcodec.diagnose.peaks import PeakTrails
from stcodec.diagnose.ranked import DIFFERENCE, GAZE
from stcodec.diagnose.report.layers import Layer, encoded_layers, layer_block, ramps, subject_layers
from stcodec.diagnose.report.stills import MOST_STILLS, chosen_instants, make_stills
from stcodec.diagnose.report.view import (
    finding_view,
    lane_seconds,
    lanes,
    tokens_view,
    trails_view,
)
from stcodec.diagnose.subjects import Inspection, Subject
from stcodec.diagnose.variants import make_variants, moments
from stcodec.media.output import atomic_output
from stcodec.media.paths import display_name
from stcodec.progress import Meter
from stcodec.web.page import Page, finite

PAGE = Page(
    __package__,
    shared=("dom", "lines", "grids"),
    scripts=("data", "contours", "stage", "timeline", "findings", "branches", "main"),
)
_SCORED = {MOVED.name: "moved_percent", DIFFERENCE.name: "differs_percent", GAZE.name: "nss"}
"""The measures that further faults go by."""
_EXTRA_LANES = (
    ("qp_follows", "QP in the encode follows the map", "correlation with the offsets"),
    ("confidence", "Confidence", "expected NSS"),
    ("temporal_percent", "Share of the temporal branch", "%"),
    ("camera_speed", "Camera", "frame widths a second"),
    ("moving_percent", "Content that moves", "% of the frame"),
)


def write_page(inspection: Inspection, target: Path, folder: Path, meter: Meter) -> None:
    """Write the page of an inspection, whole or not at all. folder: for pictures on the way. Raises MediaError."""
    first, options = inspection.subjects[0].attended, inspection.options
    found = [one.worst_seconds for subject in inspection.subjects for one in (*subject.ranked, *subject.findings)]
    encoded = inspection.encoded
    chosen = chosen_instants(first.series.seconds, found, MOST_STILLS if encoded is None else MOST_STILLS // 2)
    seconds = [float(first.series.seconds[index]) for index in chosen]
    meter.enter("pictures")
    pictures = make_stills(inspection.path, seconds, folder, meter, options.keep_partial, options.view)
    layers = [layer for number in range(len(inspection.subjects)) for layer in subject_layers(inspection, number, chosen)]
    blocks: dict[str, Any] = {
        "data": finite(_data(inspection, chosen, seconds)),
        "ramps": ramps(),
        "layers": [layer_block(layer) for layer in layers],
        "stills": pictures,
    }
    if encoded is not None:
        shift = encoded.start_seconds - inspection.video.start_seconds
        meter.enter("pictures of the encode")
        there = [one + shift for one in seconds]
        blocks["encoded-stills"] = make_stills(encoded.path, there, folder, meter, inspection.options.keep_partial)
        blocks["layers"] += [layer_block(layer) for layer in encoded_layers(first, encoded, chosen)]
    blocks["variant-moments"] = _variants(inspection, meter)
    title = html.escape(f"Attention over {display_name(inspection.path.name)}")
    with atomic_output(target, overwrite=inspection.options.overwrite) as temporary:
        temporary.write_text(PAGE.render(blocks, title=title), encoding="utf-8", newline="\n")


def _variants(inspection: Inspection, meter: Meter) -> list[dict[str, Any]]:
    """Small multiples of the first source that is our network; none if there is no such."""
    subject = next((one for one in inspection.subjects if one.details is not None), None)
    if subject is None:
        return []
    meter.enter("window and balance")
    findings = [*subject.ranked, *sorted(subject.findings, key=excess, reverse=True)]
    times = moments(findings, subject.attended.series.seconds, inspection.options.moments)
    shown, view = [], inspection.options.view
    for at in times:
        meter.now(f"the map of {at:.1f} s again")
        made = make_variants(inspection.path, view, inspection.video, subject.text, at, map_shape(inspection.video))
        maps = [layer_block(Layer(one.label, one.label, [one.saliency], 0, 1)) for one in made]
        shown.append({"seconds": at, "maps": maps})
    return shown


def _data(inspection: Inspection, chosen: list[int], seconds: list[float]) -> dict[str, Any]:
    video, first = inspection.video, inspection.subjects[0].attended
    return {
        "video": display_name(inspection.path.name),
        "width_px": video.display_width_px,
        "height_px": video.display_height_px,
        "frames": first.frames,
        "instants": len(first.series),
        "start_seconds": float(first.series.seconds[0]),
        "end_seconds": float(first.series.seconds[-1]),
        "cuts": [round(float(one), 3) for one in first.series.seconds[first.series.starts]],
        "stills": [round(one, 3) for one in seconds],
        "faults": [asdict(one) for one in inspection.faults],
        "seconds": lane_seconds(first.series),
        "subjects": [_subject(one, inspection.faults, chosen, seconds) for one in inspection.subjects],
        "notes": inspection.notes,
    }


def _subject(subject: Subject, faults: list[Fault], chosen: list[int], seconds: list[float]) -> dict[str, Any]:
    return {
        "attention": subject.text,
        "findings": [finding_view(one, seconds) for one in subject.findings],
        "ranked": [finding_view(one, seconds) for one in subject.ranked],
        "lanes": lanes(subject.attended.series, faults, _SCORED, _EXTRA_LANES),
        "trails": _trails(subject, set(chosen)),
        "tokens": _tokens(subject, chosen, seconds),
    }


def _trails(subject: Subject, chosen: set[int]) -> list[Any]:
    """Trails for each chosen instant; the ways are followed through all."""
    peaks, found = PeakTrails(), []
    series = subject.attended.series
    for index, (seconds, starts) in enumerate(zip(series.seconds, series.starts, strict=True)):
        trails = peaks.see(float(seconds), bool(starts), subject.attended.maps[index])
        if index in chosen:
            found.append(trails_view(trails))
    return found


def _tokens(subject: Subject, chosen: list[int], seconds: list[float]) -> list[Any]:
    if subject.details is None:
        return []
    return [tokens_view(subject.details[index], now) for index, now in zip(chosen, seconds, strict=True)]
