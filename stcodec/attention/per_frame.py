"""A plain function of a picture as a source of attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stcodec.attention.base import AttentionSession, AttentionSource, PromptSession
from stcodec.errors import AttentionError
from stcodec.types import Clip, ClipSpec, FloatArray, VideoInfo

PictureFunction = Callable[[NDArray[np.uint8]], ArrayLike]
"""Picture uint8 [h, w, 3] RGB in display orientation → map [rows, cols] of any size that covers it, values in [0, 1]."""


class PerFrameSource(AttentionSource):
    """A source that calls a function with one picture after another, several times a second."""

    def __init__(self, function: PictureFunction, *, maps_per_second: float = 6.0, side_px: int = 320) -> None:
        """maps_per_second: > 0; side_px: longest side of the pictures, > 0. Maps between pictures are interpolated."""
        if not (maps_per_second > 0 and side_px > 0):
            raise AttentionError(
                f"maps_per_second {maps_per_second:g} and side_px {side_px}: allowed is more than 0",
                value=(maps_per_second, side_px),
            )
        self.name = f"function:{getattr(function, '__name__', type(function).__name__)}"
        self.spec = ClipSpec(maps_per_second, side_px)
        self._function = function

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video."""
        return PromptSession(video, self.name, self._maps)

    def _maps(self, clip: Clip) -> FloatArray:
        assert clip.thumbnails is not None  # the spec asks for them
        return np.stack([self(picture) for picture in clip.thumbnails])

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The function's map of a picture, float32 [rows, cols]. Raises AttentionError if it is none."""
        saliency = np.asarray(self._function(picture), np.float32)
        if saliency.ndim != 2 or saliency.size == 0:
            raise AttentionError(
                f"{self.name} gave an array of shape {saliency.shape}: allowed is [rows, cols]", value=saliency.shape
            )
        low, high = float(saliency.min()), float(saliency.max())
        if not (low >= 0 and high <= 1):  # NaN fails too
            raise AttentionError(
                f"{self.name} gave a map of {low:g} to {high:g}: allowed is 0 to 1", value=(low, high), allowed=(0, 1)
            )
        return saliency


@overload
def map_per_frame(function: PictureFunction, /) -> PerFrameSource: ...
@overload
def map_per_frame(*, maps_per_second: float = 6.0, side_px: int = 320) -> Callable[[PictureFunction], PerFrameSource]: ...
def map_per_frame(function: PictureFunction | None = None, /, **how: Any) -> Any:
    """Decorator that makes a function of a picture a source, to be given as `attention=` or used in a loop of one's own.

    The function takes uint8 [h, w, 3] RGB and returns a map [rows, cols] of values in [0, 1], of any size that covers the
    picture. maps_per_second and side_px, the longest side of the pictures, may be given: `@map_per_frame(side_px=640)`.
    """
    if function is not None:
        return PerFrameSource(function)
    return lambda function: PerFrameSource(function, **how)
