"""libprune through ctypes: as much of include/prune.h as the development checks need. Not part of the product."""
import ctypes as c

import numpy as np

DTYPES = {np.dtype(name): code for name, code in {
    "float32": 1, "uint8": 2, "int8": 3, "uint16": 4, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
    "float64": 11, "uint32": 12, "uint64": 13}.items()}
NAMES = {code: dtype for dtype, code in DTYPES.items()}


class Error(c.Structure):
    _fields_ = [("size", c.c_uint32), ("status", c.c_int), ("message", c.c_char_p), ("where", c.c_char_p),
                ("hint", c.c_char_p)]


class Library:
    """libprune.so, opened: every function that is named in prune.h is an attribute."""

    def __init__(self, path):
        self.so = c.CDLL(path)
        self.so.prune_last_error.restype = c.POINTER(Error)
        self.so.prune_tensors_name.restype = c.c_char_p
        self.so.prune_tensor_shape.restype = c.POINTER(c.c_int64)
        for name in ["prune_tensors_count", "prune_tensor_rank", "prune_tensor_byte_count"]:
            getattr(self.so, name).restype = c.c_size_t
        self.so.prune_tensor_data.restype = c.c_void_p

    def __getattr__(self, name):
        function = getattr(self.so, name)

        def call(*arguments):
            status = function(*arguments)
            if status != 0:
                error = self.so.prune_last_error().contents
                raise RuntimeError(f"{error.where.decode()}: {error.message.decode()}")
        return call

    def made(self, name, *arguments):
        """Calls a function whose last argument receives an object, and returns the object."""
        made = c.c_void_p()
        getattr(self, name)(*arguments, c.byref(made))
        return made


class Model:
    def __init__(self, library, path, threads):
        self.library = library
        self.context = library.made("prune_context_create")
        library.prune_context_set_threads(self.context, c.c_int32(threads))
        self.model = library.made("prune_model_load", self.context, path.encode(), None)

    def inputs(self, arrays):
        """Named tensors with the contents of the arrays."""
        library = self.library
        tensors = library.made("prune_tensors_create")
        for name, array in arrays.items():
            assert array.flags.c_contiguous
            shape = (c.c_int64 * max(array.ndim, 1))(*array.shape)
            tensor = library.made("prune_tensor_create", c.c_int(DTYPES[array.dtype]), c.c_size_t(array.ndim), shape,
                                  array.ctypes.data_as(c.c_void_p))
            library.prune_tensors_set(tensors, name.encode(), tensor)
            library.so.prune_tensor_free(tensor)
        return tensors

    def run(self, inputs):
        """Runs; the outputs stay libprune's."""
        return self.library.made("prune_model_run", self.model, inputs)

    def arrays(self, outputs):
        """Copies of named tensors."""
        so, found = self.library.so, {}
        for index in range(so.prune_tensors_count(outputs)):
            name = so.prune_tensors_name(outputs, c.c_size_t(index))
            tensor = self.library.made("prune_tensors_get", outputs, name)
            shape = so.prune_tensor_shape(tensor)[: so.prune_tensor_rank(tensor)]
            data = c.string_at(so.prune_tensor_data(tensor), so.prune_tensor_byte_count(tensor))
            found[name.decode()] = np.frombuffer(data, NAMES[so.prune_tensor_dtype(tensor)]).reshape(shape)
            so.prune_tensor_free(tensor)
        return found

    def free(self, *tensors):
        for one in tensors:
            self.library.so.prune_tensors_free(one)

    def close(self):
        self.library.so.prune_model_free(self.model)
        self.library.so.prune_context_free(self.context)
