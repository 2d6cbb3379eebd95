"""Runs of instants of video, as the part of the network that is trained on them sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from stcodec.model.stem import Stem, Taps
from stcodec.train.recordings import Recording
from stcodec.train.views import all_features, low_features


@dataclass(frozen=True)
class Run:
    """T instants; what the stem, which is not trained on video, makes of them is computed once."""

    taps: Taps
    """[T, channels, h, w] float16, at strides 8, 16 and 32."""
    motion: Tensor
    """[T, 4, H/8, W/8]."""
    score: Tensor
    """[T, H/16, W/16], what the gate goes by."""
    position: Tensor
    """[T, H/16 * W/16, 2] in frame widths, the camera's motion removed."""
    shot: Tensor
    """[T] int64, number of the shot."""
    seconds: Tensor
    """[T]."""
    density: Tensor
    """[T, H/8, W/8] sums to 1; 0 where not scored."""

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def scored(self) -> Tensor:
        """[T] bool, whether enough observers fixate."""
        return self.density.flatten(1).sum(1) > 0

    def part(self, start: int, count: int) -> Run:
        """`count` instants from one on, fewer at the end."""
        some = slice(start, start + count)
        low, middle, high = (one[some] for one in self.taps)
        return Run((low, middle, high), *(one[some] for one in self._others()))

    def through(self, stem: Stem) -> Run:
        """The same as a stem sees it that has the same early blocks."""
        return replace(self, taps=all_features(stem, self.taps[0]))

    def on(self, device: str) -> Run:
        """The same on a device, as torch names it."""
        low, middle, high = (one.to(device) for one in self.taps)
        return Run((low, middle, high), *(one.to(device) for one in self._others()))

    def _others(self) -> tuple[Tensor, ...]:
        return self.motion, self.score, self.position, self.shot, self.seconds, self.density


def seen(recording: Recording, stem: Stem) -> Run:
    """A recording as a stem sees it."""
    one = recording
    taps = all_features(stem, low_features(stem, one.pictures))
    return Run(taps, one.motion, one.score, one.position, one.shot, one.seconds, one.density)
