"""One point of a curve: an encode and its scores, each found in the cache or made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stcodec.encoders.hdr import hdr_metadata
from stcodec.encoders.plan import make_plan
from stcodec.encoders.table import find_encoder
from stcodec.errors import MediaError
from stcodec.evaluate.guidance import Maps
from stcodec.evaluate.provenance import encoder_version, package_version, program_version
from stcodec.evaluate.reference import PreparedClip
from stcodec.evaluate.repeatable import zeroed_memory
from stcodec.evaluate.score import OF_FFMPEG, Comparison, Measured, measure
from stcodec.media.decode import VideoReader
from stcodec.metrics.jod import PACKAGES
from stcodec.options import EncodeOptions, OffsetPolicy
from stcodec.pipeline.encode import encode
from stcodec.work.cache import Cache, key_of
from stcodec.work.versions import made_by

_ENDING = ".mkv"
_OWN = ("crf", "preset", "b", "g")


@dataclass(frozen=True)
class EncodeTask:
    """An encode to be made."""

    reference: PreparedClip
    options: EncodeOptions
    """With attention "none", or anything else: then the maps are what guides."""
    maps: Maps | None
    threads: int
    read_back: bool
    """Also look, when it is made, whether the offsets are in the file, where the bitstream shows them."""
    cache: Cache

    def run(self) -> Encoded:
        """Make it, or find it made. Raises what `stcodec.encode` raises."""
        key = self._key()
        path = self.cache.place("encodes", key, _ENDING)
        facts = self.cache.place("encodes", key, ".json")
        known = self.cache.read_json(facts)
        if known is None or not path.exists() or (self._proves and not known["verdict"]):
            with self.cache.writing(path) as temporary:
                known = self._encode(temporary)
            self.cache.write_json(facts, known)  # last: with it the entry counts
            return Encoded(path, key, False, **known)
        return Encoded(path, key, True, **known)

    @property
    def _proves(self) -> bool:
        return self.read_back and self.maps is not None

    def _encode(self, path: Path) -> dict[str, Any]:
        options = self._options()
        verify = None if self.read_back else False
        with zeroed_memory():
            # Wrong colours are wrong alike in all arms: the results say so.
            report = encode(
                self.reference.path, path, options=options, verify=verify, overwrite=True, ignore_dolby_vision=True
            )
        return {
            "video_bytes": report.video_bytes,
            "kbps": report.video_kbps,
            "frames": report.frames,
            "mean_delta_qp": report.mean_delta_qp,
            "seconds": report.wall_seconds,
            "verdict": report.offsets_applied.verdict if self._proves else "",
        }

    def _options(self) -> EncodeOptions:
        """Options for `encode`: the arm's maps, and the settings that all arms share."""
        attention = "none" if self.maps is None else f"map:{self.maps.path}"
        extra = find_encoder(self.options.encoder).on_threads(self.options.extra, self.threads)
        if self.maps is None:
            extra = self._shared(extra)
        return replace(self.options, attention=attention, extra=extra)

    def _shared(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The encoder's options of a guided encode, for the plain one: only the offsets shall differ."""
        guided = replace(self.options, attention="center", extra=extra)
        with VideoReader(self.reference.path) as reader:
            plan = make_plan(guided, reader.info, hdr_metadata(reader.first_frame))
        own = {*_OWN, plan.encoder.preset_option} if self.options.preset is not None else set(_OWN)
        return {key: value for key, value in plan.options.items() if key not in own}

    def _key(self) -> str:
        maps, options = self.maps, self.options
        if maps is None:
            options = replace(options, attention="none", policy=OffsetPolicy(), levels=None)
        else:
            options = replace(options, attention="guided")
        return key_of(
            reference=self.reference.key,
            options=asdict(options),
            threads=self.threads,
            encoder=encoder_version(options.encoder),
            maps=None if maps is None else maps.content,
            made_by=made_by("plain" if maps is None else "guided"),
        )


@dataclass(frozen=True)
class Encoded:
    """An encode that was made."""

    path: Path
    key: str
    from_cache: bool
    video_bytes: int
    kbps: float
    frames: int
    mean_delta_qp: float | None
    seconds: float
    verdict: str


@dataclass(frozen=True)
class Scored:
    """An encode with its scores."""

    encoded: Encoded
    raw: dict[str, list[float]]
    """See `Measured.raw`."""
    failed: dict[str, str]


@dataclass(frozen=True)
class PointTask:
    """A point to be made."""

    encode: EncodeTask
    metrics: tuple[str, ...]
    weights: Maps | None
    threads: int
    """Of libvmaf."""
    viewing_distance: float
    """In heights of the picture."""
    scanpaths: Maps | None = None

    def run(self) -> Scored:
        """Encode and score, or find what was encoded and scored. Raises what encoding raises, and MediaError."""
        encoded = self.encode.run()
        raw: dict[str, list[float]] = {}
        for metric in self.metrics:
            known = self._cache.read_json(self._place(encoded, metric))
            if known is not None:
                raw[metric] = known
        missing = tuple(metric for metric in self.metrics if metric not in raw)
        failed: dict[str, str] = {}
        if missing:
            measured = self._measure(encoded, missing)
            for metric, values in measured.raw.items():
                self._cache.write_json(self._place(encoded, metric), values)
            raw |= measured.raw
            failed = measured.failed
        return Scored(encoded, raw, failed)

    def _measure(self, encoded: Encoded, metrics: tuple[str, ...]) -> Measured:
        reference = self.encode.reference
        if encoded.frames != len(reference.seconds):
            raise MediaError(f"{reference.clip}: {encoded.frames} frames were encoded of {len(reference.seconds)}")
        weights = None if self.weights is None else self.weights.path
        return measure(
            Comparison(
                reference.path,
                encoded.path,
                metrics,
                weights,
                threads=self.threads,
                viewing_distance=self.viewing_distance,
                scanpaths=None if self.scanpaths is None else self.scanpaths.path,
            )
        )

    @property
    def _cache(self) -> Cache:
        return self.encode.cache

    def _place(self, encoded: Encoded, metric: str) -> Path:
        judge = self.scanpaths if metric == "fvvdp" else self.weights
        by_gaze = metric.endswith(("-attended", "-foveated", "-background")) or metric == "fvvdp"
        weights = judge.content if by_gaze and judge is not None else None
        program = program_version() if metric in OF_FFMPEG else None
        if metric in PACKAGES:
            program = package_version(PACKAGES[metric][1])
        distance = self.viewing_distance if metric.endswith("-foveated") or metric in PACKAGES else None
        kind = made_by("score")
        key = key_of(encoded=encoded.key, metric=metric, weights=weights, distance=distance, program=program, made_by=kind)
        return self._cache.place("scores", key, ".json")
