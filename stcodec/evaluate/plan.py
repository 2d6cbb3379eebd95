"""Plan of an evaluation, checked before anything is encoded: clips, guides of the arms, weights of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stcodec.attention.gaze import GazeSource
from stcodec.encoders.table import find_encoder
from stcodec.errors import OptionsError
from stcodec.evaluate.catalogue import choose_metrics
from stcodec.evaluate.clips import ClipFile, find_clips
from stcodec.evaluate.gaze import LEAD_SECONDS, split_observers
from stcodec.evaluate.guidance import Guide, check_source
from stcodec.evaluate.options import CLIP, ArmChoice, EvaluateOptions
from stcodec.evaluate.results import HUMAN, Arm, Metric
from stcodec.evaluate.scanpaths import check_scanpaths
from stcodec.media.paths import display_name
from stcodec.metrics.bd import MIN_POINTS, check_sign
from stcodec.options import EncodeOptions

_GAZE = "gaze:"
_FEW_POINTS = 5
_FEW_CLIPS = 5


@dataclass(frozen=True)
class Judging:
    """Weights of the attended scores of one clip, and guides of its arms."""

    weights: Guide
    description: str
    """"gaze of 16 of 32 observers"."""
    guides: dict[str, Guide]
    """By arm, but for the plain one."""

    @property
    def lead_seconds(self) -> float:
        """Seconds from the start that are left out of the scores."""
        return LEAD_SECONDS if self.weights.text.startswith(_GAZE) else 0.0

    def is_self_weighted(self, arm: str) -> bool:
        """True if the source that guides an arm also weights its scores."""
        return arm in self.guides and self.guides[arm].shares_with(self.weights)


@dataclass(frozen=True)
class EvaluationPlan:
    """An evaluation that was found possible."""

    clips: tuple[ClipFile, ...]
    metrics: tuple[Metric, ...]
    options: EvaluateOptions

    def judging(self, clip: ClipFile) -> Judging:
        """Guides and weights of a clip. Raises AttentionError for gaze that can't be read or split."""
        options = self.options
        arms = [arm for arm in options.arms if arm.source != "none"]
        observers = None
        if options.weights is not None:
            weights, description = Guide(options.weights.replace(CLIP, clip.name)), options.weights
        elif any(arm.source == HUMAN for arm in arms):
            split = split_observers(_gaze(clip), options.split_seed)
            weights, description = Guide(_text(clip), split.judging), split.description
            observers = split.guiding
        else:
            weights = Guide(_text(clip))
            count = len(np.unique(GazeSource(_gaze(clip)).fixations.observer))
            description = f"gaze of {count} observer{'s' if count > 1 else ''}"
        guides = {
            arm.name: Guide(_text(clip), observers) if arm.source == HUMAN else Guide(arm.for_clip(clip.name))
            for arm in arms
        }
        return Judging(weights, display_name(description), guides)

    def encode_options(self, encoder: str, crf: float) -> EncodeOptions:
        """The options of one encode; its attention is still to be set."""
        return replace(
            self.options.encode,
            encoder=encoder,
            crf=crf,
            preset=self.options.preset_for(encoder),
            attention="none",
            bitrate_kbps=None,
            two_pass=False,
        )

    def arms(self) -> tuple[Arm, ...]:
        """The arms, as results tell of them."""
        policy = self.options.encode.policy
        fields = {name: value for name, value in vars(policy).items() if isinstance(value, int | float | str)}
        return tuple(
            Arm(arm.name, display_name(arm.source), _description(arm, self.options), fields if arm.source != "none" else {})
            for arm in self.options.arms
        )

    def notes(self) -> list[str]:
        """Caveats for readers of the results."""
        options, notes = self.options, []
        if any(arm.source == HUMAN for arm in options.arms) and options.weights is None:
            notes.append(
                "the human arm is guided by the gaze of half of the observers (drawn with seed "
                f"{options.split_seed}); the scores of all arms are weighted by the other half's, in this one direction only"
            )
        if options.weights is None:
            notes.append(f"the first {LEAD_SECONDS:g} s are left out of all scores: gaze then rests where it was called to")
        if len(options.crfs) < MIN_POINTS:
            notes.append(f"no BD-rate: a curve needs {MIN_POINTS} points or more, there are {len(options.crfs)} CRFs")
        elif len(options.crfs) < _FEW_POINTS:
            notes.append(f"{len(options.crfs)} CRFs are few for a BD-rate: {_FEW_POINTS} or more are usual")
        if 1 < len(self.clips) < _FEW_CLIPS:
            notes.append(f"an interval over {len(self.clips)} clips is no more than a hint: take {_FEW_CLIPS} or more")
        return notes


def make_plan(texts: Sequence[str], options: EvaluateOptions) -> EvaluationPlan:
    """Check all that can be checked without decoding. Raises OptionsError, MediaError or AttentionError."""
    check_sign()
    clips = find_clips(texts, options.gaze)
    if options.weights is None:
        _check_gaze_is_there(clips, options.gaze)
    elif any(arm.source == HUMAN for arm in options.arms):
        lacking = [clip for clip in clips if clip.gaze is None]
        if lacking:
            raise OptionsError(f"the human arm needs gaze, and {_named(lacking)} has none: leave it out, or give --gaze")
    for encoder in options.encoders:
        _check_encoder(encoder, options)
    sources = [arm.source for arm in options.arms if arm.source not in ("none", HUMAN)]
    for source in [*sources, *([options.weights] if options.weights is not None else [])]:
        if CLIP not in source:
            check_source(source)
    metrics = choose_metrics(options.metrics, has_weights=True)
    check_scanpaths([metric.name for metric in metrics], has_gaze=options.weights is None)
    return EvaluationPlan(tuple(clips), metrics, options)


def _check_encoder(name: str, options: EvaluateOptions) -> None:
    encoder = find_encoder(name)
    for crf in options.crfs:
        encoder.check_crf(crf)
    preset = options.preset_for(name)
    if preset is not None and preset not in encoder.presets:
        raise OptionsError(
            f"preset {preset!r} is unknown to {name}: allowed are {', '.join(encoder.presets)}; for several encoders write "
            f"--preset medium,{name}={encoder.presets[-1]}",
            value=preset,
            allowed=encoder.presets,
        )


def _check_gaze_is_there(clips: Sequence[ClipFile], folder: Path | None) -> None:
    lacking = [clip for clip in clips if clip.gaze is None]
    if lacking:
        where = "beside it" if folder is None else f"in {display_name(folder)}"
        raise OptionsError(
            f"no gaze for {_named(lacking)}: {display_name(lacking[0].name)}.csv was looked for {where}; give --gaze, or "
            "name a source that the scores are weighted by: --weights map:FILE, mask:FILE, ..."
        )


def _named(clips: Sequence[ClipFile]) -> str:
    shown = ", ".join(display_name(clip.name) for clip in clips[:3])
    return shown + (f" and {len(clips) - 3} more" if len(clips) > 3 else "")


def _gaze(clip: ClipFile) -> Path:
    assert clip.gaze is not None  # as was checked
    return clip.gaze


def _text(clip: ClipFile) -> str:
    return f"{_GAZE}{_gaze(clip)}"


def _description(arm: ArmChoice, options: EvaluateOptions) -> str:
    if arm.source == "none":
        return "the encoder alone, with the same settings: the anchor"
    if arm.source == HUMAN:
        whose = "half of the observers" if options.weights is None else "all observers"
        return f"maps from the gaze of {whose}: the ceiling that a model can be expected to reach"
    return f"guided by {display_name(arm.source)}"
