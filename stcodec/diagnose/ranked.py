"""Moments that are listed worst first: where gaze is elsewhere, and where two sources differ."""

from __future__ import annotations

import numpy as np

from stcodec.attention.gaze import SIGMA_SHARE, Fixations, GazeSource
from stcodec.diagnose.faults.base import Fault, Finding
from stcodec.diagnose.map_files import GridFile
from stcodec.diagnose.measure import Attended
from stcodec.diagnose.measures import Place, density_of, greatest, moved_percent
from stcodec.diagnose.series import Series
from stcodec.metrics.saliency import auc_judd, cc, fixation_cells, fixation_density, kl, nss, sim
from stcodec.types import FloatArray, TimeArray, VideoInfo

_APART_SECONDS = 0.5


def worst_moments(values: FloatArray, seconds: TimeArray, count: int = 10) -> list[int]:
    """Indices of the highest values, highest first, none nearer to a higher one than half a second; NaN never."""
    found: list[int] = []
    for index in np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable").tolist():
        if len(found) == count or not np.isfinite(values[index]):
            break
        if all(abs(seconds[index] - seconds[other]) >= _APART_SECONDS for other in found):
            found.append(index)
    return found


LEAD_SECONDS = 0.3
"""First fixations are on the centre of the screen: so much is not scored."""
SCORES = ("nss", "auc", "cc", "sim", "kl_nats")

GAZE = Fault(
    name="gaze",
    title="Gaze elsewhere",
    definition="Normalised scanpath saliency: the map's mean at the fixations of the moment, in standard deviations above "
    "its mean over the frame. The worst moments, worst first; 0 is chance.",
    unit="NSS",
    threshold=1.0,
    least_seconds=0.0,
    hint="look at the frame: was it a face, a text, something new? Compare with center and motion: if they see it, blend",
)


def score_gaze(series: Series, maps: GridFile, gaze: GazeSource, video: VideoInfo) -> list[Finding]:
    """Add the scores to the series, NaN where nobody looks at the frame; the worst moments, worst first.

    Raises AttentionError if the recording does not fit the video.
    """
    gaze.open(video)
    scores = np.full((len(SCORES), len(series)), np.nan, np.float32)
    for index, seconds in enumerate(series.seconds):
        since_start = float(seconds) - video.start_seconds
        if since_start >= LEAD_SECONDS:
            scores[:, index] = map_scores(maps[index], *_looking(gaze.fixations, since_start, video))
    for name, values in zip(SCORES, scores, strict=True):
        series.add(name, values)
    return [_gaze_finding(series, gaze.fixations, video, index) for index in worst_moments(-scores[0], series.seconds)]


def map_scores(saliency: FloatArray, x: TimeArray, y: TimeArray) -> tuple[float, ...]:
    """`SCORES` of a map [h, w] by fixations at x, y in shares of the frame; NaN if there is none."""
    if not len(x):
        return (float("nan"),) * len(SCORES)
    rows, cols = fixation_cells((saliency.shape[0], saliency.shape[1]), x, y)
    density = fixation_density((saliency.shape[0], saliency.shape[1]), x, y, SIGMA_SHARE * saliency.shape[1])
    return (
        nss(saliency, rows, cols),
        auc_judd(saliency, rows, cols),
        cc(saliency, density),
        sim(saliency, density),
        kl(saliency, density),
    )


def _looking(fixations: Fixations, seconds: float, video: VideoInfo) -> tuple[TimeArray, TimeArray]:
    """Fixated places at a time since the start, in shares of the frame; those beside it are left out."""
    now = fixations.active(seconds)
    x, y = fixations.x_px[now] / video.display_width_px, fixations.y_px[now] / video.display_height_px
    inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)
    return x[inside], y[inside]


def _gaze_finding(series: Series, fixations: Fixations, video: VideoInfo, index: int) -> Finding:
    seconds, value = float(series.seconds[index]), float(series["nss"][index])
    x, y = _looking(fixations, seconds - video.start_seconds, video)
    aspect = video.display_height_px / video.display_width_px
    place = Place(float(np.median(x)), float(np.median(y)) * aspect)
    text = f"NSS {value:.2f} by {len(x)} fixations; the ring is where they look"
    return Finding(GAZE.name, seconds, seconds, seconds, value, text, place)


_LEAST_PERCENT = 1.0
"""Share of the mass below which two maps are the same but for rounding."""

DIFFERENCE = Fault(
    name="difference",
    title="Sources differ",
    definition="Share of the mass of one source's map that lies elsewhere in the other's; the moments at which they differ "
    "most, most first. Half of the mass is as far as many good models are apart.",
    unit="% of the map's mass",
    threshold=50.0,
    least_seconds=0.0,
    hint="see which of them looks at what matters there; gaze (--gaze) tells",
)


def find_differences(one: Attended, other: Attended) -> list[Finding]:
    """The moments at which two sources differ most, most first; adds `differs_percent` to the first one's measures.

    Both must have been asked at the same instants.
    """
    densities = ((density_of(one.maps[index]), density_of(other.maps[index])) for index in range(len(one.series)))
    differs = np.array([moved_percent(*both) for both in densities], np.float32)
    one.series.add("differs_percent", differs)
    worst = worst_moments(differs, one.series.seconds)
    return [
        _difference_finding(one, other, index, float(differs[index])) for index in worst if differs[index] >= _LEAST_PERCENT
    ]


def _difference_finding(one: Attended, other: Attended, index: int, value: float) -> Finding:
    first, second = density_of(one.maps[index]), density_of(other.maps[index])
    seconds = float(one.series.seconds[index])
    text = f"{value:.0f} % of the map's mass lies elsewhere; the ring is where A sees more than B"
    return Finding(DIFFERENCE.name, seconds, seconds, seconds, value, text, greatest(first - second))
