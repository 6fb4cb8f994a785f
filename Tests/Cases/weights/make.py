"""One network eight times: its two matrices as initializers, and behind everything that exporters put before weights."""
import os

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

here = os.path.dirname(os.path.abspath(__file__))
random = np.random.default_rng(1)
weights = {"w1": random.normal(size=(8, 16)).astype(np.float16).astype(np.float32),
           "w2": random.normal(size=(16, 4)).astype(np.float16).astype(np.float32)}


def model(kind):
    nodes, initializers, functions, read = [], [], [], {}
    for name, value in weights.items():
        shape = numpy_helper.from_array(np.array(value.shape, np.int64), name + "_shape")
        axes = numpy_helper.from_array(np.array([0], np.int64), name + "_axes")
        stored = {"transpose": value.T.copy(), "reshape": value.reshape(-1, 2), "cast": value.astype(np.float16),
                  "squeeze": value[None]}.get(kind, value)
        if kind == "constant":
            nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name)))
        elif kind != "function":
            initializers.append(numpy_helper.from_array(stored, name))
        read[name] = name if kind in ("plain", "constant") else name + "_read"
        if kind == "identity":
            nodes.append(helper.make_node("Identity", [name], [read[name]]))
        elif kind == "transpose":
            nodes.append(helper.make_node("Transpose", [name], [read[name]], perm=[1, 0]))
        elif kind == "reshape":
            initializers.append(shape)
            nodes.append(helper.make_node("Reshape", [name, shape.name], [read[name]]))
        elif kind == "cast":
            nodes.append(helper.make_node("Cast", [name], [read[name]], to=TensorProto.FLOAT))
        elif kind == "squeeze":
            initializers.append(axes)
            nodes.append(helper.make_node("Squeeze", [name, axes.name], [read[name]]))
    opsets = [helper.make_opsetid("", 17)]
    if kind == "function":
        opsets.append(helper.make_opsetid("local", 1))
        functions.append(helper.make_function(
            "local", "Product", ["x", "w"], ["y"], [helper.make_node("MatMul", ["x", "w"], ["y"])],
            [helper.make_opsetid("", 17)]))
        initializers += [numpy_helper.from_array(value, name) for name, value in weights.items()]
        nodes += [helper.make_node("Product", ["x", "w1"], ["h"], name="first", domain="local"),
                  helper.make_node("Relu", ["h"], ["r"], name="relu"),
                  helper.make_node("Product", ["r", "w2"], ["y"], name="second", domain="local")]
    else:
        nodes += [helper.make_node("MatMul", ["x", read["w1"]], ["h"], name="first"),
                  helper.make_node("Relu", ["h"], ["r"], name="relu"),
                  helper.make_node("MatMul", ["r", read["w2"]], ["y"], name="second")]
    graph = helper.make_graph(
        nodes, kind, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])], initializers)
    save(helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=8), f"{here}/{kind}.onnx")


for kind in ["plain", "identity", "transpose", "reshape", "cast", "squeeze", "constant", "function"]:
    model(kind)
