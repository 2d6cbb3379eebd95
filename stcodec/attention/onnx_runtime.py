"""ONNX Runtime, without its telemetry: stcodec sends nothing anywhere, and leaves no file behind."""

from __future__ import annotations

import os
from typing import Any


def onnx_runtime() -> Any:
    """The module onnxruntime. Raises ImportError if it is not installed.

    From 1.32 on it reports its use and keeps a session file in the temporary folder, from the moment of its import,
    unless this variable says no.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
