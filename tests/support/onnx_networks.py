"""Small networks as ONNX files, as other tools would write them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def write_network(path: Path, heads: Sequence[int], kind: int = TensorProto.FLOAT, batch: int | str = "n") -> Path:
    """Write a network (n, 3, 8, 8) whose heads are fixed linear functions of the mean colour."""
    generator = np.random.default_rng(0)
    nodes = [helper.make_node("Cast", ["pixels"], ["cast"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("ReduceMean", ["cast", "axes"], ["colour"], keepdims=0))
    weights = [numpy_helper.from_array(np.array([2, 3]), "axes")]
    outputs = []
    for number, width in enumerate(heads):
        weights.append(numpy_helper.from_array(generator.standard_normal((3, width)).astype(np.float32), f"w{number}"))
        nodes.append(helper.make_node("MatMul", ["colour", f"w{number}"], [f"head{number}"]))
        outputs.append(helper.make_tensor_value_info(f"head{number}", TensorProto.FLOAT, [batch, width]))
    pixels = helper.make_tensor_value_info("pixels", kind, [batch, 3, 8, 8])
    graph = helper.make_graph(nodes, "elsewhere", [pixels], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, path)
    return path
