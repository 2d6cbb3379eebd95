"""The video with its maps in it: what attention does, in motion, with the audio."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stcodec.diagnose.drawing import contoured, draw_inset, draw_tokens, draw_ways, overlaid
from stcodec.diagnose.measures import OFFSET_LIMIT, offsets_of
from stcodec.diagnose.peaks import PeakTrails, Trail
from stcodec.diagnose.subjects import Inspection, Subject
from stcodec.media.decode import VideoReader
from stcodec.media.output import atomic_output
from stcodec.media.paths import display_name
from stcodec.media.scaling import Thumbnailer
from stcodec.media.video_writer import VideoWriter
from stcodec.progress import Meter
from stcodec.qp import MapTimeline
from stcodec.types import FloatArray
from stcodec.web.colours import Picture

_LONGEST_PX = 1280
"""Longest side of a panel; with two side by side each has two thirds of it."""
_GAP_PX = 8


class _SubjectInTime:
    """A subject's maps at the times of the video's frames, which are asked for in order."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        attended = subject.attended
        self._seconds, self._starts = attended.series.seconds, attended.series.starts
        self._timeline = MapTimeline()
        self._tracks = iter(attended.tracks())
        self._ways = PeakTrails()
        self.index = 0
        """The latest instant, by number."""

    def __call__(self, seconds: float) -> tuple[FloatArray, list[Trail]]:
        """The map at a time, and the ways of its peaks."""
        while (saliency := self._timeline.at(seconds)) is None:
            track = next(self._tracks, None)
            self._timeline.end() if track is None else self._timeline.push(track)
        before, self.index = self.index, max(0, int(np.searchsorted(self._seconds, seconds + 1e-6, "right")) - 1)
        began = bool(np.any(self._starts[before + 1 : self.index + 1]))
        return saliency, self._ways.see(seconds, began, saliency)


def write_video(inspection: Inspection, target: Path, meter: Meter) -> list[str]:
    """Write the video, whole or not at all; what of the video is not in it. Raises MediaError."""
    name = display_name(target)
    meter.enter("video")
    with (
        VideoReader(inspection.path, keep_partial=inspection.options.keep_partial, view=inspection.options.view) as reader,
        atomic_output(target, overwrite=inspection.options.overwrite) as temporary,
    ):
        painter = _Painter(inspection)
        panels = painter.panels
        thumbnail = Thumbnailer(reader.info, _LONGEST_PX if panels == 1 else _LONGEST_PX * 2 // 3)
        height, width = (side // 2 * 2 for side in thumbnail(reader.first_frame).shape[:2])
        with VideoWriter(temporary, name, reader, panels * width + (panels - 1) * _GAP_PX, height) as writer:
            for frame in reader.frames(on_packet=writer.copy):
                meter.frame(frame.time, 0)
                writer.write(frame, painter(thumbnail(frame)[:height, :width], frame.time))
            return list(writer.messages)


class _Painter:
    """Makes the video's picture of a frame."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._style = inspection.options.style
        self._subjects = [_SubjectInTime(subject) for subject in inspection.subjects]
        self.panels = 2 if self._style == "side-by-side" or len(self._subjects) > 1 else 1

    def __call__(self, picture: Picture, seconds: float) -> Picture:
        drawn = []
        for one in self._subjects:
            saliency, trails = one(seconds)
            drawn.append(self._panel(picture, one.subject, one.index, saliency, trails))
        if len(drawn) < self.panels:
            drawn.insert(0, picture)
        if len(drawn) == 1:
            return drawn[0]
        gap = np.zeros((picture.shape[0], _GAP_PX, 3), np.uint8)
        return np.concatenate([drawn[0], gap, drawn[1]], axis=1)

    def _panel(self, picture: Picture, subject: Subject, index: int, saliency: FloatArray, trails: list[Trail]) -> Picture:
        panel = contoured(picture, saliency) if self._style == "contour" else overlaid(picture, saliency)
        if subject.details is not None:
            detail = subject.details[index]
            rows, cols = detail.gate_score.shape
            draw_tokens(panel, (rows, cols), detail.token_index, detail.openness)
        draw_ways(panel, trails)
        draw_inset(panel, offsets_of(saliency, self._inspection.video), OFFSET_LIMIT)
        return panel
