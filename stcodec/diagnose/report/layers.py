"""Grids that can be laid over the stills of the page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stcodec.diagnose.encoded import InspectedEncode, shift_of
from stcodec.diagnose.measure import Attended
from stcodec.diagnose.measures import OFFSET_LIMIT, offsets_of
from stcodec.diagnose.subjects import Inspection
from stcodec.types import FloatArray
from stcodec.web.colours import AMOUNT, SIGNED


@dataclass(frozen=True)
class Layer:
    """Grids that can be laid over the stills, one for each."""

    name: str
    label: str
    grids: Sequence[FloatArray]
    low: float
    high: float
    """Values of the darkest and the brightest colour."""
    unit: str = ""
    signed: bool = False
    """True: blue to orange, with none in the middle."""
    subject: int = 0
    """The source that it belongs to."""
    on_encode: bool = False
    """True: it is laid over the encode's frames."""


def layer_block(layer: Layer) -> dict[str, Any]:
    """A layer with its grids as base64 of bytes, 0 = low, 254 = high, 255 = not known."""
    rows, cols = layer.grids[0].shape
    fields = {name: value for name, value in vars(layer).items() if name != "grids"}
    return {
        **fields,
        "rows": rows,
        "cols": cols,
        "bytes": base64.b64encode(b"".join(_bytes(grid, layer.low, layer.high) for grid in layer.grids)).decode(),
    }


def _bytes(grid: FloatArray, low: float, high: float) -> bytes:
    scaled = np.clip((grid - low) / max(high - low, 1e-9), 0, 1) * 254
    return np.where(np.isfinite(grid), np.nan_to_num(scaled).round(), 255).astype(np.uint8).tobytes()


def ramps() -> dict[str, Any]:
    """Both colour tables, [256][3]."""
    return {"amount": AMOUNT.tolist(), "signed": SIGNED.tolist()}


def subject_layers(inspection: Inspection, number: int, chosen: list[int]) -> list[Layer]:
    """Layers for the stills of one source."""
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


def encoded_layers(original: Attended, encoded: InspectedEncode, chosen: list[int]) -> list[Layer]:
    """Layers for the stills of the encode."""
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
