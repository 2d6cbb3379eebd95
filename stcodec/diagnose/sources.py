"""Sources of attention that are looked at, with their inner workings where they show them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stcodec.attention import AttentionSource, source_of_maps
from stcodec.attention.neural import DetailSink, NeuralSource
from stcodec.attention.neural_options import NeuralOptions, no_gpu_reason, parse_options
from stcodec.attention.smoothed import SmoothedSource
from stcodec.media.paths import check_input

CHECKPOINT_SUFFIX = ".safetensors"


def open_inspected(text: str, smoothing_seconds: float, on_detail: DetailSink | None = None) -> AttentionSource:
    """The source that a text names, or the network with the weights of a file.

    on_detail: takes the inner workings of the network's maps; other sources have none. Raises what `open_source` raises.
    """
    source = _open(text, on_detail)
    if smoothing_seconds > 0 and source.spec.maps_per_second > 0:
        return SmoothedSource(source, smoothing_seconds)
    return source


def has_details(text: str) -> bool:
    """True if a source shows its inner workings."""
    return text.partition(":")[0] == "neural" or _is_checkpoint(text)


def variant(text: str, **changes: float) -> NeuralSource:
    """The network that a text with details names, with some of its options changed (fields of NeuralOptions)."""
    if _is_checkpoint(text):
        return NeuralSource(replace(_checkpoint_options(text), **changes), weights=Path(text))  # type: ignore[arg-type]
    argument = text.partition(":")[2]
    options = parse_options(argument) if argument else NeuralOptions()
    return NeuralSource(replace(options, **changes))  # type: ignore[arg-type]


def _is_checkpoint(text: str) -> bool:
    return text.endswith(CHECKPOINT_SUFFIX) and ":" not in text


def _checkpoint_options(text: str) -> NeuralOptions:
    """A checkpoint comes without the graphs that the CPU runs: torch runs it."""
    if Path(text).with_name("frame.onnx").exists():
        return NeuralOptions()
    return NeuralOptions(device="cuda" if no_gpu_reason() is None else "torch")


def _open(text: str, on_detail: DetailSink | None) -> AttentionSource:
    if _is_checkpoint(text):
        source = NeuralSource(_checkpoint_options(text), weights=check_input(Path(text)), on_detail=on_detail)
        source.name = text
        return source
    found = source_of_maps(text)
    if isinstance(found, NeuralSource):
        return NeuralSource(found.options, on_detail=on_detail)
    return found
