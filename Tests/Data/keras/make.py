"""Writes the files of this folder: small Keras models with the outputs Keras computes, and HDF5 files of every layout.

usage: make.py OUT [NAME ...]   (needs keras 3 with tensorflow, h5py and numpy; OUT may be this folder)
"""
import os
import sys
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import keras
import numpy as np
from keras import layers as L

out, chosen = sys.argv[1], sys.argv[2:]
random = np.random.default_rng(3)


def sequential(*layers, shape, dtype="float32"):
    return keras.Sequential([keras.Input(shape, dtype=dtype), *layers])


def functional(shapes, build):
    inputs = [keras.Input(shape, name=f"in{index}") for index, shape in enumerate(shapes)]
    return keras.Model(inputs if len(inputs) > 1 else inputs[0], build(*inputs))


def activations(x):
    names = ("elu selu gelu sigmoid hard_sigmoid silu tanh softmax softplus softsign exponential mish log_softmax celu hard_tanh hard_shrink "
             "soft_shrink tanh_shrink relu6 leaky_relu log_sigmoid squareplus sparse_plus linear hard_silu").split()
    return L.Concatenate()([L.Activation(name)(x) for name in names] + [
        L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2)(x), L.LeakyReLU(0.2)(x), L.PReLU()(x), L.ELU(0.7)(x), L.Softmax()(x)])


def prelu(x):
    y = L.PReLU(shared_axes=[1, 2])(L.Conv2D(4, 3)(x))
    return L.PReLU()(L.Conv2D(4, 1, activation="swish")(y))


def merge(a, b):
    total, difference = L.Add()([a, b]), L.Subtract()([a, b])
    average = L.Average()([a, b, L.Multiply()([total, difference])])
    largest, least = L.Maximum()([a, average]), L.Minimum()([b, average])
    joined = L.Concatenate(axis=1)([largest, least, L.Permute((2, 1))(L.Dense(4)(L.Permute((2, 1))(total)))])
    return [joined, L.Dot(axes=(2, 2))([a, b]), L.Dot(axes=1, normalize=True)([L.Flatten()(a), L.Flatten()(b)]),
            L.Reshape((2, -1))(joined), L.RepeatVector(3)(L.Flatten()(a))]


def pools(x):
    return [L.MaxPooling2D(3, 2, padding="same")(x), L.AveragePooling2D(3, 2, padding="same")(x), L.AveragePooling2D(2)(x),
            L.GlobalAveragePooling2D()(x), L.GlobalMaxPooling2D(keepdims=True)(x), L.UpSampling2D(2)(x),
            L.UpSampling2D(2, interpolation="bilinear")(x), L.ZeroPadding2D(((1, 2), (3, 0)))(x), L.Cropping2D(((1, 0), (1, 2)))(x),
            L.Rescaling(1 / 127.5, offset=-1)(x), L.Resizing(5, 7)(x), L.Resizing(9, 4, interpolation="nearest")(x)]


def attention(x):
    y = L.LayerNormalization(epsilon=1e-6)(L.Add()([x, L.MultiHeadAttention(2, 4, value_dim=3)(x, x)]))
    return [y, L.Attention(use_scale=True)([x, y])]


def nested(x):
    inner = keras.Sequential([keras.Input((6, 5, 3)), L.Conv2D(4, 3, padding="same"), L.BatchNormalization(), L.ReLU()], name="inner")
    shared = L.Conv2D(3, 1, name="shared")
    first, second = shared(x), shared(L.ReLU()(x))
    return L.GlobalAveragePooling2D()(L.Add()([inner(first), inner(second)]))


def frozen():
    model = functional([(6, 5, 3)], nested)
    model.get_layer("inner").layers[0].trainable = False
    return model


def normalization():
    layer = L.Normalization()
    layer.adapt(random.normal(2, 3, (50, 4)).astype("float32"))
    return sequential(layer, L.Dense(3), shape=(4,))


def compiled():
    model = sequential(L.Dense(16, activation="relu"), L.Dense(3, activation="softmax"), shape=(5,))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


models = {
    "dense": lambda: sequential(L.Dense(8, activation="relu"), L.Dense(5, use_bias=False, activation="gelu"), L.Dense(3, activation="softmax"), shape=(6,)),
    "conv": lambda: sequential(
        L.Conv2D(8, 3, padding="same", strides=2, activation="relu"), L.BatchNormalization(), L.DepthwiseConv2D(3, depth_multiplier=2),
        L.SeparableConv2D(6, 3, padding="same", depth_multiplier=2), L.MaxPooling2D(2), L.Flatten(), L.Dropout(0.3), L.Dense(4), shape=(13, 15, 3)),
    "conv1d": lambda: sequential(
        L.Conv1D(8, 3, padding="causal", dilation_rate=2), L.SeparableConv1D(5, 3, padding="same"), L.DepthwiseConv1D(3),
        L.Conv1DTranspose(4, 3, strides=2, padding="same"), L.AveragePooling1D(2, padding="same"), L.UpSampling1D(2), L.Cropping1D((1, 2)),
        L.ZeroPadding1D(2), L.GlobalMaxPooling1D(), shape=(17, 3)),
    "conv3d": lambda: sequential(
        L.Conv3D(4, 2, padding="same", strides=2), L.MaxPooling3D(2, padding="same"), L.Conv3DTranspose(2, 3, strides=2), L.Cropping3D(1),
        L.ZeroPadding3D(1), L.UpSampling3D(2), L.GlobalAveragePooling3D(), shape=(7, 6, 8, 2)),
    "transpose": lambda: sequential(
        L.Conv2DTranspose(4, 3, strides=2, padding="same"), L.Conv2DTranspose(3, 2, strides=3, padding="valid", use_bias=False),
        L.Conv2DTranspose(3, 5, strides=2, padding="same", output_padding=1), L.AveragePooling2D(5), shape=(5, 4, 3)),
    "groups": lambda: sequential(
        L.Conv2D(8, 3, groups=2), L.GroupNormalization(4), L.LayerNormalization(), L.UnitNormalization(), L.RMSNormalization(), shape=(6, 5, 4)),
    "activations": lambda: functional([(7,)], activations),
    "prelu": lambda: functional([(6, 5, 2)], prelu),
    "merge": lambda: functional([(4, 5), (4, 5)], merge),
    "pools": lambda: functional([(8, 9, 3)], pools),
    "lstm": lambda: sequential(
        L.LSTM(5, return_sequences=True), L.GRU(4, return_sequences=True), L.GRU(6, reset_after=False, return_sequences=True),
        L.SimpleRNN(3, return_sequences=True), L.Bidirectional(L.LSTM(4, return_sequences=True)), L.Bidirectional(L.GRU(3), merge_mode="sum"),
        L.Dense(2), shape=(7, 3)),
    "states": lambda: functional([(6, 3)], lambda x: [
        *L.LSTM(4, return_state=True)(x), L.LSTM(3, go_backwards=True, return_sequences=True)(x), L.TimeDistributed(L.Dense(2))(x)]),
    "steps": lambda: sequential(L.TimeDistributed(L.Conv2D(3, 2)), L.TimeDistributed(L.Flatten()), L.LSTM(4), shape=(3, 5, 5, 2)),
    "embedding": lambda: sequential(L.Embedding(11, 6), L.Conv1D(4, 3), L.GlobalAveragePooling1D(), shape=(9,), dtype="int32"),
    "attention": lambda: functional([(5, 6)], attention),
    "nested": lambda: functional([(6, 5, 3)], nested),
    "trainable": frozen,
    "normalization": normalization,
    "compiled": compiled,
    "channels_first": lambda: sequential(
        L.Permute((3, 1, 2)), L.BatchNormalization(axis=1), L.ZeroPadding2D(1, data_format="channels_first"),
        L.Flatten(data_format="channels_first"), L.Dense(3), shape=(4, 4, 3)),
}
# Both kinds of file hold the same; a few of the larger kind are enough.
hdf5 = ["conv", "trainable", "compiled"]


def write(name, model):
    for weight in model.weights:
        # What adapt found stays: the layer computes with a copy of it.
        if weight.dtype.startswith("float") and not weight.path.startswith("normalization/"):
            value = random.normal(0, 0.5, weight.shape).astype("float32")
            weight.assign(np.abs(value) + 0.3 if "variance" in weight.path else value)
    arrays = {}
    for index, x in enumerate(model.inputs):
        shape = [3] + list(x.shape[1:])
        arrays[f"x{index}"] = random.integers(0, 11, shape).astype("int32") if x.dtype == "int32" else random.normal(0, 1.5, shape).astype("float32")
    inputs = [arrays[f"x{index}"] for index in range(len(model.inputs))]
    outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    for index, y in enumerate(outputs if isinstance(outputs, (list, tuple)) else [outputs]):
        arrays[f"y{index}"] = np.asarray(y)
    np.savez_compressed(f"{out}/{name}.npz", **arrays)
    if name in hdf5:
        return model.save(f"{out}/{name}.h5")
    model.save(f"{out}/{name}.full.keras")
    with zipfile.ZipFile(f"{out}/{name}.full.keras") as full, zipfile.ZipFile(f"{out}/{name}.keras", "w", zipfile.ZIP_DEFLATED) as packed:
        for entry in full.namelist():
            packed.writestr(entry, full.read(entry))
    os.remove(f"{out}/{name}.full.keras")


def layouts():
    values = (np.arange(35 * 11, dtype="float32") * 0.5).reshape(35, 11)
    with h5py.File(f"{out}/chunks.h5", "w") as file:
        file.create_dataset("plain", data=values, chunks=(8, 4))
        file.create_dataset("deflate", data=values, chunks=(8, 4), compression="gzip")
        file.create_dataset("shuffle", data=values, chunks=(8, 4), compression="gzip", shuffle=True)
        file.create_dataset("all", data=values, chunks=(8, 4), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("lzf", data=values, chunks=(8, 4), compression="lzf")
        file.create_dataset("outside", shape=(4,), dtype="float32", external=[("/etc/hostname", 0, 16)])
        file.create_group("links")["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    with h5py.File(f"{out}/latest.h5", "w", libver=("v108", "v108")) as file:
        file.attrs["text"] = "some text"
        for index in range(12):
            file.attrs[f"attribute {index}"] = f"value {index}"
        for index in range(60):
            file[f"many/member {index}"] = np.array([index, index + 1], "int32")
        file["few/a"], file["few/b"] = np.float32(1), np.float16([1, 2])


for name, make in models.items():
    if not chosen or name in chosen:
        keras.backend.clear_session()
        keras.utils.set_random_seed(7)
        write(name, make())
if not chosen or "layouts" in chosen:
    layouts()
