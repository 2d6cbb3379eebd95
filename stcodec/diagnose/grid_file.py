"""Grids of a whole video on disk, so that the length of the video is no matter of memory."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from stcodec.media.paths import file_error
from stcodec.types import FloatArray


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
