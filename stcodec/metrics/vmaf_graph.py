"""Filter graphs of ffmpeg for VMAF, VMAF NEG, CAMBI and XPSNR, and the reading of its logs.

VMAF: Li et al., Netflix 2016, model vmaf_v0.6.1; NEG: the model that gains nothing by sharpening, vmaf_v0.6.1neg; CAMBI
(banding): Tandon et al., PCS 2021; XPSNR: Helmrich et al., ICASSP 2020. `attended_vmaf` is not a standard metric: VMAF of
the reference with only its attended quarter as distorted (`stcodec.metrics.planes.composite`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from stcodec.errors import OptionsError

METRICS = ("vmaf", "vmaf_neg", "attended_vmaf", "cambi", "xpsnr")
"""All scores. Higher is better, but for cambi (0 = no banding, about 5 = annoying)."""
DEFAULT_METRICS = ("vmaf", "attended_vmaf", "xpsnr")
"""Scores that two cores make at 19 frames of 720p a second, with PSNR and SSIM of all regions beside them."""

_MODELS = {"vmaf": "version=vmaf_v0.6.1:name=vmaf", "vmaf_neg": "version=vmaf_v0.6.1neg:name=vmaf_neg"}
_LOGGED = {"log_fmt": "json"}
_FULL_LOG, _ATTENDED_LOG, _XPSNR_LOG = "full.json", "attended.json", "xpsnr.txt"
_LOGS = {"vmaf": _FULL_LOG, "vmaf_neg": _FULL_LOG, "cambi": _FULL_LOG, "attended_vmaf": _ATTENDED_LOG}
_XPSNR_LUMA = re.compile(r"XPSNR y:\s*(\S+)")

_VMAF_SIDE_PX = 17
"""libvmaf ends the process at smaller pictures."""
_CAMBI_SIDE_PX = 216
"""The longer side; libvmaf leaves CAMBI out of its log for smaller pictures."""


@dataclass(frozen=True)
class ScoringFilter:
    """A filter that compares a picture with the reference and writes a log."""

    picture: str
    """distorted or composite."""
    name: str
    settings: Mapping[str, object]


def check_metrics(metrics: Collection[str], width: int, height: int) -> None:
    """Raises OptionsError for metrics that are unknown, none, or can't score pictures of this size."""
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown or not metrics:
        raise OptionsError(
            f"metrics {', '.join(unknown) or '(none)'}: choose from {', '.join(METRICS)}",
            value=unknown,
            allowed=tuple(METRICS),
        )
    if set(metrics) & set(_LOGS) and min(width, height) < _VMAF_SIDE_PX:
        raise OptionsError(
            f"libvmaf can't score pictures of {width}x{height} px: {_VMAF_SIDE_PX}x{_VMAF_SIDE_PX} is the least",
            value=(width, height),
            allowed=(_VMAF_SIDE_PX, _VMAF_SIDE_PX),
        )
    if "cambi" in metrics and max(width, height) < _CAMBI_SIDE_PX:
        raise OptionsError(
            f"CAMBI can't score pictures of {width}x{height} px: the longer side must have {_CAMBI_SIDE_PX} px or more; "
            "leave cambi out"
        )


def scoring_filters(metrics: Collection[str], threads: int) -> list[ScoringFilter]:
    """The filters for some of METRICS, with so many threads for each libvmaf; logs go to ffmpeg's working folder."""
    filters = []
    models = [_MODELS[one] for one in _MODELS if one in metrics]
    if models or "cambi" in metrics:
        # libvmaf wants a model, also for cambi alone.
        features = {"feature": "name=cambi"} if "cambi" in metrics else {}
        settings = {"model": "|".join(models or [_MODELS["vmaf"]]), **features, "log_path": _FULL_LOG}
        filters.append(ScoringFilter("distorted", "libvmaf", _LOGGED | settings | {"n_threads": threads}))
    if "attended_vmaf" in metrics:
        settings = {"model": _MODELS["vmaf"], "log_path": _ATTENDED_LOG}
        filters.append(ScoringFilter("composite", "libvmaf", _LOGGED | settings | {"n_threads": threads}))
    if "xpsnr" in metrics:
        filters.append(ScoringFilter("distorted", "xpsnr", {"stats_file": _XPSNR_LOG}))
    return filters


def pictures_read(filters: Sequence[ScoringFilter]) -> tuple[str, ...]:
    """The pictures that the filters compare, the reference first; a pipe of any other would fill up."""
    return ("reference", *dict.fromkeys(one.picture for one in filters))


def scoring_output(filters: Sequence[ScoringFilter], inputs: Mapping[str, Any]) -> Any:
    """ffmpeg-python's node that runs the filters on the inputs, by picture."""
    users = {name: [one for one in filters if name in ("reference", one.picture)] for name in pictures_read(filters)}
    copies = {name: inputs[name].video.filter_multi_output("split") for name in users}
    outputs = []
    for one in filters:
        pair = [copies[name][users[name].index(one)] for name in (one.picture, "reference")]
        scored = ffmpeg.filter(pair, one.name, **one.settings)
        outputs.append(scored.output("-", f="null", fps_mode="passthrough"))
    return ffmpeg.merge_outputs(*outputs)


def read_scores(folder: Path, metrics: Sequence[str]) -> dict[str, list[float]]:
    """The scores of each frame by metric, from the logs in ffmpeg's working folder; XPSNR without the first frame's.

    Raises OSError, ValueError or KeyError for logs that are missing, broken or lack a metric.
    """
    logs = {name: _frames(folder / name) for name in {_LOGS[one] for one in metrics if one in _LOGS}}
    scores = {}
    for metric in metrics:
        if metric == "xpsnr":
            text = (folder / _XPSNR_LOG).read_text()
            scores[metric] = [float(value) for value in _XPSNR_LUMA.findall(text)][1:]
        else:
            key = "vmaf" if metric == "attended_vmaf" else metric
            scores[metric] = [frame[key] for frame in logs[_LOGS[metric]]]
    return scores


def _frames(log: Path) -> list[dict[str, float]]:
    frames = json.loads(log.read_text())["frames"]
    return [frame["metrics"] for frame in sorted(frames, key=lambda frame: int(frame["frameNum"]))]
