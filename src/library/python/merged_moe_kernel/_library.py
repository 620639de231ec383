"""libmoetune through ctypes: its structs, its errors, and the plans that were made, kept for the next call."""

import ctypes
import os
import pathlib
import struct
import threading


class MoeError(Exception):
    """A call that failed. The message is one sentence that names the argument."""


class MoeArgumentError(MoeError, ValueError):
    """An argument is wrong."""


class MoeUnsupported(MoeError, NotImplementedError):
    """There is no kernel for what was asked."""


ARGUMENT, WORKSPACE, UNSUPPORTED, CONFIGS = 1, 2, 3, 4  # moe_status
MERGED, THREE_KERNEL = 0, 1  # moe_impl
CHECK_IDS = 1


class Problem(ctypes.Structure):
    """moe_problem"""
    _fields_ = [("size", ctypes.c_size_t)] + [
        (name, ctypes.c_int64) for name in ("K", "N1", "N2", "E", "topk", "max_M")] + [
        (name, ctypes.c_int32) for name in ("dtype", "activation", "impl", "has_b1", "has_b2",
                                            "apply_router_weight_on_input")] + [("global_E", ctypes.c_int64)]


# moe_arguments: size, M, hidden_states and its stride, w1, w2, b1, b2, topk_weights, topk_ids, expert_map, out and its
# stride, workspace and its size, stream, flags. Bytes are made in a fraction of the time that a ctypes.Structure takes.
_ARGUMENTS = struct.Struct("@NqPq8PqPNPI0P")
ARGUMENTS_SIZE = _ARGUMENTS.size
pack_arguments = _ARGUMENTS.pack


def _candidates():
    """Where the library may be: $MOETUNE_LIBRARY, beside an installed or built module, the loader's own places."""
    if "MOETUNE_LIBRARY" in os.environ:
        return [os.environ["MOETUNE_LIBRARY"]]
    here = pathlib.Path(__file__).resolve()
    beside = [str(path) for parent in list(here.parents)[1:6] for folder in ("", "lib", "build")
              for path in (parent / folder).glob("libmoetune.so.1")]
    beside += [str(path) for path in here.parents[min(4, len(here.parents) - 1)].glob("lib/*/libmoetune.so.1")]
    return beside + ["libmoetune.so.1"]


def _load():
    errors = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
            break
        except OSError as error:
            errors.append(str(error))
    else:
        raise ImportError("libmoetune was not found: set MOETUNE_LIBRARY to libmoetune.so.1 (" + "; ".join(errors) + ")")
    status, pointer = ctypes.c_int, ctypes.c_void_p
    for name, result, arguments in [
            ("moe_version", ctypes.c_char_p, []), ("moe_error_message", ctypes.c_char_p, []),
            ("moe_context_open", status, [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(pointer)]),
            ("moe_context_close", None, [pointer]),
            ("moe_supports", status, [pointer, ctypes.POINTER(Problem)]),
            ("moe_plan_create", status, [pointer, ctypes.POINTER(Problem), ctypes.POINTER(pointer)]),
            ("moe_plan_destroy", None, [pointer]),
            ("moe_plan_workspace_size", status, [pointer, ctypes.c_int64, ctypes.POINTER(ctypes.c_size_t)]),
            ("moe_plan_describe", ctypes.c_char_p, [pointer]),
            ("moe_run", status, [pointer, pointer])]:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


library = _load()
moe_run = library.moe_run


def raise_error(status, message):
    if status in (ARGUMENT, WORKSPACE, CONFIGS):
        raise MoeArgumentError(message)
    if status == UNSUPPORTED:
        raise MoeUnsupported(message)
    raise MoeError(message)


def check(status):
    """Raises what the last call of this thread failed with."""
    if status != 0:
        raise_error(status, library.moe_error_message().decode(errors="replace"))


class Plan:
    """A problem planned for calls of up to max_M tokens. Lives as long as the process: kernels that a CUDA graph has
    captured have to stay loaded."""

    def __init__(self, context, problem):
        handle = ctypes.c_void_p()
        check(library.moe_plan_create(context, ctypes.byref(problem), ctypes.byref(handle)))
        self.handle, self.max_M = handle, problem.max_M
        self.description = library.moe_plan_describe(handle).decode()
        self._workspace_sizes = {}

    def workspace_size(self, M):
        size = self._workspace_sizes.get(M)
        if size is None:
            bytes_ = ctypes.c_size_t()
            check(library.moe_plan_workspace_size(self.handle, M, ctypes.byref(bytes_)))
            size = self._workspace_sizes[M] = bytes_.value
        return size


class Library:
    """The contexts and plans of a process."""

    def __init__(self):
        self._lock = threading.RLock()
        self.configure(os.environ.get("MOETUNE_CONFIGS"))

    def configure(self, configs, max_tokens=16384):
        with self._lock:
            self._configs, self._max_tokens = os.fspath(configs) if configs else "", max_tokens
            # Old plans may still run, or stand in a graph: they are let go of, not destroyed.
            self._contexts, self._plans, self._refused = {}, {}, {}
            self.prepared = {}  # what _call keeps, by a call's signature

    def context(self, device):
        with self._lock:
            if device not in self._contexts:
                handle = ctypes.c_void_p()
                check(library.moe_context_open(device.encode(), self._configs.encode(), ctypes.byref(handle)))
                self._contexts[device] = handle
            return self._contexts[device]

    def _problem(self, M, fields):
        most = self._max_tokens
        while most < M:
            most *= 2
        most = max(M, min(most, (1 << 24) // fields["topk"]))
        return Problem(size=ctypes.sizeof(Problem), max_M=most, **fields)

    def known_plan(self, key, M):
        """The plan of `key` where there is one for M tokens, else None."""
        plan = self._plans.get(key)
        return plan if plan is not None and M <= plan.max_M else None

    def plan(self, key, M, device, fields):
        """The same, made of the Problem's `fields` where there is none yet."""
        with self._lock:
            plan = self.known_plan(key, M)
            if plan is None:
                self.check_support(M, device, fields)
                plan = self._plans[key] = Plan(self.context(device), self._problem(M, fields))
            return plan

    def check_support(self, M, device, fields):
        """Raises what speaks against a plan; asked once for each problem."""
        problem = self._problem(M, fields)
        key = (device, problem.max_M, *fields.values())
        with self._lock:
            if key not in self._refused:
                status = library.moe_supports(self.context(device), ctypes.byref(problem))
                self._refused[key] = status and (status, library.moe_error_message().decode(errors="replace"))
            if self._refused[key]:
                raise_error(*self._refused[key])

    def descriptions(self):
        with self._lock:
            return [plan.description for plan in self._plans.values()]


loaded = Library()
