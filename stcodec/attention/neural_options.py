"""Options of the neural source, in Python and as text (`neural:causal,window=0.8`), and the devices to choose from."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stcodec.errors import OptionsError, check_range

DEVICES = "auto, cpu, cuda, cuda:N or torch"
INSTALL_GPU = 'pip install "stcodec[gpu]"'
_DEVICE = re.compile(r"auto|cpu|torch|cuda(:\d{1,3})?")
_GPU_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")
_LONGEST_WINDOW_SECONDS = 10.0
_LEAST_TOKENS = 0.01
_KEYS = {"window": "window_seconds", "tokens": "token_share", "balance": "balance", "device": "device"}
_ALLOWED = f"causal, window=SECONDS, tokens=SHARE, balance=SHARE, device={DEVICES.replace(', ', '|').replace(' or ', '|')}"


@dataclass(frozen=True)
class NeuralOptions:
    """Options of the network's use; none of them needs other weights."""

    causal: bool = False
    """True: each map is that of its instant alone, for live video; False: the mean of those up to 0.2 s before and after."""
    window_seconds: float | None = None
    """Seconds that the temporal branch looks back, 0 to 10; None = as in training."""
    token_share: float | None = None
    """Share of the tokens that may enter the temporal branch, 0.01 to 1; None = as in training."""
    balance: float = 0.5
    """0 = the spatial branch alone, 1 = the temporal branch alone, 0.5 = both as in training; in between one counts less."""
    device: str = "auto"
    """"auto" (a GPU if there is one), "cpu", "cuda", "cuda:N", or "torch" (torch on the CPU, to compare with)."""

    def __post_init__(self) -> None:
        check_range("neural: window", self.window_seconds, 0, _LONGEST_WINDOW_SECONDS)
        check_range("neural: tokens", self.token_share, _LEAST_TOKENS, 1)
        check_range("neural: balance", self.balance, 0, 1)
        checked_device(self.device)

    @property
    def text(self) -> str:
        """The source as the user would write it: what differs from the defaults, in a fixed order."""
        parts = ["causal"] if self.causal else []
        for key, name in _KEYS.items():
            value = getattr(self, name)
            if value != getattr(NeuralOptions, name):
                parts.append(f"{key}={value}" if isinstance(value, str) else f"{key}={value:g}")
        return "neural" + (":" + ",".join(parts) if parts else "")


def parse_options(text: str) -> NeuralOptions:
    """Options from the text behind `neural:`. Raises OptionsError for an unknown or repeated key, or a wrong value."""
    given: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = part.strip().partition("=")
        name = "causal" if (key, equals) == ("causal", "") else _KEYS.get(key) if equals else None
        if name is None:
            raise OptionsError(
                f"neural: {part.strip()!r} is no option of the source: allowed are {_ALLOWED}", value=part, allowed=_ALLOWED
            )
        if name in given:
            raise OptionsError(f"neural: {key} is given twice: once is enough", value=key)
        given[name] = True if name == "causal" else value if name == "device" else _number(key, value)
    return NeuralOptions(**given)


def _number(key: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise OptionsError(f"neural: {key}={value!r} is no number: write, for instance, {key}=0.8", value=value) from None


def checked_device(text: str) -> str:
    """The name of a device. Raises OptionsError if it is none."""
    if not _DEVICE.fullmatch(text):
        raise OptionsError(f"device {text!r}: allowed are {DEVICES}", value=text, allowed=DEVICES)
    return text


def no_gpu_reason() -> str | None:
    """Reason why the network can't run on a GPU here; None if it can.

    Without a GPU's device files torch is not even imported, which takes seconds.
    """
    if sys.platform != "win32" and not any(Path(node).exists() for node in _GPU_NODES):
        return "no GPU"
    try:
        from stcodec.attention.neural_torch import gpu_count
    except ModuleNotFoundError as error:
        return f"a GPU, but {(error.name or '').split('.')[0]} is not installed ({INSTALL_GPU})"
    return None if gpu_count() else "no GPU that torch can use"
