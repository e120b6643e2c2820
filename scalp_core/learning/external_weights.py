"""Weights of an exported network, read from the run's own safetensors file instead of being stored a second time.

ONNX lets the numbers of an initializer be external data: bytes at a place in another file of the same folder
(https://onnx.ai/onnx/repo-docs/ExternalData.html). safetensors keeps the numbers of each tensor as such bytes, at a
place that its header names (https://github.com/huggingface/safetensors#format).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

_LENGTH_BYTES = 8  # at the beginning of a safetensors file: the length of its header
_STORED = ".stored"  # ends the name of an initializer that is cast before it is used

# Types of weights in a safetensors file, as ONNX and NumPy call them.
_TYPES: dict[str, tuple[int, np.dtype[Any]]] = {
    "F32": (TensorProto.FLOAT, np.dtype("<f4")),
    "F16": (TensorProto.FLOAT16, np.dtype("<f2")),
}

Bytes = npt.NDArray[np.uint8]


class _Place(NamedTuple):
    """The place of a tensor in a safetensors file: type, and the bytes from the beginning of the file."""

    dtype: str
    offset: int
    length: int


def refer_to_weights(model: ModelProto, weights: Path, prefix: str) -> None:
    """Replace initializers of `model` by references to a safetensors file that is to lie beside it.

    Weights in half precision are cast by a node of the graph, which ONNX Runtime computes when it loads the network.
    An initializer without a tensor of its name, its size and its very bits in the file stays in the model.

    Args:
        model: a network with initializers in float32; changed in place.
        prefix: what precedes a tensor's name in that of its initializer.

    Raises:
        OSError: the file cannot be read.
    """
    content: Bytes = np.memmap(weights, np.uint8, mode="r")
    places = _places(content)
    casts: list[NodeProto] = []
    for initializer in model.graph.initializer:
        place = places.get(initializer.name.removeprefix(prefix))
        if place and _same_bits(initializer, place, content):
            set_external_data(initializer, weights.name, place.offset, place.length)
            initializer.ClearField("raw_data")
            casts += _cast(initializer, _TYPES[place.dtype][0])
    nodes = [*casts, *model.graph.node]
    model.graph.ClearField("node")
    model.graph.node.extend(nodes)


def _places(content: Bytes) -> dict[str, _Place]:
    """Return the places of the weights in a safetensors file, by name."""
    start = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES].tobytes(), "little")
    header: Mapping[str, Mapping[str, Any]] = json.loads(content[_LENGTH_BYTES:start].tobytes())
    places = {}
    for name, entry in header.items():
        if entry.get("dtype") in _TYPES:
            begin, end = entry["data_offsets"]
            places[name] = _Place(entry["dtype"], start + begin, end - begin)
    return places


def _same_bits(initializer: TensorProto, place: _Place, content: Bytes) -> bool:
    if initializer.data_type != TensorProto.FLOAT or not initializer.raw_data:
        return False
    stored = content[place.offset : place.offset + place.length].view(_TYPES[place.dtype][1])
    return bool(stored.astype(np.float32).tobytes() == numpy_helper.to_array(initializer).tobytes())


def _cast(initializer: TensorProto, stored_type: int) -> list[NodeProto]:
    """Let an initializer have the type of its file; return the nodes that cast it to float32 under its old name."""
    if initializer.data_type == stored_type:
        return []
    name, initializer.name, initializer.data_type = initializer.name, initializer.name + _STORED, stored_type
    return [helper.make_node("Cast", [initializer.name], [name], to=TensorProto.FLOAT)]
