"""The stem of the spatial branch's graph in 8-bit integers, which CPUs compute about twice as fast.

Values go through the ranges found on pictures of the demo and of scikit-image; filters have a range for each channel.
The first convolution and block 0 stay float32: they see the picture itself, and cost the most accuracy for the least
time. Pointwise filters take 7 bits: two products of 8 by 8 bits overflow the sums of CPUs without VNNI instructions.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from skimage import data

from stcodec.attention.neural_input import input_shape, picture
from stcodec.media.clips import read_clip
from stcodec.types import ClipSpec, FloatArray

DEMO = Path(__file__).parents[1] / "data" / "demo.mp4"
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
_STEM = "/stem/"
_KEPT = ("/stem/first/", "/stem/blocks.0/")
_OPERATORS = ("Add", "Clip", "Conv")


def quantised(graph: bytes) -> bytes:
    """The graph with the stem's convolutions in integers; batch normalisation is folded into their filters first."""
    logging.getLogger().setLevel(logging.ERROR)  # it recommends steps that are done here in other ways
    with tempfile.TemporaryDirectory() as folder:
        given, folded, done = (Path(folder) / f"{name}.onnx" for name in ("given", "folded", "done"))
        given.write_bytes(graph)
        _fold(given, folded)
        nodes = [node for node in onnx.load(folded).graph.node if _is_quantised(node)]
        pointwise = [node.input[1] for node in nodes if node.op_type == "Conv" and _groups(node) == 1]
        quantize_static(
            folded,
            done,
            _Pictures(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=[node.name for node in nodes],
            extra_options={"TensorQuantOverrides": {name: [{"axis": 0, "reduce_range": True}] for name in pointwise}},
        )
        model = onnx.load(done)
        _claim_only(model, onnx.load_from_string(graph))
        whole: bytes = model.SerializeToString()
        return whole


def _claim_only(model: onnx.ModelProto, before: onnx.ModelProto) -> None:
    """Ask for no newer a run-time, and no other operators, than the graph did before: nothing else is used."""
    model.ir_version = before.ir_version
    del model.opset_import[:]
    model.opset_import.extend(before.opset_import)


def _fold(given: Path, folded: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def _is_quantised(node: Any) -> bool:
    return _STEM in node.name and node.op_type in _OPERATORS and not any(kept in node.name for kept in _KEPT)


def _groups(node: Any) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "group"), 1)


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    """What values are found on."""

    def __init__(self) -> None:
        self._pictures = _pictures()

    def get_next(self) -> dict[str, FloatArray] | None:
        """The next picture as the graph's input; None after the last."""
        found = next(self._pictures, None)
        return None if found is None else {"picture": found[None]}


def _pictures() -> Iterator[FloatArray]:
    clip = read_clip(DEMO, ClipSpec(maps_per_second=2, thumbnail_side_px=320))
    shape = input_shape(clip.video.display_width_px, clip.video.display_height_px)
    thumbnails = [] if clip.thumbnails is None else list(clip.thumbnails)
    for one in (*thumbnails, *(np.asarray(getattr(data, name)(), np.uint8) for name in PHOTOS)):
        yield picture(one, shape)
