"""The source that is an ONNX model."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from clips import FIXED_SETTINGS, attend_in_pieces, make_clip, make_video, same
from hypothesis import given, strategies as st
from onnx import TensorProto, helper

from stcodec.attention.onnx import OnnxSource
from stcodec.errors import AttentionError


def save_model(
    path: Path,
    nodes: list[onnx.NodeProto],
    *,
    shape: tuple[str | int | None, ...] = ("n", 3, "h", "w"),
    kind: int = TensorProto.FLOAT,
    outputs: tuple[str, ...] = ("y",),
    constants: dict[str, np.ndarray] | None = None,
) -> Path:
    """A model from x to y."""
    initial = [onnx.numpy_helper.from_array(value, name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        "saliency",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def mean_of_colours(keepdims: int = 1) -> list[onnx.NodeProto]:
    return [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=keepdims)]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), (1, 3, 18, 32), (None, 3, 18, 32)])
def test_onnx_map_is_what_the_network_says(tmp_path: Path, shape: tuple[str | int | None, ...], keepdims: int) -> None:
    source = OnnxSource(save_model(tmp_path / "m.onnx", mean_of_colours(keepdims), shape=shape))
    video = make_video()
    clip = make_clip(video, [0, 0.2, 0.4], seed=1)
    assert clip.thumbnails is not None
    clip.thumbnails[1] = 0
    found = source.attend(clip)
    open_shape = shape[2] == "h"
    assert source.spec.thumbnail_side_px == (320 if open_shape else 32)
    assert found.saliency.shape == ((3, 192, 320) if open_shape else (3, 18, 32))
    assert np.all(found.saliency[1] == 1)  # a map of zeros: all alike
    if not open_shape:
        gray = clip.thumbnails.astype(np.float32).mean(axis=3)
        assert np.allclose(found.saliency[0], gray[0] / gray[0].max(), atol=1e-5)


def test_onnx_red_is_the_first_channel(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gather", ["x", "red"], ["y"], axis=1)]
    path = save_model(tmp_path / "m.onnx", nodes, shape=(1, 3, 18, 32), constants={"red": np.array([0], np.int64)})
    clip = make_clip(make_video(), [0], seed=2)
    assert clip.thumbnails is not None
    red = clip.thumbnails[0, :, :, 0].astype(np.float32)
    assert np.allclose(OnnxSource(path).attend(clip).saliency[0], red / red.max(), atol=1e-5)


def test_onnx_values_go_from_0_to_1(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1]),
        helper.make_node("Sub", ["m", "half"], ["d"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    path = save_model(tmp_path / "m.onnx", nodes, shape=(1, 3, 18, 32), constants={"half": np.array(0.5, np.float32)})
    clip = make_clip(make_video(), [0], seed=2)
    assert clip.thumbnails is not None
    clip.thumbnails[0, :, :16], clip.thumbnails[0, :, 16:] = 255, 153
    found = OnnxSource(path).attend(clip).saliency[0]
    assert found[0, 0] == 1
    assert found[0, 31] == pytest.approx(0.2, abs=1e-5)  # (0.6 - 0.5) / (1 - 0.5)


@given(st.sets(st.integers(1, 10)))
@FIXED_SETTINGS
def test_onnx_does_not_depend_on_the_cutting(tmp_path: Path, cuts: set[int]) -> None:
    source = OnnxSource(save_model(tmp_path / "m.onnx", mean_of_colours(), shape=(1, 3, 18, 32)))
    clip = make_clip(make_video(), [index / 6 for index in range(11)], shots=(0, 5), seed=3)
    assert same(attend_in_pieces(source, clip, cuts), source.attend(clip))


@pytest.mark.parametrize(
    ("constant", "message"), [(-1.0, "values that are negative: .*sigmoid"), (np.nan, "values that are not finite")]
)
def test_onnx_unusable_values_are_an_error(tmp_path: Path, constant: float, message: str) -> None:
    nodes = [helper.make_node("Mul", ["x", "c"], ["z"]), helper.make_node("ReduceMean", ["z"], ["y"], axes=[1])]
    path = save_model(tmp_path / "m.onnx", nodes, constants={"c": np.array(constant, np.float32)})
    with pytest.raises(AttentionError, match=rf"onnx:.*m\.onnx: the map at 0\.200 s has {message}"):
        OnnxSource(path).attend(make_clip(make_video(), [0.2], seed=4))


def test_onnx_models_that_break_the_contract(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    identity = [helper.make_node("Identity", ["x"], ["y"])]
    shapes: list[tuple[str | int | None, ...]] = [("n", 1, "h", "w"), (3, 18, 32), (4, 3, 18, 32)]
    for shape in shapes:
        with pytest.raises(AttentionError, match=r"the input is tensor\(float\).*must be float32"):
            OnnxSource(save_model(path, identity, shape=shape))
    with pytest.raises(AttentionError, match="the input is 99999x8 px: at most 4096 a side"):
        OnnxSource(save_model(path, identity, shape=(1, 3, 8, 99_999)))
    save_model(path, [helper.make_node("Cast", ["x"], ["y"], to=TensorProto.FLOAT)], kind=TensorProto.UINT8)
    with pytest.raises(AttentionError, match=r"the input is tensor\(uint8\)"):
        OnnxSource(path)
    two = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Identity", ["x"], ["z"])]
    with pytest.raises(AttentionError, match="1 inputs and 2 outputs"):
        OnnxSource(save_model(path, two, outputs=("y", "z")))
    clip = make_clip(make_video(), [0], seed=5)
    with pytest.raises(AttentionError, match=r"the output has the shape \[1, 3, 192, 320\]"):
        OnnxSource(save_model(path, identity)).attend(clip)
    with pytest.raises(AttentionError, match="needs thumbnails"):
        OnnxSource(save_model(path, identity)).attend(make_clip(make_video(), [0]))


def test_onnx_name_that_is_not_utf8(tmp_path: Path) -> None:
    path = save_model(tmp_path / "m.onnx", mean_of_colours())
    source = OnnxSource(path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.onnx")))
    assert len(source.attend(make_clip(make_video(), [0], seed=7))) == 1


def test_onnx_files_that_are_no_models(tmp_path: Path) -> None:
    with pytest.raises(AttentionError, match="no such file"):
        OnnxSource(tmp_path / "missing.onnx")
    (tmp_path / "noise.onnx").write_bytes(np.random.default_rng(0).bytes(500))
    with pytest.raises(AttentionError, match="not a model that onnxruntime can load"):
        OnnxSource(tmp_path / "noise.onnx")


def test_onnx_that_fails_at_work(tmp_path: Path) -> None:
    nodes = [helper.make_node("Reshape", ["x", "s"], ["y"])]
    path = save_model(tmp_path / "m.onnx", nodes, constants={"s": np.array([1, 1, 7, 7], np.int64)})
    with pytest.raises(AttentionError, match=r"the model failed at 0\.400 s"):
        OnnxSource(path).attend(make_clip(make_video(), [0.4], seed=6))


def test_onnx_without_onnxruntime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(AttentionError, match="pip install onnxruntime"):
        OnnxSource(save_model(tmp_path / "m.onnx", mean_of_colours()))
