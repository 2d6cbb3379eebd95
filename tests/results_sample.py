"""A finished evaluation with made-up but plausible numbers, for tests of what shows results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from stcodec.evaluate.results import (
    WORST,
    Arm,
    ClipInfo,
    Curve,
    Evaluation,
    Failure,
    FramePictures,
    Headline,
    Metric,
    Point,
    Saving,
    Viewer,
)

METRICS = (
    Metric("psnr-attended", "attended PSNR", "dB", "attended", note="gaze-weighted: EWPSNR, Li, Qin and Itti 2011"),
    Metric("psnr-whole", "PSNR", "dB", "whole"),
    Metric("psnr-background", "background PSNR", "dB", "background"),
    Metric("ssim-attended", "attended SSIM", "", "attended", decimals=4),
    Metric("ssim-whole", "SSIM", "", "whole", decimals=4),
    Metric("vmaf-attended", "attended VMAF", "", "attended", note="non-standard: of the most attended quarter"),
    Metric("vmaf-whole", "VMAF", "", "whole"),
    Metric("cambi-whole", "CAMBI", "", "whole", higher_is_better=False, note="banding: 0 = none"),
)
ATTENDED_PERCENT = {"center": -11.2, "motion": -15.4, "neural": -26.5, "human": -31.9}
"""Mean attended BD-rate (PSNR) of the sample's arms."""
WHOLE_PERCENT = {"center": 3.7, "motion": 6.1, "neural": 10.3, "human": 13.0}
ARMS = (
    Arm("plain", "none", "the encoder alone"),
    Arm("center", "center", "a centre prior, the same for every clip", {"strength": 0.6, "floor": 0.15}),
    Arm("motion", "motion", "what moves against the camera", {"strength": 0.6, "floor": 0.15}),
    Arm("neural", "neural", "the attention network", {"strength": 0.6, "floor": 0.15}),
    Arm("human", "gaze", "maps from half of the observers", {"strength": 0.6, "floor": 0.15}),
)
CRFS = (22.0, 26.0, 30.0, 34.0, 38.0)
_SPREAD = {"psnr": 1.0, "ssim": 1.15, "vmaf": 0.8}
"""How far each kind of metric's BD-rates are from those of PSNR, as a factor."""


def make_evaluation(
    clip_names: Sequence[str],
    *,
    encoders: Sequence[str] = ("libx264",),
    arm_names: Sequence[str] = ("plain", "center", "motion", "neural", "human"),
    frames: int = 60,
    viewers: Sequence[Viewer] = (),
    failures: Sequence[Failure] = (),
) -> Evaluation:
    """Curves, savings and headlines of every clip, encoder and arm; nothing is refused and nothing self-weighted."""
    clips = tuple(_clip(name, frames) for name in clip_names)
    arms = tuple(arm for arm in ARMS if arm.name in arm_names)
    curves = tuple(
        _curve(clip, nth, encoder, arm.name) for nth, clip in enumerate(clips) for encoder in encoders for arm in arms
    )
    guided = [arm.name for arm in arms if arm.name != "plain"]
    measured = [metric for metric in METRICS if metric.higher_is_better]
    savings = tuple(
        _saving(clip.name, (nth - (len(clips) - 1) / 2) * 2.0, encoder, arm, metric)
        for nth, clip in enumerate(clips)
        for encoder in encoders
        for arm in guided
        for metric in measured
    )
    headlines = tuple(
        _headline(len(clips), encoder, arm, metric, "human" in guided)
        for encoder in encoders
        for arm in guided
        for metric in measured
    )
    return Evaluation(
        kind="evaluate",
        command=f"stcodec evaluate clips --gaze /{'a_long_folder_name/' * 6}gaze --arms {','.join(arm_names)} --report out",
        created="2026-03-14T15:09:26+00:00",
        machine={"system": "Linux 6.1", "processor": "an x86-64 processor", "cores": "2"},
        versions={"stcodec": "0.2.0", "python": "3.11.9", "av": "18.1.0", "libx264": "core 165"},
        settings={"preset": "medium", "crf": "22 26 30 34 38", "jobs": "2"},
        metrics=METRICS,
        headline_metric="psnr-attended",
        clips=clips,
        arms=arms,
        curves=curves,
        savings=savings,
        headlines=headlines,
        viewers=tuple(viewers),
        failures=tuple(failures),
        notes=("Observers were split by number: odd ones guide the human arm, even ones weight the scores.",),
    )


def _clip(name: str, frames: int) -> ClipInfo:
    seconds = tuple(frame / 25 for frame in range(frames))
    scored = tuple(second >= 0.3 for second in seconds)
    weights = ("gaze of 16 of 32 observers", f"gaze:{name}.csv")
    return ClipInfo(name, f"clips/{name}.mp4", 640, 360, 25.0, seconds, scored, f"first {frames} frames", *weights)


def percent_of(arm: str, metric: Metric) -> float:
    """The sample's mean BD-rate of an arm by a metric."""
    of_region = WHOLE_PERCENT if metric.region != "attended" else ATTENDED_PERCENT
    return round(of_region[arm] * _SPREAD[metric.name.split("-")[0]] * (1.4 if metric.region == "background" else 1), 2)


def _saving(clip: str, shift: float, encoder: str, arm: str, metric: Metric) -> Saving:
    value = percent_of(arm, metric) + shift
    return Saving(clip, encoder, arm, metric.name, False, value, value + 0.1, -value / 25, 0.92)


def _headline(clips: int, encoder: str, arm: str, metric: Metric, has_human: bool) -> Headline:
    value = percent_of(arm, metric)
    low, high = (value - 4.5, value + 4.4) if clips > 1 else (None, None)
    share = round(value / percent_of("human", metric), 3) if has_human else None
    return Headline(encoder, arm, metric.name, False, value, value + 0.1, low, high, -value / 25, clips, (), share)


def _curve(clip: ClipInfo, nth: int, encoder: str, arm: str) -> Curve:
    points = sorted((_point(clip, nth, arm, crf) for crf in CRFS), key=lambda point: point.kbps)
    return Curve(clip.name, encoder, arm, False, tuple(points))


def _point(clip: ClipInfo, nth: int, arm: str, crf: float) -> Point:
    saved = ATTENDED_PERCENT.get(arm, 0.0) / 100
    cost = WHOLE_PERCENT.get(arm, 0.0) / 100
    kbps = round((900 + 260 * nth) * 2 ** ((30 - crf) / 6) * (1 + saved) * 1.02, 3)
    level = 38.5 - 0.85 * (crf - 30) + 1.6 * math.sin(nth)
    rng = np.random.default_rng(100 * nth + int(crf))  # the same noise for all arms: they encode the same frames
    own = np.random.default_rng(len(arm)).normal(0, 0.12, len(clip.seconds))
    wave = own + 0.9 * np.sin(np.arange(len(clip.seconds)) / 9 + nth) + rng.normal(0, 0.25, len(clip.seconds))
    wave -= 3.0 * ~np.array(clip.scored)  # what is not scored would be the worst
    scores: dict[str, float | None] = {}
    series: dict[str, tuple[float | None, ...]] = {}
    for metric in METRICS:
        kind = metric.name.split("-")[0]
        shift = 0.0 if metric.region == "attended" else -12 * (cost - saved) * 0.35 - 0.6
        values = [_as(kind, level + shift + float(one)) for one in wave]
        scored = [value for value, counts in zip(values, clip.scored, strict=True) if counts]
        ordered = sorted(scored, reverse=not metric.higher_is_better)
        scores[metric.name] = round(float(np.mean(scored)), 4)
        scores[metric.name + WORST] = round(float(np.mean(ordered[: max(1, round(0.05 * len(ordered)))])), 4)
        series[metric.name] = tuple(round(value, 4) for value in values)
    mean_delta = None if arm == "plain" else 1.2
    return Point(
        crf, kbps, int(kbps * 300), len(clip.seconds), scores, series, mean_delta, 2.5, "applied" if mean_delta else ""
    )


def _as(kind: str, db: float) -> float:
    """A PSNR on the scale of another metric."""
    if kind == "ssim":
        return 1 - math.pow(0.5, (db - 20) / 4)
    if kind == "vmaf":
        return 100 / (1 + math.exp(-(db - 32) / 4))
    return max(0.0, (38 - db) / 2) if kind == "cambi" else db


def make_pictures(folder: Path, name: str, count: int, size: tuple[int, int] = (160, 90)) -> tuple[FramePictures, ...]:
    """Small JPEGs in `folder/pictures`, each of its own colour, and how a viewer names them."""
    (folder / "pictures").mkdir(exist_ok=True)
    kinds = ("source", "gaze", "map", "qp", "plain", "guided", "error")
    frames = []
    for frame in range(count):
        paths = {}
        for nth, kind in enumerate(kinds):
            paths[kind] = f"pictures/{name}-{frame}-{kind}.jpg"
            colour = (30 * nth, 40 + 40 * frame, 200 - 20 * nth)
            Image.new("RGB", size, colour).save(folder / paths[kind], quality=80)
        scores: Mapping[str, tuple[float | None, float | None]] = {
            "psnr-attended": (36.0 + frame, 38.0 + frame),
            "psnr-whole": (37.0, 36.25),
        }
        frames.append(FramePictures(frame * 0.5, **paths, scores=scores))
    return tuple(frames)


def make_viewer(clip: str, frames: tuple[FramePictures, ...], encoder: str = "libx264", arm: str = "neural") -> Viewer:
    return Viewer(clip, encoder, arm, 30.0, 812.0, 27.5, 815.4, frames, qp_range=(18.0, 44.0))


def refuse(results: Evaluation, arm: str, reason: str, *, clips: Sequence[str] = ()) -> Evaluation:
    """The same without any BD-rate of an arm on these clips (all, if none is named)."""

    def savings(one: Saving) -> Saving:
        if one.arm != arm or (clips and one.clip not in clips):
            return one
        return replace(one, bd_rate_percent=None, bd_rate_pchip_percent=None, bd_quality=None, overlap=0.1, refused=reason)

    def headlines(one: Headline) -> Headline:
        if one.arm != arm:
            return one
        lost = clips or [clip.name for clip in results.clips]
        left = replace(one, clips=one.clips - len(lost), refused=tuple(f"{clip}: {reason}" for clip in lost))
        if left.clips:
            return left
        return replace(
            left, bd_rate_percent=None, bd_rate_pchip_percent=None, low_percent=None, high_percent=None, share_of_human=None
        )

    return replace(results, savings=tuple(map(savings, results.savings)), headlines=tuple(map(headlines, results.headlines)))


def self_weight(results: Evaluation, arm: str) -> Evaluation:
    """The same, with the attended scores of an arm weighted by the source that guided it."""
    attended = {metric.name for metric in results.metrics if metric.region == "attended"}
    return replace(
        results,
        curves=tuple(replace(one, self_weighted=one.arm == arm) for one in results.curves),
        savings=tuple(replace(one, self_weighted=one.arm == arm and one.metric in attended) for one in results.savings),
        headlines=tuple(replace(one, self_weighted=one.arm == arm and one.metric in attended) for one in results.headlines),
    )
