"""`stcodec stream SOURCE TARGET...`."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from stcodec import interrupts
from stcodec.cli.options import add_attention_flags, attention_of, from_flags, policy_of, say_device
from stcodec.cli.streams import for_drawing
from stcodec.cli.unguided import PLAIN, gets_map, say_unguided
from stcodec.cli.values import bitrate_kbps, key_values, seconds
from stcodec.errors import OptionsError
from stcodec.media.paths import display_name

if TYPE_CHECKING:
    from stcodec.stream.observe.snapshot import StreamSnapshot
    from stcodec.stream.observe.status import SnapshotSink
    from stcodec.stream.observe.web import WebServer
    from stcodec.stream.options import Rendition, StreamOptions
    from stcodec.stream.stream import LiveStream

_DEFAULT_RATE_KBPS = 2500.0
_ANCHOR = "mean"
"""At a fixed rate the average QP stays."""


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser(
        "stream",
        help="encode live",
        description="Encode a live source in real time, with quality where viewers look, for several targets at once.",
    )
    command.add_argument("source", metavar="SOURCE", help="a file, -, rtmp://, rtsp://, srt://, udp://, http(s)://, ...")
    command.add_argument(
        "targets",
        metavar="TARGET",
        nargs="*",
        help="FILE.m3u8, FILE.mpd, FILE.ts, rtmp://, srt://, rtsp://, udp://, -",
    )
    _add_video(command)
    _add_audio(command)
    add_attention_flags(command)
    command.set_defaults(anchor=_ANCHOR)
    _add_running(command)
    _add_showing(command)


def _add_video(command: argparse.ArgumentParser) -> None:
    video = command.add_argument_group("video, in ffmpeg's words")
    video.add_argument(
        "--encoder", default="libx264", help="libx264 (default), libx265, libvpx-vp9, or libsvtav1 without a map"
    )
    video.add_argument("--preset", help="the encoder's preset to begin with (veryfast); for VP9 its speed, 5 to 8")
    video.add_argument("--bitrate", type=bitrate_kbps, metavar="RATE", help="2500k (default), 2.5M")
    video.add_argument("--maxrate", type=bitrate_kbps, metavar="RATE", help="rate that the player's buffer is filled with")
    video.add_argument(
        "--bufsize", type=bitrate_kbps, metavar="BITS", help="the player's buffer; default: a second of maxrate"
    )
    video.add_argument(
        "--rendition", action="append", default=[], metavar="LINESp@RATE", help="720p@2500k; repeat it for several"
    )
    _add_time(video, "--keyint", "keyint_seconds", "distance of key frames, length of segments (1s)", "1s")
    video.add_argument("--key-at-cuts", action="store_true", help="a key frame at every cut, too")
    video.add_argument(
        "--opt", action="append", default=[], metavar="KEY=VALUE", help="any other option of the encoder; repeatable"
    )


def _add_audio(command: argparse.ArgumentParser) -> None:
    audio = command.add_argument_group("audio")
    audio.add_argument(
        "--audio", choices=("auto", "aac", "none"), default="auto", help="auto: AAC is copied, the rest encoded to AAC"
    )
    audio.add_argument(
        "--audio-bitrate",
        dest="audio_bitrate_kbps",
        type=bitrate_kbps,
        default=128.0,
        metavar="RATE",
        help="if it is encoded (128k)",
    )


def _add_running(command: argparse.ArgumentParser) -> None:
    running = command.add_argument_group("running")
    _add_time(running, "--max-latency", "max_latency_seconds", "longest that a frame may wait here (1s)", "1s")
    _add_time(running, "--duration", "duration_seconds", "end after so much of the stream: 90s, 10m")
    running.add_argument(
        "--no-pace",
        dest="is_paced",
        action="store_false",
        help="take the source as fast as the encoders can, dropping nothing",
    )
    running.add_argument("--loop", dest="loops", action="store_true", help="begin a file again when it ends")
    running.add_argument(
        "--input-opt", action="append", default=[], metavar="KEY=VALUE", help="an option of ffmpeg's for the source"
    )
    _add_time(running, "--stall", "stall_seconds", "a source silent for so long is opened again (5s)", "5s")
    _add_time(running, "--give-up", "give_up_seconds", "end when the source stays away for so long (default: never)")
    running.add_argument("--record", metavar="FILE", help="a recording beside the targets: .mp4, .mkv or .ts")
    running.add_argument("-y", dest="overwrite", action="store_true", help="replace files that are there already")


def _add_time(group: argparse._ActionsContainer, flag: str, field: str, text: str, default: str | None = None) -> None:
    group.add_argument(flag, dest=field, type=seconds, default=default, metavar="TIME", help=text)


def _add_showing(command: argparse.ArgumentParser) -> None:
    showing = command.add_argument_group("monitoring and serving")
    where = "on this machine by default"
    showing.add_argument(
        "--metrics", nargs="?", const="", metavar="IP:PORT", help=f"metrics for Prometheus, and /healthz; {where}"
    )
    showing.add_argument("--dashboard", nargs="?", const="", metavar="IP:PORT", help=f"a page to watch it on; {where}")
    showing.add_argument(
        "--serve", nargs="?", const="", metavar="IP:PORT", help=f"give HLS and DASH out, at low latency; {where}"
    )
    showing.add_argument("--allow-origin", metavar="ORIGIN", help="pages of https://HOST may play what --serve gives out")
    showing.add_argument("--token-file", metavar="FILE", help="what clients must say, needed on other addresses")
    showing.add_argument(
        "--json",
        action="store_true",
        help="the state as JSON, an object a second, on stdout; on stderr if stdout carries the stream",
    )
    showing.add_argument("-q", "--quiet", action="store_true", help="no status line on stderr")


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit status."""
    from stcodec.stream.input.sources import source_address
    from stcodec.stream.stream import run_stream

    say_device(arguments.device)
    options = _options(arguments)
    with ExitStack() as stack:
        servers = _servers(arguments)
        for server in servers:
            stack.callback(server.close)
        watching = stack.enter_context(ExitStack())  # ends before the servers do
        running: list[LiveStream] = []

        def begin(stream: LiveStream) -> None:
            running.append(stream)
            _watch(watching, arguments, stream, servers)

        interrupts.ending.said = "files and playlists were ended"
        interrupts.ending.said_without = "files and playlists were not all ended: a recording may lack its last seconds"
        if not arguments.quiet and sys.stderr.isatty():  # the first picture of a live source can be long in coming
            print(f"stcodec: opening {source_address(options.source, options.input_options).shown}", file=sys.stderr)
        try:
            ended = run_stream(options, on_start=begin)
        except KeyboardInterrupt:
            watching.close()
            for stream in running:
                _say_end(arguments, stream.snapshot())
            raise
    _say_end(arguments, ended)
    failed = [one for one in ended.targets if one.condition == "failed"]
    for one in failed:
        print(f"stcodec: {display_name(f'{one.name}: {one.message}')}", file=sys.stderr)
    return 1 if failed else 0


def _json_file(arguments: argparse.Namespace) -> TextIO:
    """stdout, unless that carries the stream."""
    return sys.stderr if "-" in arguments.targets else sys.stdout


def _options(arguments: argparse.Namespace) -> StreamOptions:
    from stcodec.stream.options import StreamOptions

    is_guided = gets_map(arguments, own_anchor=_ANCHOR)
    if not is_guided:
        say_unguided(arguments, PLAIN)
    return from_flags(
        StreamOptions,
        arguments,
        targets=tuple(arguments.targets),
        renditions=_renditions(arguments),
        extra=key_values(arguments.opt),
        attention=attention_of(arguments) if is_guided else "none",
        policy=policy_of(arguments),
        input_options=key_values(arguments.input_opt, "--input-opt", "rtsp_transport=tcp"),
        is_served=arguments.serve is not None,
    )


def _renditions(arguments: argparse.Namespace) -> tuple[Rendition, ...]:
    from stcodec.stream.options import Rendition, parse_rendition

    given = (arguments.bitrate, arguments.maxrate, arguments.bufsize)
    if not arguments.rendition:
        return (Rendition(None, arguments.bitrate or _DEFAULT_RATE_KBPS, arguments.maxrate, arguments.bufsize),)
    if any(one is not None for one in given):
        raise OptionsError("--bitrate, --maxrate and --bufsize are of a single encode: every --rendition has its own rate")
    return tuple(parse_rendition(text) for text in arguments.rendition)


def _servers(arguments: argparse.Namespace) -> list[WebServer]:
    """Bound already, so that a busy port is known before anything starts."""
    from stcodec.stream.observe.listen import DEFAULT_ADDRESS, WebOptions, read_token
    from stcodec.stream.observe.web import WebServer
    from stcodec.stream.output.address import parse_target
    from stcodec.stream.output.serve import ServedFolder

    token = None if arguments.token_file is None else read_token(Path(arguments.token_file))
    if arguments.allow_origin is not None and arguments.serve is None:
        raise OptionsError("--allow-origin is of --serve, which is not given")
    wanted: dict[str, set[str]] = {}
    for what in ("metrics", "dashboard", "serve"):
        if (address := getattr(arguments, what)) is not None:
            wanted.setdefault(address or DEFAULT_ADDRESS, set()).add(what)
    folder = None if arguments.serve is None else ServedFolder([parse_target(text) for text in arguments.targets])
    servers = []
    for address, gives in wanted.items():
        is_file_server = "serve" in gives
        options = WebOptions(
            address,
            metrics=gives != {"serve"},
            dashboard="dashboard" in gives,
            origin=arguments.allow_origin if is_file_server else None,
            token=token,
        )
        servers.append(WebServer(options, folder=folder if is_file_server else None))
    return servers


def _watch(watching: ExitStack, arguments: argparse.Namespace, stream: LiveStream, servers: list[WebServer]) -> None:
    from stcodec.stream.observe.status import JsonLines, StatusLine, Watch

    sinks: list[SnapshotSink] = [server.show for server in servers]
    for server in servers:
        server.start(stream)
        for url in server.urls:
            print(f"stcodec: {url}", file=sys.stderr)
    if arguments.json:
        sinks.append(JsonLines(_json_file(arguments)).show)
    if not arguments.quiet and not (arguments.json and "-" in arguments.targets):
        line = StatusLine(for_drawing(sys.stderr))
        watching.callback(line.close)
        sinks.append(line.show)
    watching.enter_context(Watch(stream, sinks))


def _say_end(arguments: argparse.Namespace, ended: StreamSnapshot) -> None:
    from stcodec.stream.observe.status import record, status_line

    if arguments.json:
        print(json.dumps({"event": "end", **record(ended)}), file=_json_file(arguments), flush=True)
    elif not arguments.quiet:
        print(f"ended: {status_line(ended)}", file=sys.stderr)
