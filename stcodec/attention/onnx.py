"""`onnx:FILE`: any saliency network in the ONNX format, run by onnxruntime on the CPU.

The contract. One input, float32 [N, 3, H, W]: RGB in [0, 1], the whole frame stretched to H x W. H and W are the
model's own, or 192 x 320 where it leaves them open; N is 1, or open. One output, float [N, 1, h, w] or [N, h, w]:
values in [0, inf), scaled here so that the largest of each map is 1 (a map of zeros counts as all ones). What a network
needs beyond that (mean and deviation of its training set, sigmoid, exp of a log density) belongs into the ONNX file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.base import AttentionSession, AttentionSource, PromptSession
from stcodec.attention.grids import peak_one
from stcodec.errors import AttentionError
from stcodec.media.paths import display_name
from stcodec.types import Clip, ClipSpec, FloatArray, VideoInfo

_DEFAULT_SHAPE = (192, 320)
_LARGEST_SIDE = 4096
_MAPS_PER_SECOND = 6.0
_NO_LOG = 4
"""Of ONNX Runtime: it would write names that stand in a model to the terminal, as they are. What it raises says the same."""


class OnnxSource(AttentionSource):
    """A saliency network in an ONNX file; the module's docstring is its contract."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Raises AttentionError if the file is no model that keeps the contract."""
        self.name = f"onnx:{display_name(path)}"
        self._network = _OnnxNetwork(Path(path), self.name)
        self.spec = ClipSpec(_MAPS_PER_SECOND, thumbnail_side_px=max(self._network.height, self._network.width))

    def open(self, video: VideoInfo) -> AttentionSession:
        """Begin on a video."""
        return PromptSession(video, self.name, self._network.maps)


class _OnnxNetwork:
    """A loaded model, with the shape of its input."""

    def __init__(self, path: Path, name: str) -> None:
        self._name = name
        self._session = _load(path, name)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise AttentionError(
                f"{name}: the model has {len(inputs)} inputs and {len(outputs)} outputs: it must have one of each"
            )
        shape, kind = list(inputs[0].shape or []), inputs[0].type
        if kind != "tensor(float)" or len(shape) != 4 or _fixed(shape[1], 3) != 3 or _fixed(shape[0], 1) != 1:
            raise AttentionError(f"{name}: the input is {kind} {shape}: it must be float32 [1, 3, H, W], RGB in [0, 1]")
        self._input = inputs[0].name
        self.height, self.width = (_fixed(side, usual) for side, usual in zip(shape[2:], _DEFAULT_SHAPE, strict=True))
        if max(self.height, self.width) > _LARGEST_SIDE:
            raise AttentionError(f"{name}: the input is {self.width}x{self.height} px: at most {_LARGEST_SIDE} a side")

    def maps(self, clip: Clip) -> FloatArray:
        """The maps [T, h, w] of a clip, each from its own thumbnail."""
        if clip.thumbnails is None:
            raise AttentionError(f"{self._name}: needs thumbnails, and the clip has none")
        maps = [self._map(thumbnail, float(pts)) for thumbnail, pts in zip(clip.thumbnails, clip.pts_seconds, strict=True)]
        return np.stack(maps) if maps else np.empty((0, 1, 1), np.float32)

    def _map(self, thumbnail: NDArray[np.uint8], seconds: float) -> FloatArray:
        """The map [h, w] of an RGB picture [h', w', 3]; its largest value is 1."""
        import cv2

        picture = cv2.resize(thumbnail, (self.width, self.height), interpolation=cv2.INTER_AREA)
        batch = (np.asarray(picture, np.float32) / 255).transpose(2, 0, 1)[None]
        try:
            found = np.asarray(self._session.run(None, {self._input: np.ascontiguousarray(batch)})[0])
        except Exception as error:  # onnxruntime's own classes share no base
            raise AttentionError(f"{self._name}: the model failed at {seconds:.3f} s ({_first_line(error)})") from None
        if found.ndim not in (3, 4) or found.shape[0] != 1 or found.shape[-3] != 1 or 0 in found.shape:
            raise AttentionError(
                f"{self._name}: the output has the shape {list(found.shape)}: it must be [1, 1, h, w] or [1, h, w]"
            )
        saliency = found.reshape(found.shape[-2:]).astype(np.float32)
        if not np.isfinite(saliency).all() or saliency.min() < 0:
            what = "negative" if np.isfinite(saliency).all() else "not finite"
            raise AttentionError(
                f"{self._name}: the map at {seconds:.3f} s has values that are {what}: they must be in [0, inf); end "
                "the model with a sigmoid, ReLU or exp"
            )
        return peak_one(saliency)


def onnx_runtime() -> Any:
    """The module onnxruntime, with its telemetry off: stcodec sends nothing anywhere, and leaves no file behind.

    From 1.32 on it reports its use and keeps a session file in the temporary folder, from the moment of its import,
    unless this variable says no. Raises AttentionError if it can't be imported.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise AttentionError(
            f"onnxruntime can't be imported ({error}): pip install onnxruntime, or use --attention motion"
        ) from None
    onnxruntime.set_default_logger_severity(_NO_LOG)
    return onnxruntime


def open_session(model: bytes | str) -> Any:
    """A model, or the file of one, in ONNX Runtime. Raises what it raises: classes of its own, which share no base.

    One thread: the encoder needs the cores, and threads that wait for work by spinning would take them from it.
    """
    runtime = onnx_runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _NO_LOG
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _load(path: Path, name: str) -> Any:
    if not path.is_file():
        raise AttentionError(f"{name}: no such file", path=path)
    onnx_runtime()
    try:
        # It takes the bytes of a model where it can't take the name: one that is not UTF-8.
        return open_session(path.read_bytes() if display_name(path) != str(path) else str(path))
    except Exception as error:  # onnxruntime's own classes share no base
        raise AttentionError(f"{name}: not a model that onnxruntime can load ({_first_line(error)})", path=path) from None


def _fixed(size: int | str | None, usual: int) -> int:
    """The size of a dimension; `usual` where the model leaves it open (None, or a name)."""
    return size if isinstance(size, int) and size > 0 else usual


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:300]
