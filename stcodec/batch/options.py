"""Options of a batch: what is made of every file, and how the work is done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from stcodec.batch.ladder import Ladder, check_ladder
from stcodec.batch.names import check_template
from stcodec.encoders.table import find_encoder
from stcodec.errors import OptionsError, check_range
from stcodec.matching.options import MatchOptions
from stcodec.options import EncodeOptions
from stcodec.work.cache import key_of


@dataclass(frozen=True)
class BatchOptions:
    """Options that decide what is made of every file."""

    encode: EncodeOptions = field(default_factory=EncodeOptions)
    template: str | None = None
    """The outputs' names, see `stcodec.batch.names`; None = the source's name, in a container that takes the codec."""
    include: tuple[str, ...] = ()
    """Patterns of files to take; empty = every file that is a video by its name or content."""
    exclude: tuple[str, ...] = ()
    """Patterns of files and folders to leave out."""
    keep_partial: bool = False
    verify: bool | None = None
    """Check of the finished file, as in `RunOptions`."""
    replace: bool = False
    """Put the result in the original's place, if it is smaller by min_saving_percent; else the original stays."""
    min_saving_percent: float = 5.0
    ladder: Ladder = ()
    """Renditions of every video, packaged as HLS and DASH; "auto" = chosen for each video; empty = one file is made."""
    results: str | None = None
    """URL of the folder that results go to; None = that of the job table."""
    goal: MatchOptions | None = None
    """A quality that is searched for in every video; None = all have the same crf or bitrate."""

    def __post_init__(self) -> None:
        find_encoder(self.encode.encoder)
        if self.template is not None:
            check_template(self.template)
        if self.ladder:
            check_ladder(self.ladder, self.encode)
            if self.replace:
                raise OptionsError("--ladder makes folders, which can't take the place of originals: leave --replace out")
            if self.goal is not None:
                raise OptionsError("--ladder sets bitrates: leave --match-crf and --target out")
        self.base()  # that the search has something to search
        if not 0 <= self.min_saving_percent < 100:
            raise OptionsError(
                f"--min-saving is {self.min_saving_percent:g}: allowed is 0 to below 100 %",
                value=self.min_saving_percent,
                allowed=(0, 100),
            )
        if self.replace and (self.verify is False or self.keep_partial):
            flag = "--keep-partial" if self.keep_partial else "--no-verify"
            raise OptionsError(
                f"--replace takes the place of originals: what {flag} lets through is not sure enough for that"
            )

    @property
    def key(self) -> str:
        """The hash of all that changes the files that are made."""
        return key_of(**{name: value for name, value in self.as_mapping().items() if name not in ("include", "exclude")})

    def base(self) -> EncodeOptions:
        """The options that the encode of a file begins with."""
        return self.encode if self.goal is None else self.goal.base(self.encode)

    def as_mapping(self) -> dict[str, Any]:
        """The options as JSON knows them."""
        return asdict(replace(self, encode=replace(self.encode, extra=dict(self.encode.extra))))


@dataclass(frozen=True)
class BatchRun:
    """Options of one run; none of them changes a file."""

    jobs: int | None = None
    """Files encoded side by side; None = one for every four cores."""
    overwrite: bool = False
    """Make files again that were made with other options or changed since, and replace what others put there."""
    report: Path | None = None
    """Also write the summary as a page."""
    on_done: tuple[str, ...] = ()
    """Words of a command that is run for every finished file, whose name becomes the last word; empty = none."""
    watch_seconds: float | None = None
    """Go on looking for new files, so often; a file is taken when it is the same at two looks. None = one look only."""
    part_seconds: float = 60.0
    """A video that would keep one worker busy when the others have nothing left is cut into parts of about that length;
    0 = none is."""
    ray: str | None = None
    """"auto" or the address of a Ray cluster, whose processes do the work; None = processes of this machine."""
    attempts: int = 2
    """Number of times that a file is tried whose process dies."""

    def __post_init__(self) -> None:
        check_range("--jobs", self.jobs, 1, 1024)
        check_range("--watch", self.watch_seconds, 0.1, 86400, note=" seconds between looks")
        check_range("--part-seconds", self.part_seconds, 0, 86400, note="; 0 = no parts")
        check_range("--attempts", self.attempts, 1, 100)
