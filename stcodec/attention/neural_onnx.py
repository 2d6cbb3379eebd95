"""The attention network on the CPU, by ONNX Runtime: torch is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.neural_engine import FrameOutput, Fused, TokenSet
from stcodec.attention.onnx_runtime import onnx_runtime
from stcodec.errors import AttentionError
from stcodec.model.weights_file import damaged, info_of, missing, read_info
from stcodec.types import FloatArray


class OnnxEngine:
    """One thread: the encoder needs the cores, and threads that wait for work by spinning would take them from it."""

    def __init__(self, weights: Path) -> None:
        """weights: the safetensors file; the graphs made of it lie beside it.

        Raises AttentionError if a file is missing, damaged, of another version, or made of other weights.
        """
        self.info = read_info(weights)
        self._frame, self._tokens, self._fuse = (
            _opened(weights.with_name(f"{name}.onnx"), self.info.sha256) for name in ("frame", "tokens", "fuse")
        )

    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        found = []
        for picture in pictures:
            middle, logits = self._frame.run(["middle", "logits"], {"picture": picture[None]})
            found.append(FrameOutput(middle[0], logits[0, 0]))
        return found

    def tokens(self, middle: FloatArray, motion: FloatArray, index: NDArray[np.int64]) -> FloatArray:
        inputs = {"middle": middle[None], "motion": motion[None], "index": index[None]}
        tokens: FloatArray = self._tokens.run(["tokens"], inputs)[0][0]
        return tokens

    def fuse(
        self,
        own: TokenSet,
        window: TokenSet,
        index: NDArray[np.int64],
        openness: FloatArray,
        middle: FloatArray,
        motion: FloatArray,
    ) -> Fused:
        inputs: dict[str, NDArray[Any]] = {
            "tokens": own.tokens,
            "position": own.position,
            "window": window.tokens,
            "window_position": window.position,
            "index": index,
            "openness": openness,
            "middle": middle,
            "motion": motion,
        }
        logits, share = self._fuse.run(["logits", "share"], {name: value[None] for name, value in inputs.items()})
        return Fused(logits[0, 0], share[0])


def _opened(path: Path, sha256: str) -> Any:
    try:
        onnxruntime = onnx_runtime()
    except ImportError:
        raise AttentionError(
            "neural: needs onnxruntime, which is not installed: pip install onnxruntime, or use --attention motion"
        ) from None
    try:
        content = path.read_bytes()
    except OSError as error:
        raise missing(path, error) from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no base
        raise damaged(path.name, f"ONNX Runtime can't load it ({str(error).splitlines()[0][:200]})") from None
    if info_of(session.get_modelmeta().custom_metadata_map, path.name).sha256 != sha256:
        raise damaged(path.name, "it was made of other weights than those in the file beside it")
    return session
