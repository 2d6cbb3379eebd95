"""The frames that are encoded and that all results are compared with: the clip itself, or a lossless part of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stcodec.evaluate.clips import ClipFile
from stcodec.evaluate.options import EvaluateOptions
from stcodec.media.decode import VideoReader
from stcodec.media.lossless import SUFFIX, write_lossless
from stcodec.media.shots import mark_shots
from stcodec.types import VideoInfo
from stcodec.work.cache import Cache, content_hash, key_of
from stcodec.work.versions import made_by


@dataclass(frozen=True)
class PreparedClip:
    """A clip, ready to be encoded."""

    clip: str
    """Its name."""
    original: Path
    path: Path
    """The frames that are encoded: the original, or a lossless file in the cache."""
    key: str
    """Hash of everything that its frames depend on."""
    frames: int | None
    """Number of the original's frames that were asked for; None = all."""
    scale: float
    width_px: int
    """In display orientation, as encoded."""
    height_px: int
    frames_per_second: float | None
    seconds: tuple[float, ...]
    """[T] time of each frame since the first."""
    shots: tuple[float, ...]
    """Seconds at which shots begin."""
    notes: tuple[str, ...] = ()
    """What was done to the original's times and pictures, and what of it can't be right."""

    @property
    def prepared(self) -> str:
        """Changes made to the clip, for people; "" if none."""
        cut = f"first {len(self.seconds)} frames" if self.frames is not None else ""
        scaled = f"scaled by {self.scale:g} to {self.width_px}x{self.height_px}" if self.scale != 1 else ""
        return ", ".join(part for part in (cut, scaled) if part)


@dataclass(frozen=True)
class ReferenceTask:
    """A clip to be prepared."""

    clip: ClipFile
    options: EvaluateOptions
    cache: Cache

    def run(self) -> PreparedClip:
        """Prepare it, or find it prepared. Raises MediaError."""
        original, cache = self.clip.path, self.cache
        with VideoReader(original) as reader:
            scale, frames = self.options.scale_for(_lines(reader.info)), self.options.frames
            as_it_is = scale == 1 and frames is None
            key = key_of(
                content=content_hash(original),
                frames=frames,
                scale=scale,
                made_by=made_by("reference") if not as_it_is else "",
            )
            path = original if as_it_is else cache.place("references", key, SUFFIX)
            if not path.exists():
                with cache.writing(path) as temporary:
                    write_lossless(reader, temporary, frames=frames, scale=scale)
            notes = reader.notes()
        facts = self._facts(path, key)
        facts["notes"] = tuple(dict.fromkeys([*notes, *facts["notes"]]))
        return PreparedClip(self.clip.name, original, path, key, frames, scale, **facts)

    def _facts(self, path: Path, key: str) -> dict[str, Any]:
        """The last fields of PreparedClip."""
        place = self.cache.place("references", key_of(reference=key, made_by=made_by("reference")), ".json")
        known = self.cache.read_json(place)
        if known is None:
            known = _read_facts(path)
            self.cache.write_json(place, known)
        return {**known, "seconds": tuple(known["seconds"]), "shots": tuple(known["shots"]), "notes": known.get("notes", [])}


def _read_facts(path: Path) -> dict[str, Any]:
    seconds: list[float] = []
    shots: list[float] = []
    with VideoReader(path) as reader:
        video = reader.info
        for frame, starts in mark_shots(reader.frames(), video):
            seconds.append(frame.time)
            if starts:
                shots.append(frame.time - seconds[0])
        notes = reader.notes()
    return {
        "width_px": video.display_width_px,
        "height_px": video.display_height_px,
        "frames_per_second": float(video.frame_rate) if video.frame_rate else None,
        "seconds": [one - seconds[0] for one in seconds],
        "shots": shots,
        "notes": notes,
    }


def _lines(video: VideoInfo) -> int:
    """The lines that people name a video by: the shorter side, however it is turned."""
    return min(video.width_px, video.height_px)
