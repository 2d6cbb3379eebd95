"""Two examples for each command: at the end of its help, in its man page, and parsed by a test."""

from __future__ import annotations

import argparse

EXAMPLES: dict[str, tuple[str, ...]] = {
    "encode": (
        "stcodec encode in.mp4 out.mp4 --crf 23 --preset medium",
        "stcodec encode in.mp4 out.mkv --use archive",
    ),
    "preview": ("stcodec preview in.mp4", "stcodec preview in.mp4 --crf 26 --policy strong --page look.html"),
    "stream": (
        "stcodec stream camera.mp4 live/index.m3u8 --bitrate 2500k",
        "stcodec stream rtmp://127.0.0.1/live/key live/all.m3u8 --rendition 720p@2500k --rendition 360p@800k --dashboard",
    ),
    "batch": (
        "stcodec batch videos/ encoded/ --crf 23",
        "stcodec batch videos/ encoded/ --use archive --watch",
    ),
    "maps": (
        "stcodec maps in.mp4 maps.mkv",
        "stcodec maps in.mp4 maps.mkv --attention motion --start 1:30 --duration 20",
    ),
    "verify": ("stcodec verify out.mp4 --map maps.mkv", "stcodec verify out.mp4 --map maps.mkv --json"),
    "evaluate": (
        "stcodec evaluate clips/ --gaze gaze/ --arms plain,neural,human --report out/",
        "stcodec evaluate clips/ --weights motion --use evaluate-quick --report out/",
    ),
    "compare": (
        "stcodec compare reference.mp4 a.mp4 b.mp4 --gaze gaze.csv",
        "stcodec compare reference.mp4 a.mp4 b.mp4 --ab test/",
    ),
    "inspect": (
        "stcodec inspect in.mp4 --report inspect.html",
        "stcodec inspect in.mp4 --attention onnx:model.onnx --report inspect.html",
    ),
    "config": ("stcodec config show encode", "stcodec config show batch --use archive --crf 24"),
    "doctor": ("stcodec doctor", "stcodec doctor --json"),
    "completion": (
        "stcodec completion bash > ~/.local/share/bash-completion/completions/stcodec",
        "stcodec completion fish > ~/.config/fish/completions/stcodec.fish",
    ),
}


def add_examples(name: str, command: argparse.ArgumentParser) -> None:
    """Put the examples of a command below its help."""
    command.formatter_class = _Formatter
    command.epilog = "\n".join(["examples:", *(f"  {line}" for line in EXAMPLES[name])])


class _Formatter(argparse.HelpFormatter):
    """Keeps the lines of examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if text.startswith("examples:"):
            return "\n".join(indent + line for line in text.splitlines())
        return super()._fill_text(text, width, indent)
