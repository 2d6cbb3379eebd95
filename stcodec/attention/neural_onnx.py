"""The attention network on the CPU, by ONNX Runtime: torch is not needed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stcodec.attention.neural_engine import BranchLogits, FrameOutput, GatedFrame, Look
from stcodec.attention.onnx import onnx_runtime, open_session
from stcodec.errors import AttentionError
from stcodec.model.weights_file import damaged, missing, read_info
from stcodec.types import FloatArray

GRAPHS_NAME = "graphs.json"
"""The file beside the weights that says what the graphs are."""
_GRAPHS = ("frame.onnx", "tokens.onnx", "fuse.onnx")


class OnnxEngine:
    """One thread: the encoder needs the cores, and threads that wait for work by spinning would take them from it."""

    def __init__(self, weights: Path) -> None:
        """weights: the safetensors file; the graphs made of it lie beside it.

        Raises AttentionError if a file is missing, damaged, of another version, or made of other weights.
        """
        self.info = read_info(weights)
        onnx_runtime()
        known = _known_graphs(weights.with_name(GRAPHS_NAME), self.info.sha256)
        self._frame, self._tokens, self._fuse = (_Graph(weights.with_name(name), known[name]) for name in _GRAPHS)

    def frames(self, pictures: Sequence[FloatArray]) -> list[FrameOutput]:
        found = []
        for picture in pictures:
            middle, logits = self._frame.run(["middle", "logits"], {"picture": picture[None]})
            found.append(FrameOutput(middle[0], logits[0, 0]))
        return found

    def tokens(self, gated: Sequence[GatedFrame]) -> list[FloatArray]:
        return [self._tokens_of(one) for one in gated]

    def fuse(self, looks: Sequence[Look], shares: bool = False) -> list[BranchLogits]:
        return [self._fused(look, shares) for look in looks]

    def _tokens_of(self, gated: GatedFrame) -> FloatArray:
        inputs = {"middle": gated.frame.middle, "motion": gated.motion, "index": gated.index}
        tokens: FloatArray = self._tokens.run(["tokens"], _batched(inputs))[0][0]
        return tokens

    def _fused(self, look: Look, shares: bool) -> BranchLogits:
        gated = look.gated
        inputs = {
            "tokens": look.own.tokens,
            "position": look.own.position,
            "window": np.concatenate([one.tokens for one in look.window]),
            "window_position": np.concatenate([one.position for one in look.window]),
            "index": gated.index,
            "openness": gated.openness,
            "middle": gated.frame.middle,
            "motion": gated.motion,
        }
        logits, *share = self._fuse.run(["logits", "share"] if shares else ["logits"], _batched(inputs))
        return BranchLogits(gated.frame.logits, logits[0, 0], share[0][0] if shares else None)


def _batched(inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name: value[None] for name, value in inputs.items()}


class _Graph:
    """A graph that is whole; ONNX Runtime loads it when it is first run, while the next frames are decoded already."""

    def __init__(self, path: Path, sha256: str) -> None:
        """Raises AttentionError if it is missing or damaged; `run` does if ONNX Runtime can't load it for all that."""
        self._name = path.name
        try:
            self._content = path.read_bytes()
        except OSError as error:
            raise missing(path, error) from None
        if hashlib.sha256(self._content).hexdigest() != sha256:
            raise damaged(path.name, f"it doesn't have the SHA-256 that stands in {GRAPHS_NAME} beside it")

    def run(self, outputs: list[str], inputs: dict[str, NDArray[Any]]) -> Any:
        return self._session.run(outputs, inputs)

    @cached_property
    def _session(self) -> Any:
        try:
            return open_session(self._content)
        except Exception as error:  # onnxruntime's own classes share no base
            reason = str(error).splitlines()[0][:200]
            raise AttentionError(
                f"{self._name}: ONNX Runtime can't load it, though it is whole ({reason}): is there enough memory?"
            ) from None


def _known_graphs(path: Path, weights_sha256: str) -> dict[str, str]:
    """SHA-256 of each graph. Raises AttentionError if that can't be read, or they were made of other weights."""
    try:
        known = json.loads(path.read_bytes())
        graphs = {name: str(known["sha256"][name]) for name in _GRAPHS}
        made_of = known["weights_sha256"]
    except OSError as error:
        raise missing(path, error) from None
    except (KeyError, TypeError, ValueError):
        raise damaged(path.name, "it doesn't say what belongs to the graphs") from None
    if made_of != weights_sha256:
        raise damaged(path.name, "the graphs were made of other weights than those in the file beside them")
    return graphs
