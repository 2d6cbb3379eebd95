"""`neural`: attention by a network that has learnt from recorded gaze."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import compress
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stcodec.attention.base import AttentionSession, AttentionSource, TimedMap, track_of
from stcodec.attention.grids import peak_one, sharpness_bits
from stcodec.attention.neural_engine import (
    BranchLogits,
    Engine,
    FrameOutput,
    GatedFrame,
    Look,
    Network,
    NeuralDetail,
    TokenSet,
    branch_maps,
)
from stcodec.attention.neural_input import FrameMotion, LastLook, MotionInput, input_shape, picture
from stcodec.attention.neural_options import INSTALL_GPU, NeuralOptions, checked_device, no_gpu_reason, parse_options
from stcodec.attention.shot_window import Placed, ShotWindow
from stcodec.errors import AttentionError
from stcodec.model.config import (
    LEAST_OPENNESS,
    MAPS_PER_SECOND,
    MEAN_SECONDS,
    SLACK_SECONDS,
    THUMBNAIL_SIDE_PX,
)
from stcodec.model.weights_file import WEIGHTS_PATH
from stcodec.types import Clip, ClipSpec, FloatArray, SaliencyTrack, VideoInfo

DetailSink = Callable[[NeuralDetail], None]


class NeuralSource(AttentionSource):
    """The attention network, with the weights of the package; docs/model-card.md says what they know.

    Normalised to sum 1, its maps are gaze densities. The spatial branch sees one picture at a time; the temporal branch
    sees those places that move or change beside the camera's motion, over the window's time within a shot.
    """

    spec = ClipSpec(maps_per_second=MAPS_PER_SECOND, thumbnail_side_px=THUMBNAIL_SIDE_PX, shots=True)

    def __init__(
        self,
        options: NeuralOptions | None = None,
        weights: Path = WEIGHTS_PATH,
        on_detail: DetailSink | None = None,
    ) -> None:
        """on_detail: is called with the inner workings of each map, in order, before the map comes out.

        Raises AttentionError if the weights can't be used, or the device is not there.
        """
        self.options = options or NeuralOptions()
        self.name = self.options.text
        self._engine = open_engine(self.options.device, weights)
        config = self._engine.info.config
        given = self.options
        self._window_seconds = config.window_seconds if given.window_seconds is None else given.window_seconds
        self._token_share = config.token_share if given.token_share is None else given.token_share
        self.lookahead_seconds = 0.0 if given.causal else MEAN_SECONDS
        self._on_detail = on_detail

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video."""
        cv2.setNumThreads(1)  # the images are tiny, and the encoder needs the cores
        network = Network(self._engine, self.options.balance, self._token_share)
        return _NeuralSession(network, video, self._window_seconds, self.options.causal, self.name, self._on_detail)


def neural_source(text: str | None = None) -> NeuralSource:
    """The source with what a user wrote after `neural:`; None if that was nothing."""
    return NeuralSource(None if text is None else parse_options(text))


@lru_cache(maxsize=4)
def open_engine(device: str, weights: Path) -> Engine:
    """The network on a device: "auto", "cpu", "cuda", "cuda:N", or "torch" (torch on the CPU).

    Raises OptionsError for another name, and AttentionError if the device is not there or the weights can't be used.
    """
    if checked_device(device) == "auto":
        device = "cuda" if no_gpu_reason() is None else "cpu"
    if device == "cpu":
        from stcodec.attention.neural_onnx import OnnxEngine

        return OnnxEngine(weights)
    try:
        from stcodec.attention.neural_torch import TorchEngine
    except ModuleNotFoundError as error:
        package = (error.name or "").split(".")[0]
        raise AttentionError(
            f"device {device}: needs {package}, which is not installed: {INSTALL_GPU}, or use --device cpu"
        ) from None
    return TorchEngine(weights, "cpu" if device == "torch" else device)


@dataclass(frozen=True)
class SeenFrame:
    """Features of an instant, kept while it may still be looked at."""

    pts_seconds: float
    looked_at: bool
    """False if an earlier picture's `gated.frame` stands for it."""
    motion: FrameMotion
    gated: GatedFrame
    own: TokenSet

    @cached_property
    def open_tokens(self) -> TokenSet:
        """The tokens that other frames look at: the first ones, since the most active come first."""
        count = int((self.gated.openness > LEAST_OPENNESS).sum())
        return TokenSet(self.own.tokens[:count], self.own.position[:count])


_Ready = tuple[Placed[SeenFrame], list[Placed[SeenFrame]]]
_ReadyDensity = tuple[Placed[TimedMap], list[Placed[TimedMap]]]


class _NeuralSession(AttentionSession):
    def __init__(
        self,
        network: Network,
        video: VideoInfo,
        window_seconds: float,
        causal: bool,
        name: str,
        on_detail: DetailSink | None,
    ) -> None:
        self._network = network
        self._video = video
        self._name = name
        self._on_detail = on_detail
        self._shape = input_shape(video.display_width_px, video.display_height_px)
        self._motion = MotionInput(video, self._shape)
        self._last_look = LastLook()
        self._last_frame: FrameOutput | None = None
        """Of the picture that was looked at last."""
        # With what comes later, maps differ by 1e-5 nats, and all frames would have to wait for it.
        self._window: ShotWindow[SeenFrame] = ShotWindow(window_seconds, 0.0, SLACK_SECONDS)
        """Instants that the temporal branch looks at."""
        reach_seconds = 0.0 if causal else MEAN_SECONDS
        self._densities: ShotWindow[TimedMap] = ShotWindow(reach_seconds, reach_seconds, SLACK_SECONDS)
        """Densities that a map is the mean of; a live one is its own, so that sudden events show at once."""
        self._shot_seconds: float | None = None
        """When the shot began."""

    def attend(self, clip: Clip) -> SaliencyTrack:
        if clip.thumbnails is None and len(clip):
            raise AttentionError(
                f"{self._name}: the clip at {clip.pts_seconds[0]:.3f} s has no thumbnails: prepare clips by its spec"
            )
        ready: list[_Ready] = []
        for starts, instant in zip(clip.shot_starts, self._seen(clip), strict=True):
            ready += self._window.push(instant.pts_seconds, bool(starts), instant)
        return self._track(self._averaged(ready))

    def finish(self) -> SaliencyTrack | None:
        rest = self._averaged(list(self._window.finish()))
        rest += self._densities.finish()
        return self._track(rest) if rest else None

    def _seen(self, clip: Clip) -> list[SeenFrame]:
        """The clip's instants, which go through the network together."""
        thumbnails = () if clip.thumbnails is None else clip.thumbnails
        # Optical flow on thumbnails foretells gaze as well as the bitstream's vectors, which cost more to take out.
        clip = replace(clip, motion_vectors=None)
        motions = [self._motion.see(clip, index) for index in range(len(clip))]
        speeds = [one.camera_speed for one in motions]
        seen = zip(thumbnails, clip.pts_seconds, clip.shot_starts, speeds, strict=True)
        looks = [self._last_look.is_over(*one) for one in seen]
        fresh = iter(self._network.frames([picture(one, self._shape) for one in compress(thumbnails, looks)]))
        frames = [self._frame(fresh if is_look else None) for is_look in looks]
        gated = self._network.gated(frames, motions)
        return [self._instant(clip, index, looks[index], motion, *gated[index]) for index, motion in enumerate(motions)]

    def _frame(self, fresh: Iterator[FrameOutput] | None) -> FrameOutput:
        """Output of the spatial branch for the next instant: a fresh one, or the last that there was."""
        if fresh is not None:
            self._last_frame = next(fresh)
        assert self._last_frame is not None  # the first picture is looked at
        return self._last_frame

    def _instant(
        self, clip: Clip, index: int, looked_at: bool, motion: FrameMotion, gated: GatedFrame, tokens: Any
    ) -> SeenFrame:
        seconds, starts = float(clip.pts_seconds[index]), bool(clip.shot_starts[index])
        if starts or self._shot_seconds is None:
            self._shot_seconds = seconds
        when = np.full((len(gated.index), 1), seconds - self._shot_seconds, np.float32)
        own = TokenSet(tokens, np.concatenate([motion.position[gated.index], when], axis=1))
        return SeenFrame(seconds, looked_at, motion, gated, own)

    def _averaged(self, ready: list[_Ready]) -> list[_ReadyDensity]:
        """The densities whose neighbours in time are known, out of instants that the temporal branch can be shown."""
        found: list[_ReadyDensity] = []
        for (now, _), density in zip(ready, self._density(ready), strict=True):
            what = TimedMap(now.pts_seconds, now.starts_shot, density, now.what.looked_at)
            found += self._densities.push(now.pts_seconds, now.starts_shot, what)
        return found

    def _density(self, ready: list[_Ready]) -> list[FloatArray]:
        """The densities of instants, each with those of its window."""
        if not ready:
            return []
        windows = [(now.what, [one.what for one in near]) for now, near in ready]
        looks = [
            Look(now.gated, now.own, [one.own if one is now else one.open_tokens for one in near]) for now, near in windows
        ]
        fused = self._network.fused(looks, shares=self._on_detail is not None)
        if self._on_detail is not None:
            for (now, near), look, one in zip(windows, looks, fused, strict=True):
                self._on_detail(_detail(now, near, look, one))
        return [np.exp(self._network.log_density(one.spatial, one.temporal)) for one in fused]

    def _track(self, ready: list[_ReadyDensity]) -> SaliencyTrack:
        maps = [self._map(now.what, np.mean([one.what.saliency for one in near], axis=0)) for now, near in ready]
        return track_of(self._video, self._name, maps)

    def _map(self, now: TimedMap, density: FloatArray) -> TimedMap:
        """The map of an instant, out of its density."""
        return now._replace(saliency=peak_one(density), confidence=self._network.confidence(sharpness_bits(density)))


def _detail(now: SeenFrame, near: list[SeenFrame], look: Look, fused: BranchLogits) -> NeuralDetail:
    assert fused.share is not None
    times = [np.full(len(tokens.position), one.pts_seconds) for one, tokens in zip(near, look.window, strict=True)]
    spatial, temporal, share = branch_maps(fused.spatial, fused.temporal)
    return NeuralDetail(
        pts_seconds=now.pts_seconds,
        looked_at=now.looked_at,
        gate_score=now.motion.score,
        token_index=now.gated.index,
        openness=now.gated.openness,
        attention_share=fused.share,
        window_pts_seconds=np.concatenate(times),
        window_position=np.concatenate([tokens.position[:, :2] for tokens in look.window]),
        spatial_density=spatial,
        temporal_gain=temporal,
        temporal_share=share,
    )
