"""Neighbours of an instant in time, within its shot."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Placed(NamedTuple, Generic[T]):
    """Something at an instant."""

    pts_seconds: float
    shot: int
    """Number of the shot, from 1 on."""
    starts_shot: bool
    what: T


class ShotWindow(Generic[T]):
    """Takes instants in order and gives each back with its neighbours, once all of these are known.

    Neighbours are of the same shot, and no farther than the reach. Memory is bounded by the reach.
    """

    def __init__(self, behind_seconds: float, ahead_seconds: float, slack_seconds: float = 0.0) -> None:
        """Reach to either side; with 0 ahead an instant comes back at once.

        slack_seconds: how exact that is, for instants that lie on frames.
        """
        self._behind = behind_seconds + slack_seconds
        self._ahead = ahead_seconds + slack_seconds
        self._complete_seconds = ahead_seconds - slack_seconds
        self._kept: deque[Placed[T]] = deque()
        self._owed = 0
        """Index in what is kept of the next instant that must come back."""
        self._shot = 0

    def push(self, pts_seconds: float, starts_shot: bool, what: T) -> Iterator[tuple[Placed[T], list[Placed[T]]]]:
        """Take an instant; those that are complete by now, each with its neighbours, itself among them, in order."""
        self._shot += starts_shot or self._shot == 0
        self._kept.append(Placed(pts_seconds, self._shot, starts_shot, what))
        yield from self._ripe(ended=False)

    def finish(self) -> Iterator[tuple[Placed[T], list[Placed[T]]]]:
        """The instants still due once no more come."""
        yield from self._ripe(ended=True)

    def _ripe(self, ended: bool) -> Iterator[tuple[Placed[T], list[Placed[T]]]]:
        while self._owed < len(self._kept):
            now, latest = self._kept[self._owed], self._kept[-1]
            reached = latest.pts_seconds - now.pts_seconds >= self._complete_seconds
            if not (ended or latest.shot != now.shot or reached):
                return
            near = [one for one in self._kept if self._sees(now, one)]
            self._owed += 1
            self._forget()
            yield now, near

    def _sees(self, now: Placed[T], other: Placed[T]) -> bool:
        return now.shot == other.shot and -self._behind <= other.pts_seconds - now.pts_seconds <= self._ahead

    def _forget(self) -> None:
        """Drop the instants that none to come can see; the latest stays, to tell whether a shot goes on."""
        earliest = self._kept[min(self._owed, len(self._kept) - 1)]
        while self._owed and self._kept[0] is not earliest and not self._sees(earliest, self._kept[0]):
            self._kept.popleft()
            self._owed -= 1
