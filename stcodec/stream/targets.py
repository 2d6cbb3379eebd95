"""All targets of a stream: checked before anything is opened, then opened together."""

from __future__ import annotations

from collections.abc import Sequence

from stcodec.encoders.table import find_encoder
from stcodec.stream.address import check_targets, parse_target
from stcodec.stream.options import StreamOptions
from stcodec.stream.outlets import open_outlet
from stcodec.stream.packet import Outlet, Track


class Targets:
    """What the options name. Raises OptionsError for what can't work, whatever the source is."""

    def __init__(self, options: StreamOptions) -> None:
        texts = options.targets if options.record is None else (*options.targets, options.record)
        self._targets = [parse_target(text) for text in texts]
        self._codec = find_encoder(options.encoder).codec
        self._segment_seconds = options.keyint_seconds
        # Only of a source that can wait: elsewhere a slow target must not hold up the others.
        self._waits = not options.is_paced
        named = [f"{one.lines}p" for one in options.renditions if one.lines is not None]
        if len(named) == len(options.renditions):
            check_targets(self._targets, self._codec, named)

    def open(self, tracks: tuple[Track, ...]) -> Sequence[Outlet]:
        """Every target at work. Raises a StcodecError in one line; then none is."""
        check_targets(self._targets, self._codec, [one.name for one in tracks if one.kind == "video"])
        opened: list[Outlet] = []
        try:
            for target in self._targets:
                opened.append(open_outlet(target, tracks, segment_seconds=self._segment_seconds, waits=self._waits))
        except BaseException:
            for outlet in opened:
                outlet.close(1.0)
            raise
        return opened
