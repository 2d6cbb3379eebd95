"""Metadata of a file of weights, read and checked without torch and safetensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from stcodec.errors import AttentionError
from stcodec.model.config import Calibration, Confidence, NetworkConfig

FORMAT_VERSION = 1
"""Grows when the network changes so that older weights no longer fit."""
WEIGHTS_PATH = Path(__file__).with_name("weights") / "attention.safetensors"
"""The weights that come with the package."""
_LENGTH_BYTES = 8
_LONGEST_HEAD_BYTES = 1 << 24
_Settings = TypeVar("_Settings", NetworkConfig, Calibration, Confidence)


@dataclass(frozen=True)
class WeightsInfo:
    """Metadata stored beside the weights."""

    config: NetworkConfig = field(default_factory=NetworkConfig)
    calibration: Calibration = field(default_factory=Calibration)
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Origin of the weights: command, data, versions, date; as free text."""
    confidence: Confidence | None = None
    """None if it was not fitted."""
    sha256: str = ""
    """Of the weights themselves, hexadecimal: 64 digits; empty before they are stored."""

    def metadata(self) -> dict[str, str]:
        """Strings for the metadata of a file of any format."""
        found = {} if self.confidence is None else {"confidence": json.dumps(vars(self.confidence), sort_keys=True)}
        return found | {
            "format_version": str(FORMAT_VERSION),
            "config": json.dumps(vars(self.config), sort_keys=True),
            "calibration": json.dumps(vars(self.calibration), sort_keys=True),
            "provenance": json.dumps(dict(self.provenance), sort_keys=True),
            "sha256": self.sha256,
        }


def info_of(metadata: Mapping[str, str], name: str) -> WeightsInfo:
    """The metadata that `WeightsInfo.metadata` wrote. Raises AttentionError if it is incomplete, or of another version."""
    version = metadata.get("format_version")
    if version != str(FORMAT_VERSION):
        raise AttentionError(
            f"{name}: the weights have the version {version}, and this stcodec reads version {FORMAT_VERSION}: "
            "install stcodec again, or train the weights with this version"
        )
    try:
        provenance = json.loads(metadata["provenance"])
        return WeightsInfo(
            _settings(NetworkConfig, metadata["config"]),
            _settings(Calibration, metadata["calibration"]),
            {str(key): str(value) for key, value in provenance.items()},
            _settings(Confidence, metadata["confidence"]) if "confidence" in metadata else None,
            metadata["sha256"],
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise damaged(name, f"its metadata can't be read ({error})") from None


def read_info(path: Path) -> WeightsInfo:
    """The metadata of a safetensors file. Raises AttentionError if it is missing, truncated, or of another version."""
    try:
        with path.open("rb") as file:
            head = _head(file.read(_LENGTH_BYTES), path.name)
            described = _parsed(file.read(head), head, path.name)
            size = path.stat().st_size
    except OSError as error:
        raise missing(path, error) from None
    if size != _LENGTH_BYTES + head + _data_bytes(described, path.name):
        raise damaged(path.name, f"it is {size} bytes long, not as long as its head says")
    return info_of(described.get("__metadata__") or {}, path.name)


def checked(content: bytes, name: str) -> WeightsInfo:
    """The metadata of a whole file's content. Raises AttentionError also if the weights are not what they were."""
    head = _head(content[:_LENGTH_BYTES], name)
    described = _parsed(content[_LENGTH_BYTES : _LENGTH_BYTES + head], head, name)
    if len(content) != _LENGTH_BYTES + head + _data_bytes(described, name):
        raise damaged(name, f"it is {len(content)} bytes long, not as long as its head says")
    info = info_of(described.get("__metadata__") or {}, name)
    if digest(content) != info.sha256:
        raise damaged(name, "the weights don't have the SHA-256 that is stored with them")
    return info


def digest(content: bytes) -> str:
    """SHA-256 of the tensors in a safetensors file: their names, types, shapes and values, not its metadata."""
    head = int.from_bytes(content[:_LENGTH_BYTES], "little")
    described = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + head])
    described.pop("__metadata__", None)
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    found.update(content[_LENGTH_BYTES + head :])
    return found.hexdigest()


def missing(path: Path, error: OSError) -> AttentionError:
    """The error for a file of weights that can't be opened."""
    return AttentionError(
        f"{path.name}: the weights of the neural source can't be read ({error.strerror or error}): install stcodec again, "
        "or use --attention motion"
    )


def damaged(name: str, what: str) -> AttentionError:
    """The error for a file of weights that is not whole."""
    return AttentionError(f"{name}: damaged, {what}: install stcodec again, or use --attention motion")


def _settings(kind: type[_Settings], text: str) -> _Settings:
    values = json.loads(text)
    if set(values) != {one.name for one in fields(kind)} or not all(isinstance(one, int | float) for one in values.values()):
        raise ValueError(f"{kind.__name__} is {text[:200]}")
    return kind(**values)


def _head(length: bytes, name: str) -> int:
    size = int.from_bytes(length, "little")
    if len(length) < _LENGTH_BYTES or not 0 < size <= _LONGEST_HEAD_BYTES:
        raise damaged(name, "it does not begin as a safetensors file does")
    return size


def _parsed(text: bytes, size: int, name: str) -> dict[str, Any]:
    if len(text) < size:
        raise damaged(name, "it ends within its head")
    try:
        found = json.loads(text)
    except ValueError:
        raise damaged(name, "its head can't be read") from None
    if not isinstance(found, dict):
        raise damaged(name, "its head can't be read")
    return found


def _data_bytes(described: dict[str, Any], name: str) -> int:
    try:
        return max((int(one["data_offsets"][1]) for key, one in described.items() if key != "__metadata__"), default=0)
    except (KeyError, TypeError, ValueError, IndexError):
        raise damaged(name, "its head can't be read") from None
