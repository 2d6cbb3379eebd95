"""The video with its maps in it: what attention does, in motion, with the sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stcodec.diagnose.drawing import contoured, draw_inset, draw_tokens, draw_ways, overlaid
from stcodec.diagnose.measure import Attended
from stcodec.diagnose.offsets import OFFSET_LIMIT, offsets_of
from stcodec.diagnose.peaks import PeakTrails, Trail
from stcodec.media.decode import VideoReader
from stcodec.media.film_writer import FilmWriter
from stcodec.media.output import atomic_output
from stcodec.media.paths import display_name
from stcodec.media.thumbnails import Thumbnailer
from stcodec.pipeline.progress import Meter
from stcodec.types import FloatArray
from stcodec.web.colours import Picture

if TYPE_CHECKING:
    from stcodec.diagnose.inspect import Inspection, Subject

_LONGEST_PX = 1280
"""Longest side of a panel; with two side by side each has two thirds of it."""
_GAP_PX = 8


class MapAtTime:
    """A video's maps at the times of its frames: linear between two instants of a shot, held at its end."""

    def __init__(self, attended: Attended) -> None:
        self._maps = attended.maps
        self._seconds = attended.series.seconds
        self._starts = attended.series.starts
        self.index = 0
        """The latest instant, by number."""
        self._before = self._after = self._maps[0]

    def __call__(self, seconds: float) -> tuple[FloatArray, bool]:
        """The map at a time, not before the last that was asked for; and whether a shot began since that."""
        began = False
        while self.index + 1 < len(self._seconds) and self._seconds[self.index + 1] <= seconds + 1e-6:
            self.index += 1
            began |= bool(self._starts[self.index])
            self._before = self._maps[self.index]
            self._after = self._maps[min(self.index + 1, len(self._seconds) - 1)]
        following = self.index + 1
        if following == len(self._seconds) or self._starts[following]:
            return self._before, began
        if self.index == 0:
            self._after = self._maps[following]
        step = self._seconds[following] - self._seconds[self.index]
        share = np.float32(max(0.0, seconds - self._seconds[self.index]) / step)
        return self._before + share * (self._after - self._before), began


def write_film(inspection: Inspection, target: Path, meter: Meter) -> list[str]:
    """Write the film, whole or not at all; what of the video is not in it. Raises MediaError."""
    name = display_name(target)
    meter.enter("film")
    with (
        VideoReader(inspection.path, keep_partial=inspection.options.keep_partial) as reader,
        atomic_output(target) as temporary,
    ):
        painter = _Painter(inspection)
        panels = painter.panels
        thumbnail = Thumbnailer(reader.info, _LONGEST_PX if panels == 1 else _LONGEST_PX * 2 // 3)
        height, width = (side // 2 * 2 for side in thumbnail(reader.first_frame).shape[:2])
        with FilmWriter(temporary, name, reader, panels * width + (panels - 1) * _GAP_PX, height) as writer:
            for frame in reader.frames(on_packet=writer.copy):
                meter.frame(frame.time, 0)
                writer.write(frame, painter(thumbnail(frame)[:height, :width], frame.time))
            return list(writer.messages)


class _Painter:
    """Makes the film's picture of a frame."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._style = inspection.options.style
        self._subjects = [(subject, MapAtTime(subject.attended), PeakTrails()) for subject in inspection.subjects]
        self.panels = 2 if self._style == "side-by-side" or len(self._subjects) > 1 else 1

    def __call__(self, picture: Picture, seconds: float) -> Picture:
        drawn = []
        for subject, maps, ways in self._subjects:
            saliency, began = maps(seconds)
            trails = ways.see(seconds, began, saliency)
            drawn.append(self._panel(picture, subject, maps.index, saliency, trails))
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
