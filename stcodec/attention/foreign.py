"""Sources of other packages, which may fail in any way: what they do wrong becomes one clear error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import TypeVar, cast

from stcodec.attention.base import AttentionSession, AttentionSource
from stcodec.errors import AttentionError, StcodecError
from stcodec.types import Clip, ClipSpec, SaliencyTrack, VideoInfo

T = TypeVar("T")


class ForeignSource(AttentionSource):
    """A source of another package, held to the interface."""

    def __init__(self, point: EntryPoint, argument: str | None) -> None:
        """argument: None if none was written. Raises AttentionError, or what the package refuses on purpose."""
        make = load_entry(point)
        self._blame = _blame(point)
        with _blamed(self._blame):
            source = make() if argument is None else make(argument)
        self._source: AttentionSource = self._checked(source, AttentionSource)  # type: ignore[type-abstract]
        with _blamed(self._blame):
            self.name = self._checked(self._source.name, str)
            self.spec = self._checked(self._source.spec, ClipSpec)
            self.lookahead_seconds = float(self._source.lookahead_seconds)

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video. Raises AttentionError, or what the package refuses on purpose."""
        with _blamed(self._blame):
            session = self._source.open(video)
        return _ForeignSession(self, self._checked(session, AttentionSession))  # type: ignore[type-abstract]

    def ask(self, session: AttentionSession, clip: Clip | None) -> SaliencyTrack | None:
        """The session's maps for a clip, or after the last one (None). Raises as `open` does."""
        with _blamed(self._blame):
            found = session.finish() if clip is None else session.attend(clip)
        return found if clip is None and found is None else self._checked(found, SaliencyTrack)

    def _checked(self, found: object, expected: type[T]) -> T:
        if not isinstance(found, expected):
            article = "an" if expected.__name__[0] in "AEIOU" else "a"
            raise AttentionError(
                f"{self._blame} gave {type(found).__name__}, not {article} {expected.__name__}: report it there, or "
                "remove the package"
            )
        return found


class _ForeignSession(AttentionSession):
    def __init__(self, owner: ForeignSource, session: AttentionSession) -> None:
        self._owner = owner
        self._session = session

    def attend(self, clip: Clip) -> SaliencyTrack:
        found = self._owner.ask(self._session, clip)
        assert found is not None
        return found

    def finish(self) -> SaliencyTrack | None:
        return self._owner.ask(self._session, None)


def load_entry(point: EntryPoint) -> Callable[..., object]:
    """The object that an entry point names. Raises AttentionError."""
    with _blamed(_blame(point)):
        return cast(Callable[..., object], point.load())


def _blame(point: EntryPoint) -> str:
    package = point.dist.name if point.dist is not None else "an unknown package"
    return f"the source {point.name} of the package {package}"


@contextlib.contextmanager
def _blamed(blame: str) -> Iterator[None]:
    try:
        yield
    except StcodecError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())
        raise AttentionError(
            f"{blame} failed ({type(error).__name__}: {reason}): report it there, or remove the package"
        ) from error
