"""Maps of a whole video, and how they came about, on disk: the length of the video is no matter of memory."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.grids import resize
from stcodec.attention.neural_engine import NeuralDetail
from stcodec.media.paths import file_error
from stcodec.types import Arrays, FloatArray, TimeArray


class GridFile:
    """Grids [h, w] of one shape, float16, numbered from 0; any can be read again."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._shape: tuple[int, ...] | None = None
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._count

    def append(self, grid: FloatArray) -> None:
        """One more; all must have the shape of the first. Raises MediaError if the disk is full."""
        self._shape = self._shape or grid.shape
        assert grid.shape == self._shape
        try:
            self._file.seek(0, 2)
            self._file.write(np.ascontiguousarray(grid, np.float16).tobytes())
            self._file.flush()
        except OSError as error:
            raise file_error(None, "temporary maps can't be written", error, ": set TMPDIR to a larger place") from None
        self._count += 1

    def __getitem__(self, index: int) -> FloatArray:
        """[h, w] float32."""
        if self._shape is None or not 0 <= index < self._count:
            raise IndexError(index)
        size = 2 * int(np.prod(self._shape))
        self._file.seek(index * size)
        return np.frombuffer(self._file.read(size), np.float16).reshape(self._shape).astype(np.float32)


_PLACES = 5
"""For each token the places that it looked at most."""


@dataclass(frozen=True, eq=False, repr=False)
class Detail(Arrays):
    """Inner workings of one map. k tokens passed the gate; they looked at n instants."""

    gate_score: FloatArray
    """[rows, cols] of the tokens' grid, 0 to 1."""
    token_index: NDArray[np.int64]
    """[k] positions in that grid, flattened."""
    openness: FloatArray
    """[k] 0 to 1."""
    when_seconds: TimeArray
    """[n] the window's instants, in order."""
    profile: FloatArray
    """[k, n] how much each token looked at each instant; sums to 1 over n."""
    top_when: NDArray[np.int64]
    """[k, 5] the instants, by index, of the places that each token looked at most."""
    top_place: FloatArray
    """[k, 5, 2] x and y of those places in shares of this frame, the camera's motion taken out; may lie outside."""
    top_share: FloatArray
    """[k, 5] how much it looked there."""
    spatial: FloatArray
    """[h, w] density by the spatial branch alone, on the grid of the measures."""
    gain: FloatArray
    """[h, w] what the temporal branch adds to its logarithm, mean 0."""
    temporal_percent: float
    """Share of the temporal branch in the map."""


class DetailFile:
    """Details of a whole video on disk, numbered from 0."""

    def __init__(self, path: Path, shape: tuple[int, int], aspect: float) -> None:
        """shape: of the grid of the measures; aspect: the frame's height over its width."""
        self._file = path.open("w+b")
        self._shape = shape
        self._aspect = aspect
        self._starts = [0]
        self.temporal_percent: list[float] = []
        """Of every map."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()

    def append(self, detail: NeuralDetail) -> None:
        """The next one. Raises MediaError if the disk is full."""
        small = condensed(detail, self._shape, self._aspect)
        packed = io.BytesIO()
        np.savez(packed, **vars(small))
        try:
            self._file.seek(self._starts[-1])
            self._starts.append(self._starts[-1] + self._file.write(packed.getvalue()))
            self._file.flush()
        except OSError as error:
            raise file_error(None, "temporary data can't be written", error, ": set TMPDIR to a larger place") from None
        self.temporal_percent.append(small.temporal_percent)

    def __getitem__(self, index: int) -> Detail:
        start, end = self._starts[index : index + 2]
        self._file.seek(start)
        with np.load(io.BytesIO(self._file.read(end - start))) as found:
            values = {name: found[name] for name in found.files}
        return Detail(**{**values, "temporal_percent": float(values["temporal_percent"])})


def condensed(detail: NeuralDetail, shape: tuple[int, int], aspect: float) -> Detail:
    """The part of a detail that is shown. shape: of the grid of the measures; aspect: the frame's height over its width."""
    share = detail.attention_share.mean(axis=0)
    when, which = np.unique(detail.window_pts_seconds, return_inverse=True)
    profile = np.zeros((share.shape[0], len(when)), np.float32)
    np.add.at(profile.T, which, share.T)
    top = np.argsort(-share, axis=1, kind="stable")[:, :_PLACES]
    top = np.pad(top, ((0, 0), (0, _PLACES - top.shape[1])), mode="edge")
    place = _in_this_frame(detail, aspect)[top]
    return Detail(
        gate_score=detail.gate_score,
        token_index=detail.token_index,
        openness=detail.openness,
        when_seconds=when,
        profile=profile,
        top_when=which[top],
        top_place=place.astype(np.float32),
        top_share=np.take_along_axis(share, top, axis=1).astype(np.float32),
        spatial=resize(detail.spatial_density, shape),
        gain=resize(detail.temporal_gain, shape),
        temporal_percent=100 * detail.temporal_share,
    )


def _in_this_frame(detail: NeuralDetail, aspect: float) -> NDArray[np.float64]:
    """[m, 2] the window's places in shares of this frame: its own tokens, whose places are known both ways, tell how."""
    own = detail.window_position[detail.window_pts_seconds == detail.pts_seconds].astype(np.float64)
    rows, cols = detail.gate_score.shape
    here = np.stack([(detail.token_index % cols + 0.5) / cols, (detail.token_index // cols + 0.5) / rows], axis=1)
    if len(own) < 3 or np.linalg.matrix_rank(own - own.mean(axis=0)) < 2:
        scale = np.array([1, 1 / aspect])
        shift = here.mean(axis=0) - (own * scale).mean(axis=0) if len(own) else 0.5
        return np.asarray(detail.window_position * scale + shift, np.float64)
    columns = np.concatenate([own, np.ones((len(own), 1))], axis=1)
    solved = np.linalg.lstsq(columns, here[: len(own)], rcond=None)[0]
    return np.asarray(np.concatenate([detail.window_position, np.ones((len(detail.window_position), 1))], axis=1) @ solved)
