"""Weights in files: what is stored comes back, and nothing damaged is used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch

from stcodec.attention.neural import NeuralSource, open_engine
from stcodec.attention.neural_onnx import GRAPHS_NAME
from stcodec.attention.neural_options import NeuralOptions
from stcodec.errors import AttentionError
from stcodec.model.config import Calibration
from stcodec.model.network import AttentionNet, NetworkConfig
from stcodec.model.weights import load_weights, save_weights
from stcodec.model.weights_file import WEIGHTS_PATH, WeightsInfo, read_info


@pytest.fixture
def net() -> AttentionNet:
    torch.manual_seed(1)
    return AttentionNet(NetworkConfig(channels=32, token_share=0.5))


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the package's weights and graphs."""
    return Path(shutil.copytree(WEIGHTS_PATH.parent, tmp_path / "weights")) / WEIGHTS_PATH.name


def with_metadata(path: Path, change: Callable[[dict[str, str]], None]) -> None:
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    head = json.loads(content[8 : 8 + size])
    change(head["__metadata__"])
    text = json.dumps(head).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + size :])


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(5000))


def remove(path: Path) -> None:
    path.unlink()


def newer(path: Path) -> None:
    with_metadata(path, lambda one: one.update(format_version="99"))


def without_config(path: Path) -> None:
    with_metadata(path, lambda one: one.update(config='{"channels": 64}'))


FILE_DAMAGE: list[tuple[Callable[[Path], None], str]] = [
    (remove, r"can't be read \(No such file"),
    (cut, "not as long as its head says"),
    (cut_short, "ends within its head"),
    (empty, "does not begin as a safetensors file"),
    (noise, "does not begin as a safetensors file"),
    (newer, "the weights have the version 99, and this stcodec reads version 1"),
    (without_config, "its metadata can't be read"),
]


def test_what_is_stored_comes_back(tmp_path: Path, net: AttentionNet) -> None:
    path = tmp_path / "w.safetensors"
    given = WeightsInfo(net.config, Calibration(0.9, 0.1), {"command": "train"})
    stored = save_weights(net, path, given)
    loaded, info = load_weights(path)
    assert info == stored == read_info(path)
    assert (info.config, info.calibration, info.provenance) == (net.config, given.calibration, {"command": "train"})
    assert len(info.sha256) == 64
    for name, value in loaded.state_dict().items():
        assert torch.allclose(value, net.state_dict()[name], atol=1e-3), name
    assert not loaded.training


def test_hash_tells_weights_apart(tmp_path: Path, net: AttentionNet) -> None:
    first = save_weights(net, tmp_path / "a", WeightsInfo(net.config, provenance={"made": "today"}))
    again = save_weights(net, tmp_path / "b", WeightsInfo(net.config, provenance={"made": "tomorrow"}))
    assert first.sha256 == again.sha256
    with torch.no_grad():
        net.prior.add_(0.01)
    assert save_weights(net, tmp_path / "c", WeightsInfo(net.config)).sha256 != first.sha256


def test_config_must_be_the_networks(tmp_path: Path, net: AttentionNet) -> None:
    with pytest.raises(ValueError, match="the network was made with"):
        save_weights(net, tmp_path / "w", WeightsInfo())


@pytest.mark.parametrize("device", ["cpu", "torch"])
@pytest.mark.parametrize(("damage", "message"), FILE_DAMAGE, ids=lambda one: getattr(one, "__name__", ""))
def test_damaged_weights_are_an_error(shipped: Path, damage: Callable[[Path], None], message: str, device: str) -> None:
    damage(shipped)
    with pytest.raises(AttentionError, match=rf"attention\.safetensors: .*{message}"):
        NeuralSource(NeuralOptions(device=device), shipped)


def test_wrong_hash_is_an_error(shipped: Path) -> None:
    content = bytearray(shipped.read_bytes())
    content[-1000] ^= 1
    shipped.write_bytes(content)
    with pytest.raises(AttentionError, match="don't have the SHA-256 that is stored with them"):
        NeuralSource(NeuralOptions(device="torch"), shipped)


def test_graphs_of_other_weights_are_an_error(shipped: Path) -> None:
    with_metadata(shipped, lambda one: one.update(sha256="0" * 64))
    with pytest.raises(AttentionError, match=r"graphs\.json: damaged, the graphs were made of other weights"):
        NeuralSource(NeuralOptions(device="cpu"), shipped)


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["frame", "tokens", "fuse"])
@pytest.mark.parametrize(("damage", "message"), [(remove, "can't be read"), (cut, "SHA-256"), (one_bit, "SHA-256")])
def test_damaged_graphs_are_an_error(shipped: Path, damage: Callable[[Path], None], message: str, name: str) -> None:
    damage(shipped.with_name(f"{name}.onnx"))
    with pytest.raises(AttentionError, match=rf"{name}\.onnx: .*{message}"):
        NeuralSource(NeuralOptions(device="cpu"), shipped)


@pytest.mark.parametrize(
    ("damage", "message"), [(remove, "can't be read"), (cut, "what belongs to the graphs"), (noise, "what belongs to")]
)
def test_a_damaged_list_of_graphs_is_an_error(shipped: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(shipped.with_name(GRAPHS_NAME))
    with pytest.raises(AttentionError, match=rf"graphs\.json: .*{message}"):
        NeuralSource(NeuralOptions(device="cpu"), shipped)


def test_a_graph_that_does_not_load_is_an_error_of_whoever_runs_it(shipped: Path) -> None:
    graph, listed = shipped.with_name("frame.onnx"), shipped.with_name(GRAPHS_NAME)
    before = sha256(graph.read_bytes()).hexdigest()
    noise(graph)
    listed.write_text(listed.read_text().replace(before, sha256(graph.read_bytes()).hexdigest()))
    engine = open_engine("cpu", shipped)
    with pytest.raises(AttentionError, match=r"frame\.onnx: ONNX Runtime can't load it, though it is whole"):
        engine.frames([np.zeros((3, 64, 96), np.float32)])


def test_weights_of_another_network_are_an_error(tmp_path: Path, net: AttentionNet) -> None:
    path = tmp_path / "w.safetensors"
    net.config = NetworkConfig()
    save_weights(net, path, WeightsInfo())
    with pytest.raises(AttentionError, match="the weights don't fit the network"):
        load_weights(path)


def test_files_of_the_package_belong_together_and_are_small() -> None:
    assert open_engine("cpu", WEIGHTS_PATH).info == load_weights()[1]
    assert sum(path.stat().st_size for path in WEIGHTS_PATH.parent.iterdir()) < 20e6


def test_export_gives_the_graphs_of_the_weights(tmp_path: Path, net: AttentionNet) -> None:
    path = tmp_path / "w.safetensors"
    stored = save_weights(net, path, WeightsInfo(net.config))
    tool = Path(__file__).parent.parent / "tools" / "export_model.py"
    subprocess.run([sys.executable, str(tool), str(path), "--float"], check=True, capture_output=True)
    picture = np.random.default_rng(0).uniform(-1, 1, (3, 64, 96)).astype(np.float32)
    exported, reference = open_engine("cpu", path), open_engine("torch", path)
    assert exported.info == reference.info == stored
    one, other = exported.frames([picture])[0], reference.frames([picture])[0]
    assert np.allclose(one.middle, other.middle, atol=1e-4)
    assert np.allclose(one.logits, other.logits, atol=1e-4)
