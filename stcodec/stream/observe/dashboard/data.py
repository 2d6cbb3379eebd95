"""Data of the dashboard: the newest state, the last minutes for its charts, and the preview."""

from __future__ import annotations

import base64
import threading
import uuid
from collections import deque
from typing import Any

import numpy as np

from stcodec.media.pictures import still_bytes
from stcodec.stream.observe.metrics import health_problems
from stcodec.stream.observe.snapshot import LivePreview, RenditionState, StreamSnapshot
from stcodec.stream.observe.status import record
from stcodec.web.page import finite

KEPT = 600
"""Moments: ten minutes of one a second."""
_QUALITY, _EFFORT = 70, 2


class DashboardData:
    """Safe from any thread."""

    def __init__(self) -> None:
        self._run = uuid.uuid4().hex
        """A page that was open before a restart must not mix two streams."""
        self._moments: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._count = 0
        self._lock = threading.Lock()
        self._shown: tuple[LivePreview, dict[str, Any]] | None = None

    def keep(self, snapshot: StreamSnapshot) -> None:
        """Another moment for the charts."""
        with self._lock:
            self._moments.append(_moment(snapshot))
            self._count += 1

    def state(self, now: StreamSnapshot, since: int) -> dict[str, Any]:
        """The newest state, and the moments from number `since` on as far as they are kept."""
        with self._lock:
            first = self._count - len(self._moments)
            start = since if first <= since <= self._count else first
            moments = list(self._moments)[start - first :]
            count = self._count
        state = {
            "run": self._run,
            "first": start,
            "next": count,
            "moments": moments,
            "ill": health_problems(now),
            "now": record(now),
        }
        return finite(state)  # type: ignore[no-any-return]

    def preview(self, preview: LivePreview | None) -> dict[str, Any] | None:
        """A picture as a data URL, and its map as bytes (254 = most attended); coded once however many look."""
        if preview is None:
            return None
        with self._lock:
            if self._shown is None or self._shown[0] is not preview:
                self._shown = preview, _shown(preview)
            return self._shown[1]


def _moment(now: StreamSnapshot) -> dict[str, Any]:
    return {
        "at": round(now.running_seconds, 2),
        "latency": now.latency_seconds,
        "map_age": now.map_age_seconds,
        "pressure": int(now.pressure),
        "renditions": [_rendition(one) for one in now.renditions],
    }


def _rendition(one: RenditionState) -> dict[str, Any]:
    return {
        "kbps": one.kbps,
        "target": one.target_kbps,
        "attended": one.mean_qp_attended,
        "elsewhere": one.mean_qp_elsewhere,
        "dropped": one.frames_dropped,
    }


def _shown(preview: LivePreview) -> dict[str, Any]:
    picture = base64.b64encode(still_bytes(preview.picture, _QUALITY, _EFFORT)).decode()
    height, width = preview.picture.shape[:2]
    saliency = None
    if preview.saliency is not None:
        rows, cols = preview.saliency.shape
        cells = np.clip(np.nan_to_num(preview.saliency) * 254, 0, 254).round().astype(np.uint8)
        saliency = {"rows": rows, "cols": cols, "bytes": base64.b64encode(cells.tobytes()).decode()}
    return {
        "seconds": preview.seconds,
        "width": width,
        "height": height,
        "picture": f"data:image/webp;base64,{picture}",
        "map": saliency,
    }
