"""NumPy arrays on the CPU engine. bf16 numbers are uint16 bit patterns."""

import numpy as np

name = "NumPy array"
HALF_TYPES = {np.dtype(np.float16): 0, np.dtype(np.uint16): 1}  # moe_dtype
int32, float32 = np.dtype(np.int32), np.dtype(np.float32)


def is_mine(value):
    return isinstance(value, np.ndarray)


def signature(*arrays):
    """All that a call's checks look at."""
    return tuple([None if array is None else (array.shape, array.strides, array.dtype) for array in arrays])


def place(array):
    return "cpu"


def is_integer(array):
    return array.dtype.kind in "iu"


def address(array):
    return array.ctypes.data


def strides(array):
    """In elements."""
    return tuple(stride // array.itemsize for stride in array.strides)


def is_contiguous(array):
    return array.flags.c_contiguous


def contiguous(array):
    copy = np.empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def to_int32(array):
    return array.astype(np.int32)


def empty(like, shape):
    return np.empty(shape, like.dtype)


def workspace(like, size):
    return np.empty(size, np.uint8)


def stream(array):
    return 0
