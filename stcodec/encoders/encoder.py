"""The encoder as the rest of the package sees it: what it can do, and how it is asked to.

Each of ffmpeg's encoders that offsets reach is a subclass in a file of its own, and nothing of it stands anywhere else. The
defaults here are those of an encoder about which there is nothing to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from stcodec.errors import OptionsError
from stcodec.options import EncodeOptions
from stcodec.types import BlockGrid, FloatArray

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

    from stcodec.encoders.hdr import HdrMetadata

ReadBack = Literal["against-plain", "against-frame", "levels", "effect"]


class CodedVideo(Protocol):
    """An encoded video as its container describes it."""

    @property
    def extradata(self) -> bytes: ...
    @property
    def width_px(self) -> int: ...
    @property
    def height_px(self) -> int: ...
    @property
    def frame_rate(self) -> Fraction | None: ...
    @property
    def pix_fmt(self) -> str: ...


class Driver(Protocol):
    """An encoder of which ffmpeg's wrapper takes no offsets, driven by other ways."""

    def applied(self, delta_qp: FloatArray) -> FloatArray:
        """The offsets [rows, cols] that blocks will have where such are asked for, QP steps."""
        ...

    def send(self, frame: VideoFrame, delta_qp: FloatArray, *, key: bool) -> Sequence[Packet[Any]]:
        """Encode a frame with offsets [rows, cols]; the packets that are ready. key: it must become a key frame."""
        ...

    def flush(self) -> Sequence[Packet[Any]]:
        """The packets still in the encoder, which is closed."""
        ...


class Encoder:
    """One of ffmpeg's video encoders. Without state: all instances of a class are equal."""

    name: ClassVar[str]
    """ffmpeg's name."""
    codec: ClassVar[str]
    """What it writes, by ffmpeg's name: h264, hevc, vp9, av1."""
    decoder: ClassVar[str] = ""
    """ffmpeg's decoder for it; "" = the one that has the codec's name."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """What else people call it."""
    stands_in_for: ClassVar[tuple[str, ...]] = ()
    """Words in the names of other encoders, in whose place this one is offered."""
    signature: ClassVar[re.Pattern[bytes] | None] = None
    """What it writes about itself into the first packet; the groups are its version."""

    reads_side_data: ClassVar[bool] = True
    """Whether ffmpeg's wrapper takes offsets from the side data of frames, so that they work around PyAV alone too."""
    block_px: ClassVar[int] = 16
    """Side of the blocks that can have offsets of their own, px."""
    qp_range: ClassVar[float] = 51.0
    """What a qoffset of 1 means, in QP steps of the H.26x scale on 8-bit video."""
    whole_units: ClassVar[int | None] = None
    """The whole units of its own that the wrapper turns a qoffset into, cutting off; None if fractions count."""
    most_boost_qp: ClassVar[float] = np.inf
    """How much better than its frame a block can become, QP steps."""
    max_levels: ClassVar[int | None] = None
    """Most distinct offsets in a frame, 0 among them; None = no limit."""
    offsets_on_key_frames: ClassVar[bool] = True
    offsets_on_interlaced: ClassVar[bool] = True
    interlacing_advice: ClassVar[str] = "deinterlace it first if that shows"
    read_back: ClassVar[ReadBack] = "effect"
    """How it is proved that offsets are in a file: the QP of blocks against that of a plain encode, or against their
    frame's; or, where no decoder exports QP, the levels that frame headers list, and the error of blocks against a plain
    encode's; or that alone."""

    crf_range: ClassVar[tuple[float, float]] = (0.0, 51.0)
    whole_crf: ClassVar[bool] = False
    """True if it drops fractions of a CRF."""
    default_crf: ClassVar[float | None] = None
    """Given explicitly where the encoder would otherwise not run at constant quality."""
    usual_crf: ClassVar[float]
    """The encoder's own default."""
    searched_crf: ClassVar[tuple[float, float]] = (10.0, 45.0)
    """Where a search for a quality looks."""

    presets: ClassVar[tuple[str, ...]]
    preset_option: ClassVar[str] = "preset"
    live_preset: ClassVar[str]
    trial_options: ClassVar[Mapping[str, str]] = {}
    """Options with which it is quick, and with which offsets count."""
    parameter_lists: ClassVar[tuple[str, ...]] = ()
    """Options of ffmpeg's wrapper that hold options of the encoder's own."""

    pixel_formats: ClassVar[tuple[str, ...]]
    """Formats that can be encoded to, 8-bit 4:2:0 first."""
    takes_odd_sizes: ClassVar[bool] = False
    """Whether width and height may be odd where chroma is subsampled."""
    min_side_px: ClassVar[int] = 16
    """Smaller frames are refused: the encoder fails, or writes what can't be decoded."""
    containers: ClassVar[tuple[str, ...]] = (".mp4", ".mkv")
    """File endings that take the codec."""
    matroska_id: ClassVar[str]
    """Matroska's name of the codec (RFC 9559 and the Matroska codec registry)."""
    mp4_tag: ClassVar[str] = ""
    """The four characters for it in a streamed MP4; "" = libavformat's own."""
    changes_bitrate: ClassVar[bool] = False
    """Whether an open one takes another bitrate, up to the peak that it was opened with."""
    target_kinds: ClassVar[tuple[str, ...]] = ("dash", "pipe", "file")
    """Kinds of targets of a stream that take the codec."""

    thread_type: ClassVar[str] = "FRAME"
    """ffmpeg's threading. PyAV asks for slices by default, which costs bits; frames are what the ffmpeg program does."""
    guided_by_default: ClassVar[bool] = True
    """Whether the command line gives its blocks offsets where nothing is said about attention."""
    begins_anew: ClassVar[bool] = False
    """Whether a shot gets a CRF of its own by an encoder opened for it, whose packets follow in the same stream."""
    joins_parts: ClassVar[bool] = False
    """Whether parts encoded by themselves can follow each other in one file, at the same quality."""
    has_macroblocks: ClassVar[bool] = False
    """Whether its blocks are H.264's, whose bits can be estimated from picture and QP."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<{self.name}>"

    @property
    def shifts_frames(self) -> bool:
        """Whether a constant added to all offsets shifts the QP of whole frames: not if few levels are left for it."""
        return self.max_levels is None

    def gives_offsets(self, options: EncodeOptions) -> bool:
        """Whether blocks get offsets: of strength 0 all are 0, and only encoders that shift frames by them need those."""
        return options.attention != "none" and not (self.begins_anew and options.policy.strength == 0)

    def without_bitrate(self, options: EncodeOptions) -> EncodeOptions | None:
        """The options at constant quality, if only a search of the CRF finds their bitrate; None = rate control does."""
        del options
        return None

    def refusal(self, setting: str, why: str, instead: str) -> OptionsError:
        """The error that says which setting loses the offsets."""
        return OptionsError(
            f"{self.name} with {setting} drops the QP offsets silently ({why}): {instead}, or encode with --attention none"
        )

    def range_for(self, bit_depth: int) -> float:
        """QP steps of a qoffset of 1: deeper video has 6 more for each bit."""
        return self.qp_range + 6 * (bit_depth - 8)

    @property
    def exports_qp(self) -> bool:
        """Whether decoders export the QP of its blocks."""
        return self.read_back in ("against-plain", "against-frame")

    def why_no_offsets(self) -> str:
        """Reason why it can't be given offsets on this machine; "" if it can."""
        return ""

    def opened(self) -> None:
        """Put right what opening it did to the process."""

    def driver(self, context: VideoCodecContext, grid: BlockGrid) -> Driver | None:
        """Driver that encodes with offsets, for PyAV's encoder set up but not opened; None = PyAV's encoder itself."""
        del context, grid
        return None

    # --- one encode

    def check(self, options: EncodeOptions) -> None:
        """Raise OptionsError for what it can't do with any video."""
        if options.two_pass:
            raise OptionsError(f"{self.name} has no second pass here: leave --two-pass out")

    def check_crf(self, crf: float) -> None:
        """Raise OptionsError unless a crf is one of its own."""
        low, high = self.crf_range
        if not low <= crf <= high:  # NaN fails too
            raise OptionsError(f"crf is {crf:g}: {self.name} takes {low:g} to {high:g}", value=crf, allowed=self.crf_range)

    def base_options(self, extra: Mapping[str, str]) -> dict[str, str]:
        """The user's options with what every encode needs."""
        return dict(extra)

    def guarded(self, options: Mapping[str, str], bit_depth: int) -> tuple[dict[str, str], list[str]]:
        """The options so that offsets are kept, and what to tell the user. Raises OptionsError if they can't be."""
        del bit_depth
        return dict(options), []

    def with_hdr(self, options: Mapping[str, str], hdr: HdrMetadata) -> tuple[dict[str, str], list[str]]:
        """The options with HDR10 metadata, unless the user set them; a message where it takes none."""
        del hdr
        return dict(options), ["HDR10 mastering data is dropped: this encoder has no place for it"]

    def for_pass(self, options: Mapping[str, str], number: int, stats: Path) -> dict[str, str]:
        """The options of pass 1 or 2, with its statistics in a file; not asked for where `check` refuses two passes."""
        raise NotImplementedError

    def finished(self, packets: Sequence[Packet[Any]], frames: int) -> Sequence[Packet[Any]]:
        """The last packets of an encode of so many frames, mended where needed."""
        del frames
        return packets

    def on_threads(self, extra: Mapping[str, str], threads: int) -> dict[str, str]:
        """The options with a number of threads, unless the user gave one: more change the bits."""
        return {"threads": str(threads), **extra}

    def with_peak(self, extra: Mapping[str, str], peak_kbps: float, buffer_kbit: float) -> dict[str, str]:
        """The options of a bitrate with a peak, held in a buffer, where its rate control knows one."""
        return {**extra, "maxrate": f"{round(peak_kbps)}k", "bufsize": f"{round(buffer_kbit)}k"}

    def with_key_frames_every(self, frames: int, extra: Mapping[str, str]) -> dict[str, str] | None:
        """The options with key frames at that distance (which is also the plan's keyint) and nowhere else.

        None if it can't be told where to place them.
        """
        del frames, extra
        return None

    # --- live

    def live_options(self, extra: Mapping[str, str], bitrate_kbps: float, preset: str, first_preset: str) -> dict[str, str]:
        """Options of live encoding, over those of the user: players may join at any key frame.

        first_preset: what the stream began with, and whose header its players know.
        """
        del bitrate_kbps, preset, first_preset
        return dict(extra)

    def easier_presets(self, first: str) -> tuple[str, ...]:
        """The presets that are quicker than one, the next one first."""
        return self.presets[: self.presets.index(first)][::-1]

    def playlist_codec(self, video: CodedVideo) -> str:
        """RFC 6381's codecs parameter; the header is in Annex B where the codec knows that."""
        raise NotImplementedError

    # --- reading back

    def listed(self, options: Mapping[str, str], delta_qp: FloatArray) -> NDArray[np.int64]:
        """Values that frame headers list for offsets [rows, cols] with such options, where `read_back` is "levels"."""
        raise NotImplementedError

    def qp_limits(self, bit_depth: int) -> tuple[float, float]:
        """Lowest and highest QP that its format has, in steps of the H.26x scale."""
        return 0.0, self.range_for(bit_depth)

    def qp_steps(self, exported: NDArray[np.int32]) -> FloatArray:
        """QP that a decoder exports, in steps of the H.26x scale."""
        return exported.astype(np.float32)
