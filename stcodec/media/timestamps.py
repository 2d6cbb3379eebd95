"""Presentation times that can be trusted, from containers that can't."""

from __future__ import annotations


class BestEffortPts:
    """Chooses between a decoder's pts and dts, frame by frame, in presentation order.

    AVI and some cameras store B-frames without presentation times, so that the decoder's pts go back and forth while its
    dts are right. As libavcodec does for `AVFrame.best_effort_timestamp` (which PyAV does not show), the faults of both
    are counted and the one with fewer is believed. What still fails to increase is moved behind its predecessor.
    """

    def __init__(self, frame_ticks: int, *, prefer_dts: bool = False) -> None:
        """frame_ticks: the usual distance of two frames, in ticks of the stream's time base; at least 1.

        prefer_dts: the container is known to have no presentation times of its own, so that dts are believed at once.
        """
        self._frame_ticks = max(1, frame_ticks)
        self._faulty_pts = int(prefer_dts)
        self._faulty_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None
        self._last: int | None = None
        self.repaired = 0
        """Frames whose time had to be made up."""

    def __call__(self, pts: int | None, dts: int | None) -> int:
        """The time of the next frame; strictly greater than the one before."""
        if dts is not None:
            self._faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        elif pts is not None:
            self._last_dts = pts
        if pts is not None:
            self._faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        elif dts is not None:
            self._last_pts = dts
        trusted = pts if pts is not None and (dts is None or self._faulty_pts <= self._faulty_dts) else dts
        if trusted is None or (self._last is not None and trusted <= self._last):
            self.repaired += 1
            trusted = 0 if self._last is None else self._last + self._frame_ticks
        self._last = trusted
        return trusted
