"""The Python surface: exactly these names, each documented, fields that mypy checks, functions as sources of attention."""

from __future__ import annotations

import dataclasses
import inspect
import typing
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import stcodec
from stcodec.errors import AttentionError
from stcodec.keep import KeepOptions
from stcodec.media.maps import MapReader
from stcodec.options import EncodeFields
from stcodec.view import View

NAMES = {
    "__version__",
    # doing
    "encode", "maps", "match", "run_stream", "verify",
    # what is asked for, and what comes back
    "EncodeFields", "EncodeOptions", "MatchOptions", "OffsetPolicy", "Rendition", "RunOptions", "StreamOptions",
    "EncodeReport", "MapsReport", "MatchReport", "OffsetsApplied", "Progress", "ProgressSink", "StreamSnapshot",
    # attention
    "AttentionSession", "AttentionSource", "Clip", "ClipSpec", "SaliencyTrack", "VideoInfo", "map_per_frame", "open_source",
    # the parts of an encode
    "BlockGrid", "EncoderSession", "Muxer", "QpLaw", "VideoReader", "export_for", "frames_with_maps", "make_plan", "roi",
    # errors
    "AttentionError", "BatchError", "EncoderError", "MediaError", "OptionsError", "StcodecError", "TargetError",
    "VerifyError",
}  # fmt: skip
REFERENCE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")


def test_the_surface_is_exactly_this() -> None:
    assert set(stcodec.__all__) == NAMES
    assert len(stcodec.__all__) == len(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_a_public_name_is_documented(name: str) -> None:
    assert f"`{name}" in REFERENCE or f"stcodec.{name}" in REFERENCE
    if name != "ProgressSink":  # a type
        assert inspect.getdoc(getattr(stcodec, name))


def test_fields_by_name_are_those_of_the_options() -> None:
    kinds = (stcodec.EncodeOptions, stcodec.OffsetPolicy, stcodec.RunOptions, View, KeepOptions)
    expected = {one.name: typing.get_type_hints(kind)[one.name] for kind in kinds for one in dataclasses.fields(kind)}
    found = typing.get_type_hints(EncodeFields, localns={"AttentionSource": stcodec.AttentionSource})
    assert found.pop("attention") == expected.pop("attention") | stcodec.AttentionSource
    assert found.pop("policy") == expected.pop("policy") | str
    assert found == expected


def test_fields_are_checked_by_mypy(tmp_path: Path) -> None:
    with pytest.raises(stcodec.OptionsError, match="unknown option crff"):
        stcodec.encode("in.mp4", tmp_path / "out.mp4", crff=23)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        stcodec.match("in.mp4", "out.mp4", stcodec.MatchOptions(crf=23), strength="much")  # type: ignore[arg-type]


def left(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    height, width, _ = picture.shape
    saliency = np.zeros((height, width), np.float32)
    saliency[:, : width // 2] = 1
    return saliency


def test_a_function_of_a_picture_guides_an_encode(video: Path, tmp_path: Path) -> None:
    source = stcodec.map_per_frame(left)
    report = stcodec.encode(video, tmp_path / "out.mp4", attention=source, crf=30, policy="strong")
    assert report.attention == "function:left"
    assert report.offsets_applied.verdict == "applied"
    made = stcodec.maps(video, tmp_path / "maps.mkv", attention=source)
    assert (made.attention, made.maps) == ("function:left", 8)
    for _, saliency in MapReader(tmp_path / "maps.mkv").maps():
        half = saliency.shape[1] // 2
        assert saliency[:, : half - 2].min() > 0.95 and saliency[:, half + 2 :].max() < 0.05


def test_a_decorated_function_is_shown_what_it_asks_for(video: Path, tmp_path: Path) -> None:
    shapes = set()

    @stcodec.map_per_frame(maps_per_second=3, side_px=64)
    def flat(picture: NDArray[np.uint8]) -> list[list[float]]:
        shapes.add((picture.shape, picture.dtype.name))
        return [[0.5]]

    assert stcodec.maps(video, tmp_path / "maps.mkv", attention=flat).maps == 4
    assert shapes == {((36, 64, 3), "uint8")}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.full((4, 4), 255), "gave a map of 255 to 255: allowed is 0 to 1"),
        (np.full((4, 4), np.nan), "gave a map of nan to nan"),
        (np.zeros((4, 4, 3)), r"gave an array of shape \(4, 4, 3\): allowed is \[rows, cols\]"),
    ],
)
def test_a_function_without_a_map_is_refused(value: NDArray[np.float64], message: str, video: Path, tmp_path: Path) -> None:
    with pytest.raises(AttentionError, match=message):
        stcodec.encode(video, tmp_path / "out.mp4", attention=stcodec.map_per_frame(lambda picture: value))
    assert list(tmp_path.iterdir()) == []
