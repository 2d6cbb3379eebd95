"""Maps of a moment with other lengths of the network's window, and other weights of its branches."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stcodec.attention.grids import resize
from stcodec.diagnose.faults.base import Finding
from stcodec.diagnose.sources import variant
from stcodec.media.clips import export_for, instants, join
from stcodec.media.seek import frames_from
from stcodec.media.shots import mark_shots
from stcodec.types import Arrays, Clip, ClipSpec, FloatArray, TimeArray, VideoInfo
from stcodec.view import View

WINDOWS_SECONDS = (0.4, 1.2, 2.4)
BALANCES = (0.0, 0.25, 0.5, 0.75, 1.0)
_BEFORE_SECONDS, _AFTER_SECONDS = 3.0, 2.6
"""About the moment: the longest window, and before it what the memory of motion needs."""
_APART_SECONDS = 1.0


@dataclass(frozen=True, eq=False, repr=False)
class Variant(Arrays):
    """One map of a moment."""

    label: str
    saliency: FloatArray
    """[h, w] on the grid of the measures."""


def moments(findings: Sequence[Finding], seconds: TimeArray, count: int) -> list[float]:
    """The moments to look at: the first of the findings that lie apart, then evenly spread ones."""
    spread = np.linspace(seconds[0], seconds[-1], count + 2)[1:-1]
    found: list[float] = []
    for at in (*(one.worst_seconds for one in findings), *(float(one) for one in spread)):
        if len(found) < count and all(abs(at - other) >= _APART_SECONDS for other in found):
            found.append(at)
    return sorted(found)


def make_variants(
    path: Path, view: View, video: VideoInfo, text: str, seconds: float, shape: tuple[int, int]
) -> list[Variant]:
    """The maps of a moment by the network that a text names; none if the file can't be read there.

    shape: of the grid of the measures.
    """
    clip = _around(path, view, video, variant(text).spec, seconds)
    if clip is None:
        return []
    found = []
    for window in WINDOWS_SECONDS:
        found.append(_variant(f"window {window:g} s", text, clip, seconds, shape, window_seconds=window))
    for balance in BALANCES:
        label = {0.0: "spatial branch alone", 1.0: "temporal branch alone"}.get(balance, f"balance {balance:g}")
        found.append(_variant(label, text, clip, seconds, shape, balance=balance))
    return found


def _variant(label: str, text: str, clip: Clip, seconds: float, shape: tuple[int, int], **changes: float) -> Variant:
    track = variant(text, **changes).attend(clip)
    nearest = int(np.abs(track.pts_seconds - seconds).argmin())
    return Variant(label, resize(track.saliency[nearest], shape))


def _around(path: Path, view: View, video: VideoInfo, spec: ClipSpec, seconds: float) -> Clip | None:
    """The instants about a moment, in the shot that it is in and its neighbours."""
    clips = []
    with closing(
        frames_from(path, max(video.start_seconds, seconds - _BEFORE_SECONDS), export=export_for(spec), view=view)
    ) as frames:
        for frame, _, clip in instants(frames, video, spec, mark_shots):
            if frame.time > seconds + _AFTER_SECONDS:
                break
            if clip is not None:
                clips.append(clip)
    return join(clips) if clips else None
