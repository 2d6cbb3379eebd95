"""The content of each artefact that caches keep, in a few numbers. Run it to record them as goldens.

python tests/artefacts.py
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from media import make_video
from viewers import make_gaze

import stcodec
from stcodec.batch.ladder_trials import measure_trials
from stcodec.evaluate.clips import ClipFile
from stcodec.evaluate.guidance import Guide, Maps, MapsTask
from stcodec.evaluate.options import EvaluateOptions
from stcodec.evaluate.points import EncodeTask, PointTask
from stcodec.evaluate.reference import PreparedClip, ReferenceTask
from stcodec.media.decode import VideoReader
from stcodec.media.maps import MapReader
from stcodec.metrics.foveated import VIEWING_DISTANCE
from stcodec.options import EncodeOptions, OffsetPolicy, RunOptions
from stcodec.pipeline.encode import prepare
from stcodec.types import FloatArray
from stcodec.work.cache import Cache, open_cache
from stcodec.work.versions import VERSIONS, Artefact

GOLDENS = Path(__file__).parent / "goldens" / "artefacts.json"
Values = dict[str, list[float]]
SIZE = (160, 96)
STEADY = {"x264-params": "mbtree=0"}
"""The macroblock tree's figures depend on the processor."""
ENCODERS = {"libx264": STEADY, "libx265": {}, "libvpx-vp9": {}}
SOURCES = ("center", "motion", "neural:device=cpu", "0.5*center+0.5*motion")
METRICS = ("psnr-attended", "psnr-foveated", "psnr-background", "psnr-whole", "ssim-attended", "ssim-whole", "vmaf-whole")


class Studio:
    """Makes artefacts of a small video, in a folder."""

    def __init__(self, folder: Path, cache: Cache) -> None:
        self.video = make_video(folder / "video.mkv", size=SIZE, frames=24, codec="ffv1", options={}, cuts=(14,))
        self.gaze = make_gaze(folder / "video.csv", [(40, 30), (120, 60)])
        self.folder = folder
        self.cache = cache

    def reference(self, *, scale: float = 1.0) -> PreparedClip:
        clip = ClipFile("video", self.video, self.gaze)
        return ReferenceTask(clip, EvaluateOptions(scale=scale), self.cache).run()

    def maps(self, source: str) -> Maps:
        return MapsTask(self.reference(), Guide(source), self.cache).run()

    def encode(self, encoder: str, maps: Maps | None) -> EncodeTask:
        options = EncodeOptions(encoder=encoder, crf=30, preset=None, extra=ENCODERS[encoder])
        return EncodeTask(self.reference(), options, maps, threads=1, read_back=False, cache=self.cache)


def reference(studio: Studio) -> Values:
    made = studio.reference(scale=0.5)
    with VideoReader(made.path) as reader:
        pictures = [frame.to_ndarray(format="gray").astype(np.float32) for frame in reader.frames()]
    facts = [made.width_px, made.height_px, *made.shots, *made.seconds[::8]]
    return {"facts": facts, "pictures": [value for one in pictures[::8] for value in cells(one)]}


def maps(studio: Studio) -> Values:
    found = {source: of_maps(studio.maps(source).path) for source in (*SOURCES, f"gaze:{studio.gaze}")}
    smoothed = studio.folder / "smoothed.mkv"
    stcodec.maps(studio.video, smoothed, attention="motion", smoothing_seconds=0.2)
    return {name.partition(":")[0]: values for name, values in found.items()} | {"smoothed": of_maps(smoothed)}


def weights(studio: Studio) -> Values:
    found = {}
    for source in ("motion", f"gaze:{studio.gaze}"):
        densities = np.load(MapsTask(studio.reference(), Guide(source), studio.cache, "weights").run().path)
        values = [value for one in densities[::6] for value in cells(one / densities.max())]
        found[source.partition(":")[0]] = [*densities.shape, *values]
    return found


def plain(studio: Studio) -> Values:
    return {encoder: [studio.encode(encoder, None).run().video_bytes] for encoder in ENCODERS}


def guided(studio: Studio) -> Values:
    found = {}
    for encoder in ENCODERS:
        made = studio.encode(encoder, studio.maps("center")).run()
        assert made.mean_delta_qp is not None
        found[encoder] = [made.video_bytes, made.mean_delta_qp]
    return found


def score(studio: Studio) -> Values:
    density = MapsTask(studio.reference(), Guide(f"gaze:{studio.gaze}"), studio.cache, "weights").run()
    made = PointTask(studio.encode("libx264", None), METRICS, density, 1, VIEWING_DISTANCE).run()
    assert not made.failed
    return {metric: [float(np.mean(values)), float(np.std(values))] for metric, values in made.raw.items()}


def trials(studio: Studio) -> Values:
    options = EncodeOptions(attention="motion", extra=STEADY, policy=OffsetPolicy(smoothing_seconds=0.2))
    job = prepare(studio.video, studio.folder / "made.mkv", options, RunOptions())
    folder = studio.folder / "trials"
    folder.mkdir()
    with job.reader:
        found = measure_trials(replace(job, options=options), folder)
    return {f"{number}": [one.lines, one.kbps, one.quality_db] for number, one in enumerate(found)}


MAKERS: dict[Artefact, Callable[[Studio], Values]] = {
    "reference": reference, "maps": maps, "weights": weights, "plain": plain, "guided": guided, "score": score,
    "trials": trials,
}  # fmt: skip


def of_maps(path: Path) -> list[float]:
    """The times of a file's maps, and some of the maps in a few cells each."""
    found = list(MapReader(path).maps())
    return [*(seconds for seconds, _ in found), *(value for _, one in found[::2] for value in cells(one))]


def cells(picture: FloatArray) -> list[float]:
    """The means of 3x3 parts of a picture."""
    return [float(part.mean()) for row in np.array_split(picture, 3) for part in np.array_split(row, 3, axis=1)]


def make_all(folder: Path) -> Iterator[tuple[Artefact, Values]]:
    with open_cache(folder / "cache") as cache:
        studio = Studio(folder, cache)
        for artefact, make in MAKERS.items():
            yield artefact, make(studio)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        recorded = {
            artefact: {
                "version": VERSIONS[artefact],
                "values": {name: [float(f"{one:.6g}") for one in values] for name, values in found.items()},
            }
            for artefact, found in make_all(Path(work))
        }
    GOLDENS.write_text(json.dumps(recorded, indent=1) + "\n", encoding="utf-8")
