"""From encodes and raw scores to clips and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from stcodec.evaluate.clips import ClipFile
from stcodec.evaluate.guidance import Maps
from stcodec.evaluate.plan import EvaluationPlan, Judging
from stcodec.evaluate.points import Scored
from stcodec.evaluate.reference import Reference
from stcodec.evaluate.results import ClipInfo, Curve, Point
from stcodec.evaluate.summary import by_rate, scores_of, series_of
from stcodec.media.paths import display_name

_SLACK_SECONDS = 1e-6


class Place(NamedTuple):
    """Which point it is."""

    clip: str
    encoder: str
    arm: str
    crf: float


@dataclass(frozen=True)
class ClipWork:
    """A clip that is ready to be encoded."""

    clip: ClipFile
    reference: Reference
    judging: Judging
    weights: Maps
    maps: Mapping[str, Maps]
    """By arm, but for the plain one; arms whose maps failed are not there."""

    @property
    def scored(self) -> tuple[bool, ...]:
        """[T] the frames that count."""
        return tuple(seconds >= self.judging.lead_seconds - _SLACK_SECONDS for seconds in self.reference.seconds)

    def info(self) -> ClipInfo:
        """The clip, as results tell of it."""
        reference = self.reference
        return ClipInfo(
            name=display_name(self.clip.name),
            path=display_name(self.clip.path),
            width_px=reference.width_px,
            height_px=reference.height_px,
            frames_per_second=reference.frames_per_second,
            seconds=reference.seconds,
            scored=self.scored,
            prepared=reference.prepared,
            weights=self.judging.description,
            weights_source=display_name(self.judging.weights.text),
            shots=reference.shots,
        )


def curves_of(plan: EvaluationPlan, work: ClipWork, points: Mapping[Place, Scored]) -> list[Curve]:
    """The curves of one clip; those without a point are left out."""
    curves = []
    for encoder in plan.options.encoders:
        for arm in plan.options.arms:
            mine = [
                (crf, found)
                for crf in plan.options.crfs
                if (found := points.get(Place(work.clip.name, encoder, arm.name, crf))) is not None
            ]
            if mine:
                made = by_rate(_point(crf, found, work.scored) for crf, found in mine)
                weighted = work.judging.is_self_weighted(arm.name)
                curves.append(Curve(display_name(work.clip.name), encoder, arm.name, weighted, made))
    return curves


def _point(crf: float, found: Scored, scored: tuple[bool, ...]) -> Point:
    encoded = found.encoded
    return Point(
        crf=crf,
        kbps=encoded.kbps,
        video_bytes=encoded.video_bytes,
        frames=encoded.frames,
        scores=scores_of(found.raw, scored),
        series=series_of(found.raw),
        mean_delta_qp=encoded.mean_delta_qp,
        encode_seconds=encoded.seconds,
        offsets_verdict=encoded.verdict,
    )
