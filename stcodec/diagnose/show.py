"""An inspection as a page: which stills, which layers over them, and the rest of what the page shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stcodec.attention.center import map_shape
from stcodec.diagnose.encoded import MOVED, Encoded, shift_of
from stcodec.diagnose.faults import Fault, excess
from stcodec.diagnose.gaze import GAZE
from stcodec.diagnose.measure import Attended
from stcodec.diagnose.offsets import OFFSET_LIMIT, offsets_of
from stcodec.diagnose.peaks import PeakTrails
from stcodec.diagnose.report import write_report
from stcodec.diagnose.report.view import (
    Layer,
    fault_view,
    finding_view,
    lane_seconds,
    lanes,
    layer_block,
    ramps,
    tokens_view,
    trails_view,
)
from stcodec.diagnose.stills import MOST_STILLS, chosen_instants, make_stills
from stcodec.diagnose.variants import make_variants, moments
from stcodec.diagnose.versus import DIFFERENCE
from stcodec.media.paths import display_name
from stcodec.progress import Meter
from stcodec.web.page import finite

if TYPE_CHECKING:
    from stcodec.diagnose.inspect import Inspection, Subject

_SCORED = {MOVED.name: "moved_percent", DIFFERENCE.name: "differs_percent", GAZE.name: "nss"}
"""The measures that further faults go by."""
_EXTRA_LANES = (
    ("qp_follows", "QP in the encode follows the map", "correlation with the offsets"),
    ("temporal_percent", "Share of the temporal branch", "%"),
    ("camera_speed", "Camera", "frame widths a second"),
    ("moving_percent", "Content that moves", "% of the frame"),
)


def write_page(inspection: Inspection, target: Path, folder: Path, meter: Meter) -> None:
    """Write the page of an inspection. folder: for pictures on the way. Raises MediaError."""
    first = inspection.subjects[0].attended
    found = [one.worst_seconds for subject in inspection.subjects for one in (*subject.ranked, *subject.findings)]
    encoded = inspection.encoded
    chosen = chosen_instants(first.series.seconds, found, MOST_STILLS if encoded is None else MOST_STILLS // 2)
    seconds = [float(first.series.seconds[index]) for index in chosen]
    meter.enter("pictures")
    pictures = make_stills(inspection.path, seconds, folder, meter, inspection.options.keep_partial)
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
    name = display_name(inspection.path.name)
    write_report(f"Attention over {name}", blocks, target, overwrite=inspection.options.overwrite)


def _variants(inspection: Inspection, meter: Meter) -> list[dict[str, Any]]:
    """Small multiples of the first source that is our network; none if there is no such."""
    subject = next((one for one in inspection.subjects if one.details is not None), None)
    if subject is None:
        return []
    meter.enter("window and balance")
    findings = [*subject.ranked, *sorted(subject.findings, key=excess, reverse=True)]
    times = moments(findings, subject.attended.series.seconds, inspection.options.moments)
    shown = []
    for at in times:
        made = make_variants(inspection.path, inspection.video, subject.text, at, map_shape(inspection.video))
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
        "faults": [fault_view(one) for one in inspection.faults],
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
    """For each chosen instant; the ways are followed through all."""
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


def subject_layers(inspection: Inspection, number: int, chosen: list[int]) -> list[Layer]:
    """What can be laid over the stills of one source."""
    subject = inspection.subjects[number]
    maps = [subject.attended.maps[index] for index in chosen]
    found = [Layer("map", "Attention map", maps, 0, 1, subject=number)]
    if subject.details is not None:
        details = [subject.details[index] for index in chosen]
        spatial = [one.spatial / max(float(one.spatial.max()), 1e-9) for one in details]
        found.append(Layer("spatial", "Spatial branch alone", spatial, 0, 1, subject=number))
        gains = [one.gain for one in details]
        limit = max(0.5, float(np.percentile(np.abs(gains), 99)))
        label = "What the temporal branch adds"
        found.append(Layer("temporal", label, gains, -limit, limit, "nats", signed=True, subject=number))
    offsets = [offsets_of(one, inspection.video) for one in maps]
    label = "QP offsets (default policy)"
    found.append(Layer("offsets", label, offsets, -OFFSET_LIMIT, OFFSET_LIMIT, "QP", signed=True, subject=number))
    return found


def encoded_layers(original: Attended, encoded: Encoded, chosen: list[int]) -> list[Layer]:
    """What can be laid over the stills of the encode."""
    maps = [encoded.maps[encoded.match[one]] if encoded.match[one] >= 0 else original.maps[one] * np.nan for one in chosen]
    shifts = [shift_of(original, encoded, one) for one in chosen]
    limit = max(1e-4, float(np.percentile(np.abs(shifts), 99.5)))
    found = [
        Layer("encode-map", "Attention on the encode", maps, 0, 1, on_encode=True),
        Layer("moved", "Where attention moved: from blue to orange", shifts, -limit, limit, signed=True, on_encode=True),
    ]
    qp = [encoded.qp[one] for one in chosen]
    if any(np.isfinite(one).all() for one in qp):
        label = "QP in the encode, less the frame's mean"
        found.append(Layer("qp", label, qp, -OFFSET_LIMIT, OFFSET_LIMIT, "QP", signed=True, on_encode=True))
    return found
