"""Flags that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import shlex
import sys
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from stcodec.cli.values import anchor, area, bitrate_kbps, count, key_values, matching, names, seconds
from stcodec.keep import KeepOptions
from stcodec.options import DEFAULT_ATTENTION, DEFAULT_POLICY, POLICIES, EncodeOptions, OffsetPolicy, policy_named
from stcodec.view import View

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from stcodec.matching.options import MatchOptions

T = TypeVar("T", bound="DataclassInstance")

_CROP = r"\d+:\d+:\d+:\d+"
_SCALE = r"(-?\d+[:x]-?\d+)|\d+p"
_RATE = r"(?=[0.]*[1-9])(\d+(\.\d+)?|\d+/[1-9]\d*)"
POLICY_HELP = (
    "bits at the same quality where viewers look (attended PSNR), by foveated JOD, VMAF and PSNR: balanced (default) "
    "-18 %%, +1 %%, 0 %%, +1 %%; gentle -12 %%, 0 %%, 0 %%, +1 %%; strong -35 %%, +8 %%, +5 %%, +8 %%"
)
ATTENTION_HELP = (
    "where viewers look: neural (default), motion, center, map:FILE, mask:FILE, gaze:FILE.csv, onnx:FILE, none, "
    "or a blend such as 0.7*motion+0.3*center; libsvtav1 is given a map if this or another flag here asks for one"
)


def add_video_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say how the video is encoded."""
    video = command.add_argument_group("video, in ffmpeg's words")
    video.add_argument(
        "--encoder",
        default="libx264",
        help="libx264 (default), libx265, libvpx-vp9 or libsvtav1, which searches a CRF for each shot, in about 5 encodes, "
        "unless a map, --attention none or a bitrate is asked for",
    )
    quality = video.add_mutually_exclusive_group()
    quality.add_argument("--crf", type=float, help="constant quality; the encoder's default if neither this nor --bitrate")
    quality.add_argument(
        "--bitrate", dest="bitrate_kbps", type=bitrate_kbps, metavar="RATE", help="average bitrate: 2500k, 2.5M"
    )
    video.add_argument("--two-pass", action="store_true", help="two passes, with the same map in both")
    video.add_argument("--preset", help="the encoder's preset; for VP9 its speed, 5 to 8")
    video.add_argument("--keyint", type=int, metavar="FRAMES", help="longest distance of key frames")
    video.add_argument("--pix-fmt", help="pixel format to encode in; default: the input's")
    video.add_argument(
        "--opt", action="append", default=[], metavar="KEY=VALUE", help="any other option of the encoder; repeatable"
    )


def add_limit_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what a file may ask for."""
    group = command.add_argument_group(
        "what a file may ask for", "Files that ask for more are refused before they are decoded."
    )
    group.add_argument(
        "--allow-playlists", action="store_true", default=None, help="open files that name other files (HLS, ffconcat)"
    )
    group.add_argument("--max-pixels", type=area, metavar="WxH", help="area of a frame (8192x4320)")
    for what, text in (("fps", "frames a second (1000)"), ("streams", "tracks (200)"), ("chapters", "chapters (2000)")):
        group.add_argument(f"--max-{what}", type=count, metavar="N", help=text)


def use_limits(arguments: argparse.Namespace) -> None:
    """Keep to the limits that flags of `add_limit_flags` gave, here and in the workers."""
    names = ("allow_playlists", "max_pixels", "max_fps", "max_streams", "max_chapters")
    given = {name: value for name in names if (value := getattr(arguments, name, None)) is not None}
    if given:
        from stcodec.media.limits import limits, set_limits

        set_limits(replace(limits(), **given))


def add_view_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what of the input is taken, and how its pictures are changed first."""
    group = command.add_argument_group(
        "what of the input", "Pictures are deinterlaced, cropped, filtered, scaled, in this order."
    )
    group.add_argument(
        "--start", type=seconds, default=0.0, metavar="TIME", help="from the first frame at this time: 90, 1:30.5"
    )
    end = group.add_mutually_exclusive_group()
    end.add_argument("--end", type=seconds, metavar="TIME", help="up to the frame before this time")
    end.add_argument("--duration", type=seconds, metavar="TIME", help="so much of it")
    group.add_argument("--deinterlace", action="store_true", help="make whole pictures of fields (bwdif)")
    group.add_argument("--crop", metavar="W:H:X:Y", help="keep this part of the picture, as a player shows it")
    group.add_argument("--vf", metavar="FILTERS", help="any chain of ffmpeg's filters")
    group.add_argument("--scale", metavar="SIZE", help="1280:-2, 1280x720 or 720p")
    group.add_argument("--fps", metavar="RATE", help="frames a second: 25, 30000/1001")


def view_of(arguments: argparse.Namespace) -> View:
    """The view from the flags of `add_view_flags`. Raises OptionsError."""
    chain = ["bwdif=mode=send_frame"] if arguments.deinterlace else []
    if arguments.crop is not None:
        chain.append(f"crop={matching('--crop', arguments.crop, _CROP, 'W:H:X:Y in px')}:exact=1")
    if arguments.vf is not None:
        chain.append(arguments.vf)
    if arguments.scale is not None:
        size = matching("--scale", arguments.scale, _SCALE, "1280:-2, 1280x720 or 720p")
        chain.append(f"scale=-2:{size[:-1]}" if size.endswith("p") else f"scale={size.replace('x', ':')}")
    if arguments.fps is not None:
        chain.append(f"fps={matching('--fps', arguments.fps, _RATE, '25, 23.976 or 30000/1001')}")
    end = arguments.end if arguments.duration is None else arguments.start + arguments.duration
    return View(start_seconds=arguments.start, end_seconds=end, filters=",".join(chain))


def add_keep_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what becomes of all that is not the picture."""
    group = command.add_argument_group("audio, subtitles, tags (docs/containers.md); by default all is kept")
    group.add_argument(
        "--audio",
        choices=("copy", "aac", "opus", "none"),
        default="copy",
        help="copy (default): what the container can't hold is encoded; or encode what is in another format; or none",
    )
    group.add_argument(
        "--audio-bitrate",
        dest="audio_bitrate_kbps",
        type=bitrate_kbps,
        metavar="RATE",
        help="of each track that is encoded: 192k",
    )
    group.add_argument(
        "--audio-track", dest="audio_tracks", type=names, default=(), metavar="N|LANG,...", help="only these: 1,3 or eng,de"
    )
    group.add_argument(
        "--subtitles", choices=("copy", "text", "none"), default="copy", help="text: all as the container's plain text"
    )
    group.add_argument("--strip-location", action="store_true", help="leave out the tags that say where it was taken")
    group.add_argument(
        "--ignore-dolby-vision", action="store_true", help="encode profile 5 too, whose colours come out wrong"
    )
    group.add_argument(
        "--faststart",
        action=argparse.BooleanOptionalAction,
        help="MP4, MOV: the index at the front, for players that load it from a server; default: as in the source",
    )
    group.add_argument(
        "--fragmented",
        action="store_true",
        help="MP4, MOV: in fragments, for players that get it piece by piece",
    )


def add_attention_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say where viewers look, and what comes of it."""
    group = command.add_argument_group("attention")
    group.add_argument("--attention", metavar="SOURCE", help=ATTENTION_HELP)
    add_device_flag(group)
    add_policy_flags(group)


def add_viewing_flags(command: argparse._ActionsContainer) -> None:
    """Flags that say by whom, and from where, a screen is looked at."""
    command.add_argument(
        "--viewing-distance",
        type=float,
        default=3.0,
        metavar="HEIGHTS",
        help="of the eyes from the screen, for foveated metrics, in heights of the picture (%(default)g)",
    )
    command.add_argument(
        "--observers", type=int, default=2, metavar="N", help="viewers along whose scanpaths fvvdp looks (%(default)s)"
    )


def add_verify_flag(command: argparse.ArgumentParser) -> None:
    """The flag that says how a finished file is checked."""
    command.add_argument(
        "--verify",
        action=argparse.BooleanOptionalAction,
        help="read the result back; default: always frames and times, the offsets where the bitstream shows them",
    )


def add_search_flags(command: argparse.ArgumentParser) -> None:
    """Flags that ask for a quality instead of a crf."""
    group = command.add_argument_group("search for a quality, shot by shot (docs/match.md)")
    group.add_argument(
        "--match-crf", type=float, metavar="N", help="the smallest file that is as good as a plain encode with --crf N"
    )
    group.add_argument(
        "--target", metavar="METRIC=VALUE", help="the smallest file of a quality: attended-vmaf=93, attended-psnr=40"
    )
    group.add_argument(
        "--match-metric",
        metavar="METRIC",
        help="attended-psnr (default), attended-ssim, attended-vmaf, foveated-psnr, psnr or vmaf",
    )
    group.add_argument(
        "--match-tolerance", type=float, metavar="X", help="how near is near enough (0.1 dB, 0.3 points of VMAF)"
    )
    group.add_argument(
        "--match-verify",
        choices=("parts", "full"),
        help="compare parts of the finished file, or all of it (default: parts, all of it up to 20 s)",
    )


def encode_options(arguments: argparse.Namespace) -> EncodeOptions:
    """Options from the flags of `add_video_flags`, `add_view_flags`, `add_keep_flags` and `add_attention_flags`.

    Raises OptionsError.
    """
    return from_flags(
        EncodeOptions,
        arguments,
        extra=key_values(arguments.opt),
        attention=attention_of(arguments),
        policy=policy_of(arguments),
        view=view_of(arguments),
        keep=from_flags(KeepOptions, arguments),
    )


def goal_of(arguments: argparse.Namespace) -> MatchOptions | None:
    """Search options from the flags of `add_search_flags`; None if they ask for no search. Raises OptionsError."""
    given = [getattr(arguments, name) for name in ("match_crf", "target", "match_metric", "match_tolerance", "match_verify")]
    if all(one is None for one in given):
        return None
    from stcodec.matching.options import match_options  # with metrics that a plain encode does without

    return match_options(*given)


def add_policy_flags(group: argparse._ActionsContainer) -> None:
    """Flags that say how saliency becomes QP offsets."""
    group.add_argument("--policy", choices=tuple(POLICIES), help=POLICY_HELP)
    group.add_argument("--strength", type=float, help="share of the optimal slope, 0 to 2 (the policy's)")
    group.add_argument("--floor", type=float, help="least weight, share of the mean (the policy's)")
    group.add_argument("--min-delta-qp", type=float, metavar="QP", help="best quality")
    group.add_argument("--max-delta-qp", type=float, metavar="QP", help="worst quality")
    where = "attended: all of the gain is a smaller file; mean: all is quality where viewers look; half; or QP steps"
    group.add_argument("--anchor", type=anchor, help=where)
    add_smoothing_flag(group, None)
    group.add_argument("--step-qp", type=float, metavar="QP", help="round offsets")
    group.add_argument("--levels", type=int, help="distinct offsets in a frame, where the encoder limits them")


def policy_of(arguments: argparse.Namespace) -> OffsetPolicy:
    """The policy from the flags of `add_policy_flags`. Raises OptionsError."""
    given = {one.name: getattr(arguments, one.name) for one in fields(OffsetPolicy)}
    return replace(
        policy_named(arguments.policy or DEFAULT_POLICY),
        **{name: value for name, value in given.items() if value is not None},
    )


def add_smoothing_flag(group: argparse._ActionsContainer, default: float | None) -> None:
    """The flag that says how maps are smoothed over time."""
    group.add_argument(
        "--smoothing",
        dest="smoothing_seconds",
        type=float,
        default=default,
        metavar="SECONDS",
        help="of maps in time" + ("" if default is None else f" ({default:g})"),
    )


def add_device_flag(group: argparse._ActionsContainer) -> None:
    """The flag that says where the neural source runs."""
    group.add_argument(
        "--device", metavar="DEVICE", help="where the neural source runs: auto (a GPU if there is one), cpu, cuda or cuda:N"
    )


def attention_of(arguments: argparse.Namespace) -> str:
    """The source of attention from the flags of `add_attention_flags`."""
    return on_device(arguments.attention or DEFAULT_ATTENTION, arguments.device)


def on_device(text: str, device: str | None) -> str:
    """A source of attention as text, with the device of --device."""
    if device is None:
        return text
    from stcodec.attention.registry import with_device

    return with_device(text, device)


def say_device(device: str | None) -> None:
    """Say once on stderr if --device auto was asked for and there is no GPU. Raises OptionsError for no device."""
    if device is None:
        return
    from stcodec.attention.neural_options import checked_device, no_gpu_reason

    if checked_device(device) == "auto" and (reason := no_gpu_reason()) is not None:
        print(f"stcodec: {reason}: attention runs on the CPU", file=sys.stderr)


def add_output_flags(command: argparse.ArgumentParser) -> None:
    """Flags of every command that writes a file and reports on it."""
    command.add_argument("-y", dest="overwrite", action="store_true", help="replace the output if it exists")
    command.add_argument("--json", action="store_true", help="JSON on stdout: progress and the report, an object a line")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary on stderr")
    command.add_argument(
        "--keep-partial", action="store_true", help="keep what can be decoded of a damaged input instead of failing"
    )


def from_flags(kind: type[T], arguments: argparse.Namespace, **others: Any) -> T:
    """Options of a kind, its fields from the flags of the same names; others: fields that are not as a flag has them."""
    given = {one.name: getattr(arguments, one.name) for one in fields(kind) if hasattr(arguments, one.name)}
    return kind(**given | others)


def command_line(arguments: argparse.Namespace) -> str:
    """Command line with what files and presets add to it, as it would be typed, without the program's folder."""
    return shlex.join(["stcodec", *arguments.words])
