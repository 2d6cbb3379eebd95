"""An encoder is one file: its names stand nowhere else in the package's code."""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_layers import PACKAGE

from stcodec.encoders.encoder import Encoder
from stcodec.encoders.table import ENCODERS, encoder_of, find_encoder

WORDS = re.compile(r"x26[45]|h26[45]|\bavc1?\b|hevc|hvc1|(?<!\w)vp0?9|libvpx|av01|svt", re.IGNORECASE)
ALLOWED = {
    "encoders/table.py": "what is not driven, and what to use instead; the modules",
    "options.py": "a default",
    "roi.py": "a default",
    "stream/options.py": "a default",
    "evaluate/options.py": "a default",
    "cli/options.py": "a default and help texts",
    "cli/maps.py": "formats that other programs read",
    "pipeline/export.py": "formats that other programs read",
    "cli/stream.py": "a default and help texts",
    "cli/evaluate.py": "a default and help texts",
    "cli/presets.toml": "defaults",
    "media/copies.py": "the sample entry of an HEVC stream that is copied",
    "media/decode.py": "raw streams, which are read from their start",
    "media/lossless.py": "x264 as a tool: copies without loss",
    "media/video_writer.py": "x264 as a tool: the video of `inspect`",
    "media/losses.py": "what containers and codecs can't hold, whoever encoded it",
    "media/mux.py": "the sample entry of HEVC",
    "media/playable.py": "the format that browsers play",
    "media/sniff.py": "raw streams, told by their first bytes",
}
OWN = {f"encoders/{name}.py" for name in ("x264", "x265", "vp9", "svtav1", "svt_library")}


def spoken(path: Path) -> Iterator[str]:
    """Names and texts of a file's code; no docstrings and comments. Of a page, a script or a table, all of it."""
    if path.suffix != ".py":
        yield path.read_text(encoding="utf-8")
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.alias):
            yield node.name


def test_an_encoder_is_named_in_its_own_file_only() -> None:
    found = {
        str(path.relative_to(PACKAGE)): words
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in {".py", ".js", ".html", ".css", ".toml"}
        and (words := [text for text in spoken(path) if WORDS.search(text)])
    }
    assert set(found) >= OWN  # the search finds something
    assert {name: words for name, words in found.items() if name not in OWN | set(ALLOWED)} == {}
    assert set(ALLOWED) <= set(found), "an exception that is none any more"


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=lambda encoder: encoder.name)
def test_an_encoder_says_all_that_is_asked(encoder: Encoder) -> None:
    assert find_encoder(encoder.name) is encoder
    assert encoder_of(encoder.codec) is encoder
    assert encoder.live_preset in encoder.presets
    assert encoder.easier_presets(encoder.presets[-1]) or encoder.easier_presets(encoder.presets[0])
    low, high = encoder.crf_range
    assert low <= encoder.searched_crf[0] < encoder.usual_crf < encoder.searched_crf[1] <= high
    assert encoder.pixel_formats[0] == "yuv420p"
    assert encoder.qp_limits(8)[0] < encoder.qp_limits(8)[1]


def test_encoders_are_equal_across_processes() -> None:
    for encoder in ENCODERS.values():
        again = pickle.loads(pickle.dumps(encoder))
        assert again == encoder and hash(again) == hash(encoder)
    assert len(set(ENCODERS.values())) == len(ENCODERS)
