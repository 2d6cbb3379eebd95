"""Where FovVideoVDP loses: its differences by block, of encodes with offsets against plain ones of the same rate.

    python tools/jod_blocks.py --data ../shared/data/video-gaze --maps neural=MAPS --work build/front \
        --clips Johnny FourPeople --out data/results/jod_blocks.json

The distance to 10 JOD of a frame is pooled from differences by norms, so that each block's share of it follows (the shares
of a norm's parts are their powers). Plain encodes are read between their CRFs at the rate of `balanced` (CRF 28 and 33).
Blocks of 16 px are told apart by the variance of their luma and by their distance from one viewer's gaze.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from headline import clip_files
from measure_front import chosen_settings, parsed
from measure_jod import Encode, encoded, looked_at
from numpy.typing import NDArray
from results import save
from shared_jod import Bands, Meter, Reference, Window, pictures, screening

from stcodec.evaluate.results import PLAIN
from stcodec.metrics.foveated import VIEWING_DISTANCE

BLOCK_PX = 16
GUIDED = "balanced"
CRFS = ("28", "33")
CLASSES = {"log2 of the variance of the luma": (0, 4, 6, 8, 10, 30), "degrees from the gaze": (0, 2, 4, 8, 13, 90)}

Blocks = NDArray[np.float64]
"""[rows, columns]."""


def block_sums(values: NDArray[Any], shape: tuple[int, int]) -> Blocks:
    """Sums over the blocks of a picture of this many rows and columns of them, of a band of it of any size."""
    while values.shape[0] < shape[0] or values.shape[1] < shape[1]:  # the values of a coarse band are those of several
        values = values.repeat(2, axis=0).repeat(2, axis=1) / 4
    places = [np.arange(one) * many // one for one, many in zip(values.shape, shape, strict=True)]
    sums: Blocks = np.zeros(shape)
    np.add.at(sums, (places[0][:, None], places[1][None]), values)
    return sums


def shares(meter: Meter, bands: Bands, reference: Reference, shape: tuple[int, int]) -> Blocks:
    """Each block's part of the pooled difference of a frame: their sum is that difference."""
    model = meter.model
    powers = [meter.differences(bands, reference, 0, level).numpy() for level in range(meter.levels)]
    each = np.array([one.mean((1, 2)) ** (1 / model.beta) for one in powers]) * (1, model.w_transient)  # [bands, 2]
    channels = each.sum(0)
    pooled = (channels**model.beta_tch).sum()
    total: Blocks = np.zeros(shape)
    for level, one in enumerate(powers):
        for channel in range(2):
            part = channels[channel] ** model.beta_tch / pooled * each[level, channel] / channels[channel]
            total += part * block_sums(one[channel], shape) / one[channel].sum()
    result: Blocks = total * pooled ** (1 / model.beta_tch)
    return result


def by_class(
    meter: Meter, encodes: Sequence[Encode], reference: Path, scored: Sequence[bool]
) -> dict[str, NDArray[np.float64]]:
    """By kind of class: [encodes, classes, 3], the blocks' number, their differences and their squared errors."""
    shape = (-(-meter.shown.height_px // BLOCK_PX), -(-meter.shown.width_px // BLOCK_PX))
    sums = {name: np.zeros((len(encodes), len(edges) - 1, 3)) for name, edges in CLASSES.items()}
    window, windows = Window(meter), [Window(meter) for _ in encodes]
    files = (pictures(one.path) for one in encodes)
    for at, (one, *others) in enumerate(zip(pictures(reference), *files, strict=True)):
        for mine, picture in zip([window, *windows], [one, *others], strict=True):
            mine.push(picture)
        if not scored[at]:
            continue
        truth = meter.reference(window.planes(), at)
        luma = cv2.cvtColor(one, cv2.COLOR_RGB2GRAY).astype(np.float64)
        features = dict(zip(CLASSES, (_variance(luma, shape), _degrees(meter, at, shape)), strict=True))
        for number, (mine, other) in enumerate(zip(windows, others, strict=True)):
            seen = shares(meter, meter.bands(mine.planes(), truth), truth, shape)
            error = block_sums((cv2.cvtColor(other, cv2.COLOR_RGB2GRAY) - luma) ** 2, shape)
            for name, edges in CLASSES.items():
                place = np.digitize(features[name], edges[1:-1])
                for column, values in enumerate((np.ones(shape), seen, error)):
                    sums[name][number, :, column] += np.bincount(place.ravel(), values.ravel(), len(edges) - 1)
    return sums


def _variance(luma: NDArray[np.float64], shape: tuple[int, int]) -> Blocks:
    number, first, second = (block_sums(values, shape) for values in (np.ones_like(luma), luma, luma**2))
    result: Blocks = np.log2(np.maximum(second / number - (first / number) ** 2, 0) + 1)
    return result


def _degrees(meter: Meter, frame: int, shape: tuple[int, int]) -> Blocks:
    x, y = meter.scanpaths_px[0, frame]
    rows, columns = ((np.arange(many) + 0.5) * BLOCK_PX for many in shape)
    result: Blocks = np.hypot(columns[None] - x, rows[:, None] - y) / meter.model.pix_per_deg
    return result


def compared(encodes: Sequence[Encode], sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """[classes, 5], in %: blocks; differences and squared errors in plain; what the offsets make of both, at the same rate.

    sums: [encodes, classes, 3] as `by_class` has it. Both are of the whole frame in plain.
    """
    plain = sorted((one.counts["kbps"], at) for at, one in enumerate(encodes) if one.setting.name == PLAIN)
    rows = []
    for at, one in enumerate(encodes):
        if one.setting.name != GUIDED or one.crf not in CRFS:
            continue
        rates, curves = np.log([kbps for kbps, _ in plain]), sums[[place for _, place in plain], :, 1:]
        before = np.array(
            [[np.interp(np.log(one.counts["kbps"]), rates, value) for value in each] for each in curves.transpose(1, 2, 0)]
        )
        blocks = sums[at, :, :1] / sums[at, :, 0].sum()
        whole = before.sum(0)
        rows.append(np.hstack([blocks, before / whole, (sums[at, :, 1:] - before) / whole]))
    result: NDArray[np.float64] = 100 * np.mean(rows, axis=0)
    return result


def main() -> None:
    given = parsed(__doc__)
    given.metrics, given.observers = "psnr", 1
    given.work.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in CLASSES}
    clips = clip_files(given.data, given.split, given.clips)
    for clip in clips:
        for name, one in measured(given, clip).items():
            found[name].append(one)
        print(clip.stem, file=sys.stderr, flush=True)
    save(given.out, clips=[clip.stem for clip in clips], classes=_table(found))


def measured(given: argparse.Namespace, clip: Path) -> dict[str, NDArray[np.float64]]:
    """By kind of class what `compared` has of one clip."""
    settings = [one for one in chosen_settings(given) if one.name in (PLAIN, GUIDED)]
    work, encodes, _ = encoded(settings, given, clip)
    shown = screening(work.reference.path, VIEWING_DISTANCE)
    meter = Meter(shown, looked_at(work, shown, 1))
    return {name: compared(encodes, one) for name, one in by_class(meter, encodes, work.reference.path, work.scored).items()}


def _table(found: Mapping[str, Sequence[NDArray[np.float64]]]) -> dict[str, Any]:
    columns = ("blocks", "differences", "squared_errors", "change_of_differences", "change_of_squared_errors")
    return {
        name: [
            {"from": low, "to": high, **dict(zip(columns, map(float, np.round(row, 2)), strict=True))}
            for low, high, row in zip(CLASSES[name], CLASSES[name][1:], np.mean(each, axis=0), strict=False)
        ]
        for name, each in found.items()
    }


if __name__ == "__main__":
    main()
