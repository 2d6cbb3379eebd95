"""What ffmpeg is asked to do for VMAF, VMAF NEG, CAMBI and XPSNR, and how its logs are read.

VMAF: Li et al., Netflix 2016, model vmaf_v0.6.1; NEG: the model that gains nothing by sharpening, vmaf_v0.6.1neg; CAMBI
(banding): Tandon et al., PCS 2021; XPSNR: Helmrich et al., ICASSP 2020. `attended_vmaf` is not a standard metric: VMAF of
the reference with only its attended quarter as distorted (`stcodec.metrics.planes.composite`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from stcodec.errors import OptionsError

METRICS = ("vmaf", "vmaf_neg", "attended_vmaf", "cambi", "xpsnr")
"""What can be asked for. Higher is better, but for cambi (0 = no banding, about 5 = annoying)."""
DEFAULT_METRICS = ("vmaf", "attended_vmaf", "xpsnr")
"""What two cores score at 10 frames of 720p a second or more, with PSNR and SSIM of all regions beside them."""

_MODELS = {"vmaf": "version=vmaf_v0.6.1\\:name=vmaf", "vmaf_neg": "version=vmaf_v0.6.1neg\\:name=vmaf_neg"}
_FULL_LOG, _ATTENDED_LOG, _XPSNR_LOG = "full.json", "attended.json", "xpsnr.txt"
_LOGS = {"vmaf": _FULL_LOG, "vmaf_neg": _FULL_LOG, "cambi": _FULL_LOG, "attended_vmaf": _ATTENDED_LOG}
_XPSNR_LUMA = re.compile(r"XPSNR y:\s*(\S+)")

_VMAF_SIDE_PX = 17
"""libvmaf ends the process at smaller pictures."""
_CAMBI_SIDE_PX = 216
"""The longer side; libvmaf leaves CAMBI out of its log for smaller pictures."""


@dataclass(frozen=True)
class FilterGraph:
    """What ffmpeg is to do with the pictures."""

    text: str
    """In ffmpeg's notation; the logs go to the working folder."""
    pictures: tuple[str, ...]
    """Which picture each input is: reference, distorted, composite. Only those that are read: others would fill up."""
    outputs: tuple[str, ...]
    """Names of the outputs, one for each filter that scores."""


def check_metrics(metrics: Collection[str], width: int, height: int) -> None:
    """Raises OptionsError for metrics that are unknown, none, or can't score pictures of this size."""
    unknown = sorted(set(metrics) - set(METRICS))
    if unknown or not metrics:
        raise OptionsError(f"metrics {', '.join(unknown) or '(none)'}: choose from {', '.join(METRICS)}")
    if set(metrics) & set(_LOGS) and min(width, height) < _VMAF_SIDE_PX:
        raise OptionsError(
            f"libvmaf can't score pictures of {width}x{height} px: {_VMAF_SIDE_PX}x{_VMAF_SIDE_PX} is the least"
        )
    if "cambi" in metrics and max(width, height) < _CAMBI_SIDE_PX:
        raise OptionsError(
            f"CAMBI can't score pictures of {width}x{height} px: the longer side must have {_CAMBI_SIDE_PX} px or more; "
            "leave cambi out"
        )


def filter_graph(metrics: Collection[str], threads: int) -> FilterGraph:
    """The graph for some of METRICS, with so many threads for each libvmaf."""
    jobs: list[tuple[str, str]] = []
    models = [_MODELS[one] for one in _MODELS if one in metrics]
    if models or "cambi" in metrics:
        # libvmaf wants a model, also for cambi alone.
        parts = [f"model='{'|'.join(models or [_MODELS['vmaf']])}'"]
        parts += ["feature='name=cambi'"] if "cambi" in metrics else []
        jobs.append(("distorted", _libvmaf(parts, _FULL_LOG, threads)))
    if "attended_vmaf" in metrics:
        jobs.append(("composite", _libvmaf([f"model='{_MODELS['vmaf']}'"], _ATTENDED_LOG, threads)))
    if "xpsnr" in metrics:
        jobs.append(("distorted", f"xpsnr=stats_file={_XPSNR_LOG}"))
    pictures = ("reference", *dict.fromkeys(picture for picture, _ in jobs))
    chains = []
    for number, picture in enumerate(pictures):
        users = [job for job, (scored, _) in enumerate(jobs) if picture in ("reference", scored)]
        chains.append(f"[{number}:v]split={len(users)}" + "".join(f"[{picture}{job}]" for job in users))
    outputs = tuple(f"scored{job}" for job in range(len(jobs)))
    for job, (picture, text) in enumerate(jobs):
        chains.append(f"[{picture}{job}][reference{job}]{text}[{outputs[job]}]")
    return FilterGraph(";".join(chains), pictures, outputs)


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


def _libvmaf(parts: Sequence[str], log: str, threads: int) -> str:
    return "libvmaf=" + ":".join([*parts, "log_fmt=json", f"log_path={log}", f"n_threads={threads}"])


def _frames(log: Path) -> list[dict[str, float]]:
    frames = json.loads(log.read_text())["frames"]
    return [frame["metrics"] for frame in sorted(frames, key=lambda frame: int(frame["frameNum"]))]
