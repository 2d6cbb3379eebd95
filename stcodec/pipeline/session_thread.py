"""A source of attention at work beside the decoder."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from stcodec.attention.base import AttentionSession
from stcodec.types import Clip, SaliencyTrack


class SessionThread:
    """A session on a thread of its own: while it looks at one clip the next are decoded. Leaving the block ends it.

    What matters most is the time before the first map, when the encoder waits for both.
    """

    def __init__(self, session: AttentionSession, clips_ahead: int) -> None:
        """clips_ahead: how many clips may wait for the session; with 0 each is looked at before anything goes on."""
        self._session = session
        self._clips_ahead = clips_ahead
        self._pending: deque[Future[SaliencyTrack | None]] = deque()
        self._worker = ThreadPoolExecutor(1, "stcodec-attention")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._worker.shutdown(cancel_futures=True)

    def attend(self, clip: Clip) -> None:
        """Show the session the next clip."""
        self._pending.append(self._worker.submit(self._session.attend, clip))

    def finish(self) -> None:
        """No more clips: the next `tracks` waits for all that is owed."""
        self._pending.append(self._worker.submit(self._session.finish))
        self._clips_ahead = 0

    def tracks(self) -> Iterator[SaliencyTrack]:
        """Maps found since the last call; waits while too many clips do. Raises what the session raises."""
        while self._pending and (len(self._pending) > self._clips_ahead or self._pending[0].done()):
            track = self._pending.popleft().result()
            if track is not None:
                yield track
