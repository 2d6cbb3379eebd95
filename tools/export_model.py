"""Weights of the attention network -> the ONNX graphs that the CPU runs.

    python tools/export_model.py [WEIGHTS.safetensors [FOLDER]] [--float]

Writes frame.onnx (a picture -> features and the spatial branch's logits), most of it in 8-bit integers (quantise.py);
tokens.onnx (features and motion at the gated positions -> tokens) and fuse.onnx (tokens and those of the window -> the
temporal branch's logits), whose matrices are float16 as in the weights and float32 once loaded; and graphs.json, by which
damaged graphs and graphs of other weights are known. With --float frame.onnx is kept in float32 too, to compare with.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import warnings
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from stcodec.attention.neural_onnx import GRAPHS_NAME
from stcodec.model.network import AttentionNet
from stcodec.model.temporal import Gated
from stcodec.model.weights import load_weights
from stcodec.model.weights_file import WEIGHTS_PATH, WeightsInfo

OPSET = 17
_LEAST_VALUES = 256
"""Constants smaller than this stay float32."""


class FrameGraph(nn.Module):
    """The spatial branch."""

    def __init__(self, net: AttentionNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """[1, 3, H, W] -> [1, C, H/16, W/16] and [1, 1, H/8, W/8]."""
        found = self.net.frames(picture)
        return found.middle, found.logits


class TokensGraph(nn.Module):
    """Gated positions become tokens."""

    def __init__(self, net: AttentionNet) -> None:
        super().__init__()
        self.branch = net.temporal

    def forward(self, middle: Tensor, motion: Tensor, index: Tensor) -> Tensor:
        """See TemporalBranch.tokens."""
        return self.branch.tokens(middle, motion, Gated(index, index))


class FuseGraph(nn.Module):
    """Tokens look at the window, and what they learn goes back into the map."""

    def __init__(self, net: AttentionNet) -> None:
        super().__init__()
        self.branch = net.temporal

    def forward(
        self,
        tokens: Tensor,
        position: Tensor,
        window: Tensor,
        window_position: Tensor,
        index: Tensor,
        openness: Tensor,
        middle: Tensor,
        motion: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """See TemporalAttention and TemporalBranch.logits; all of the window is seen."""
        seen = torch.ones_like(tokens[:, :, :1] * window[:, None, :, 0]) > 0
        updated, share = self.branch.attention(tokens, position, window, window_position, seen)
        return self.branch.logits(updated, Gated(index, openness), middle, motion), share


def export_all(weights: Path, folder: Path, integers: bool = True) -> dict[str, int]:
    """Write the three graphs and what tells them apart; their sizes in bytes. integers: see `quantise`."""
    net, info = load_weights(weights)
    channels = net.config.channels
    middle, motion = torch.randn(1, channels, 12, 20), torch.rand(1, 4, 24, 40)
    index, openness = torch.arange(0, 180, 3)[None], torch.rand(1, 60)
    tokens, window = torch.randn(1, 60, channels), torch.randn(1, 200, channels)
    position, window_position = torch.rand(1, 60, 3), torch.rand(1, 200, 3)
    coarse, fine = {2: "h16", 3: "w16"}, {2: "h8", 3: "w8"}
    folder.mkdir(parents=True, exist_ok=True)
    graphs = {
        "frame.onnx": _exported(
            FrameGraph(net),
            {"picture": (torch.randn(1, 3, 192, 320), {2: "height", 3: "width"})},
            {"middle": coarse, "logits": fine},
        ),
        "tokens.onnx": _exported(
            TokensGraph(net),
            {"middle": (middle, coarse), "motion": (motion, fine), "index": (index, {1: "k"})},
            {"tokens": {1: "k"}},
        ),
        "fuse.onnx": _exported(
            FuseGraph(net),
            {
                "tokens": (tokens, {1: "k"}),
                "position": (position, {1: "k"}),
                "window": (window, {1: "m"}),
                "window_position": (window_position, {1: "m"}),
                "index": (index, {1: "k"}),
                "openness": (openness, {1: "k"}),
                "middle": (middle, coarse),
                "motion": (motion, fine),
            },
            {"logits": fine, "share": {2: "k", 3: "m"}},
        ),
    }
    if integers:
        from quantise import quantised

        graphs["frame.onnx"] = quantised(graphs["frame.onnx"])
    packed = {name: _packed(content, info) for name, content in graphs.items()}
    known = {
        "weights_sha256": info.sha256,
        "sha256": {name: sha256(content).hexdigest() for name, content in packed.items()},
    }
    written = {**packed, GRAPHS_NAME: (json.dumps(known, indent=1) + "\n").encode()}
    return {name: (folder / name).write_bytes(content) for name, content in written.items()}


def _exported(
    graph: nn.Module, inputs: dict[str, tuple[Tensor, dict[int, str]]], outputs: dict[str, dict[int, str]]
) -> bytes:
    """ONNX with batch normalisation as it is: folded now, the float16 constants would no longer be those of the weights."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "graph.onnx"
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.eval(),
            tuple(example for example, _ in inputs.values()),
            str(written),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes={**{name: axes for name, (_, axes) in inputs.items()}, **outputs},
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
        model = onnx.load(written)
    _fold_pads(model)
    folded: bytes = model.SerializeToString()
    return folded


def _packed(content: bytes, info: WeightsInfo) -> bytes:
    """The graph with its large constants as float16, and the metadata of the weights."""
    model = onnx.load_from_string(content)
    casts = []
    for constant in list(model.graph.initializer):
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.ndim < 2 or values.size < _LEAST_VALUES:
            continue
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue  # batch normalisation is folded into it
        model.graph.initializer.remove(constant)
        model.graph.initializer.append(numpy_helper.from_array(half, f"{constant.name}.half"))
        casts.append(helper.make_node("Cast", [f"{constant.name}.half"], [constant.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    helper.set_model_props(model, info.metadata())
    onnx.checker.check_model(model)
    packed: bytes = model.SerializeToString()
    return packed


def _fold_pads(model: onnx.ModelProto) -> None:
    """Let convolutions with a stride pad by themselves, as `ConvNorm` pads before them: a copy of the picture less."""
    pads = {node.output[0]: node for node in model.graph.node if node.op_type == "Pad"}
    for node in list(model.graph.node):
        if node.op_type != "Conv" or node.input[0] not in pads:
            continue
        settings = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        wanted = settings["kernel_shape"][0] - settings["strides"][0]
        near = wanted // 2
        for one in [one for one in node.attribute if one.name == "pads"]:
            node.attribute.remove(one)
        node.attribute.append(helper.make_attribute("pads", [near, near, wanted - near, wanted - near]))
        padded = pads.pop(node.input[0])
        node.input[0] = padded.input[0]
        model.graph.node.remove(padded)


def main() -> None:
    parser = argparse.ArgumentParser(description="Weights of the attention network -> the ONNX graphs that the CPU runs.")
    parser.add_argument("weights", type=Path, nargs="?", default=WEIGHTS_PATH)
    parser.add_argument("folder", type=Path, nargs="?", help="default: that of the weights")
    parser.add_argument("--float", action="store_true", help="keep frame.onnx in float32")
    given = parser.parse_args()
    folder = given.folder or given.weights.parent
    for name, size in export_all(given.weights, folder, integers=not given.float).items():
        print(f"{folder / name}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
