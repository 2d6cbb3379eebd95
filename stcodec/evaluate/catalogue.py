"""The metrics that can be chosen, what each needs, and how the values of frames become the score of a clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from stcodec.errors import OptionsError, check_range
from stcodec.evaluate.results import WORST, Metric
from stcodec.metrics.fidelity import pool, psnr_db
from stcodec.metrics.jod import PACKAGES, pooled_jod

_OWN = "non-standard: VMAF of the reference with only its most attended quarter as distorted"
_FOVEATED = "by the acuity of eyes that look there: Geisler and Perry 1998; Lee, Pattichis and Bovik 2002"
_REGION = "background: the half of the frame that is looked at least"

CATALOGUE: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("psnr-attended", "attended PSNR", "dB", "attended", note="gaze-weighted: EWPSNR, Li, Qin and Itti 2011"),
        Metric("psnr-foveated", "foveated PSNR", "dB", "foveated", note=_FOVEATED),
        Metric("psnr-whole", "PSNR", "dB", "whole"),
        Metric("psnr-background", "background PSNR", "dB", "background", note=_REGION),
        Metric("ssim-attended", "attended SSIM", "", "attended", decimals=4, note="gaze-weighted mean of the SSIM map"),
        Metric("ssim-foveated", "foveated SSIM", "", "foveated", decimals=4, note=_FOVEATED),
        Metric("ssim-whole", "SSIM", "", "whole", decimals=4),
        Metric("ssim-background", "background SSIM", "", "background", decimals=4, note=_REGION),
        Metric("vmaf-attended", "attended VMAF", "", "attended", note=_OWN),
        Metric("vmaf-whole", "VMAF", "", "whole"),
        Metric("vmaf-neg", "VMAF NEG", "", "whole", note="the model that gains nothing by sharpening"),
        Metric("xpsnr-whole", "XPSNR", "dB", "whole", note="without its first frame, which reads 10 to 15 dB too high"),
        Metric("fvvdp", "foveated JOD", "JOD", "foveated", note="FovVideoVDP along scanpaths; 10 = no difference seen"),
        Metric("cvvdp", "JOD", "JOD", "whole", note="ColorVideoVDP; 10 = no difference seen"),
        Metric("cambi-whole", "CAMBI", "", "whole", higher_is_better=False, note="banding: 0 = none, about 5 = annoying"),
    )
}
"""Every metric by name, in the order of tables."""

GROUPS: dict[str, tuple[str, ...]] = {
    "psnr": ("psnr-attended", "psnr-foveated", "psnr-whole", "psnr-background"),
    "ssim": ("ssim-attended", "ssim-foveated", "ssim-whole", "ssim-background"),
    "vmaf": ("vmaf-attended", "vmaf-whole"),
    "vmaf-neg": ("vmaf-neg",),
    "xpsnr": ("xpsnr-whole",),
    "cambi": ("cambi-whole",),
    "all": tuple(name for name in CATALOGUE if name not in PACKAGES),
}
"""Short names for several."""
DEFAULT_METRICS = ("psnr", "ssim", "vmaf", "xpsnr")
"""Metrics that score 720p at 19 frames a second on two cores."""
VIEWING_DISTANCES = (0.5, 20.0)
"""Nearest and farthest that is allowed, heights of the picture."""


def choose_metrics(names: Sequence[str], has_weights: bool) -> tuple[Metric, ...]:
    """The metrics that names or names of groups stand for, in the order of tables.

    Without weights groups stand for their whole-frame metrics. Raises OptionsError for unknown names, and for attended
    metrics that were asked for by name but have nothing to be weighted by.
    """
    known = ", ".join((*GROUPS, *(name for name in CATALOGUE if name not in GROUPS)))
    chosen: set[str] = set()
    for name in names:
        if name in GROUPS:
            chosen |= {one for one in GROUPS[name] if has_weights or CATALOGUE[one].region == "whole"}
        elif name not in CATALOGUE:
            raise OptionsError(f"{name!r} is no metric: choose from {known}", value=name, allowed=known)
        elif CATALOGUE[name].region != "whole" and not has_weights:
            raise OptionsError(f"{name} needs to know where people look: give --gaze or --weights", value=name)
        else:
            chosen.add(name)
    if not chosen:
        raise OptionsError(f"no metric was chosen: choose from {known}", allowed=known)
    return tuple(metric for name, metric in CATALOGUE.items() if name in chosen)


def check_viewing_distance(heights: float) -> None:
    """Raises OptionsError for distances from which nobody looks at a picture."""
    check_range("viewing-distance", heights, *VIEWING_DISTANCES, note=" heights of the picture")


def frame_scores(metric: str, raw: Sequence[float]) -> list[float]:
    """The metric of each frame [T] from its raw values [T]: for PSNR dB of the mean squared error, else as it is.

    NaN where a frame has no value, infinite where PSNR or XPSNR find no error.
    """
    if metric.startswith("psnr"):
        return [math.nan if math.isnan(value) else psnr_db([value]) for value in raw]
    return list(raw)


def pooled(metric: str, raw: Sequence[float]) -> Mapping[str, float]:
    """The score of a clip, and of its worst 5 % of frames, from the raw values [T] of its scored frames.

    PSNR: dB of the mean over frames of their mean squared errors, not the mean of dB. XPSNR: dB of the mean of their root
    errors, as ffmpeg's filter has it. JOD: as the packages pool frames. The others: the mean. NaN if no frame has a value.
    """
    known = [value for value in raw if not math.isnan(value)]
    if not known:
        return {metric: math.nan, metric + WORST: math.nan}
    mean = _MEANS.get(metric.split("-", maxsplit=1)[0], _mean)(known)
    scores = frame_scores(metric, known)
    lower_is_worse = CATALOGUE[metric].higher_is_better
    worst = pool(scores).worst_5_percent if lower_is_worse else -pool([-score for score in scores]).worst_5_percent
    return {metric: mean, metric + WORST: worst}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))


def _mean_xpsnr(values: Sequence[float]) -> float:
    root_error = float(np.mean(10 ** (-np.asarray(values) / 20)))
    return math.inf if root_error == 0 else -20 * math.log10(root_error)


_MEANS: dict[str, Callable[[Sequence[float]], float]] = {
    "psnr": psnr_db,
    "xpsnr": _mean_xpsnr,
    **{metric: partial(pooled_jod, metric) for metric in PACKAGES},
}
