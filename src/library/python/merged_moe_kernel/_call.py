"""Checks of what a call is given, and the call. `kind` is the module that knows the arrays: _arrays or _tensors."""

import typing

from . import _library
from ._library import MoeArgumentError, MoeUnsupported

# Of vLLM's activations, those that are computed. Its "swigluoai" has gate and up rows of w1 by turns.
ACTIVATIONS = {"silu": 0, "gelu": 1, "gelu_tanh": 2, "gelu_pytorch_tanh": 2, "swigluoai_uninterleave": 3}


def activation_code(activation):
    activation = getattr(activation, "value", activation)
    code = ACTIVATIONS.get(activation)
    if code is None:
        hint = (": its gate and up rows come by turns; bring those of w1 and b1 into halves with uninterleave() and give "
                "swigluoai_uninterleave") if activation == "swigluoai" else f": there are {', '.join(ACTIVATIONS)}"
        raise MoeUnsupported(f"activation is {activation!r}{hint}")
    return code


def _expect_shape(name, array, shape):
    if tuple(array.shape) != shape:
        raise MoeArgumentError(f"{name} has the shape {list(array.shape)} and should have {list(shape)}")


def _expect_dtype(name, array, dtype):
    if array.dtype != dtype:
        raise MoeArgumentError(f"{name} is of {array.dtype} and should be of {dtype}")


def check(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, expert_map, global_num_experts):
    """Raises MoeArgumentError naming the first argument that is of another kind, dtype, shape, device or stride than the
    others ask for."""
    arrays = [("hidden_states", hidden_states), ("w1", w1), ("w2", w2), ("topk_weights", topk_weights),
              ("topk_ids", topk_ids)]
    arrays += [(name, array) for name, array in (("b1", b1), ("b2", b2), ("expert_map", expert_map)) if array is not None]
    for name, array in arrays:
        if not kind.is_mine(array):
            raise MoeArgumentError(f"{name} is a {type(array).__name__} and should be a {kind.name}")
    place = kind.place(hidden_states)
    for name, array in arrays:
        if kind.place(array) != place:
            raise MoeArgumentError(f"{name} is on another device than hidden_states: {kind.place(array)}, not {place}")
    for name, array, axes in (("hidden_states", hidden_states, 2), ("w1", w1, 3), ("w2", w2, 3), ("topk_ids", topk_ids, 2)):
        if len(array.shape) != axes:
            raise MoeArgumentError(f"{name} has {len(array.shape)} axes and should have {axes}")
    M, K = hidden_states.shape
    E, N1, _ = w1.shape
    N2 = w2.shape[1]
    if hidden_states.dtype not in kind.HALF_TYPES:
        raise MoeArgumentError(f"hidden_states is of {hidden_states.dtype} and should be of one of "
                               f"{', '.join(str(each) for each in kind.HALF_TYPES)}")
    _expect_shape("w1", w1, (E, N1, K))
    _expect_shape("w2", w2, (E, N2, N1 // 2))
    _expect_shape("topk_ids", topk_ids, (M, topk_ids.shape[1]))
    _expect_shape("topk_weights", topk_weights, (M, topk_ids.shape[1]))
    for name, array, shape in (("b1", b1, (E, N1)), ("b2", b2, (E, N2))):
        if array is not None:
            _expect_shape(name, array, shape)
            _expect_dtype(name, array, hidden_states.dtype)
    _expect_dtype("w1", w1, hidden_states.dtype)
    _expect_dtype("w2", w2, hidden_states.dtype)
    _expect_dtype("topk_weights", topk_weights, kind.float32)
    if not kind.is_integer(topk_ids):
        raise MoeArgumentError(f"topk_ids is of {topk_ids.dtype} and should be of integers")
    if expert_map is not None:
        _expect_dtype("expert_map", expert_map, kind.int32)
        _expect_shape("expert_map", expert_map,
                      (global_num_experts if global_num_experts > 0 else expert_map.shape[0],))
    elif global_num_experts not in (-1, E):
        raise MoeArgumentError(f"global_num_experts is {global_num_experts}, w1 has {E} and there is no expert_map")
    for name, array in (("w1", w1), ("w2", w2), ("b1", b1), ("b2", b2), ("expert_map", expert_map)):
        if array is not None and not kind.is_contiguous(array):
            raise MoeArgumentError(f"{name} is not contiguous: its strides are {list(kind.strides(array))}")


def fields(kind, hidden_states, w1, w2, topk_ids, b1, b2, activation, apply_router_weight_on_input, expert_map, impl):
    """Of a moe_problem, all but its tokens."""
    return {"K": w1.shape[2], "N1": w1.shape[1], "N2": w2.shape[1], "E": w1.shape[0], "topk": topk_ids.shape[1],
            "dtype": kind.HALF_TYPES[hidden_states.dtype], "activation": activation, "impl": impl,
            "has_b1": b1 is not None, "has_b2": b2 is not None,
            "apply_router_weight_on_input": bool(apply_router_weight_on_input),
            "global_E": 0 if expert_map is None else expert_map.shape[0]}


def device_name(place):
    return place if isinstance(place, str) else f"cuda:{place}"


def _takes_rows(kind, array):
    """Whether the kernels take the array's rows where they are, given an address that suits them."""
    stride, step = kind.strides(array)
    return step == 1 and (array.shape[0] == 1 or stride % 8 == 0 and stride >= array.shape[1])


def _stride(kind, array):
    return kind.strides(array)[0] if array.shape[0] > 1 else array.shape[1]


class _Prepared(typing.NamedTuple):
    """What calls of one signature have in common: it takes longer to find out than to launch the kernels."""
    plan: int
    workspace_size: int
    M: int
    out_shape: tuple
    as_given: bool  # no copies are needed: strides and dtypes are those of the kernels
    hidden_stride: int
    out_stride: int


def _prepare(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, apply_router_weight_on_input,
             global_num_experts, expert_map, three_kernel, inplace):
    check(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, expert_map, global_num_experts)
    M, N2 = hidden_states.shape[0], w2.shape[1]
    if inplace and hidden_states.shape[1] != N2:
        raise MoeArgumentError(f"inplace: hidden_states has {hidden_states.shape[1]} columns and the output {N2}")
    place = kind.place(hidden_states)
    impl = _library.THREE_KERNEL if three_kernel else _library.MERGED
    key = (place, w1.shape, N2, topk_ids.shape[1], hidden_states.dtype, activation, b1 is None, b2 is None,
           apply_router_weight_on_input, impl, None if expert_map is None else expert_map.shape)
    plan = _library.loaded.known_plan(key, M)
    if plan is None:
        plan = _library.loaded.plan(
            key, max(M, 1), device_name(place),
            fields(kind, hidden_states, w1, w2, topk_ids, b1, b2, activation_code(activation),
                   apply_router_weight_on_input, expert_map, impl))
    as_given = (_takes_rows(kind, hidden_states) and topk_ids.dtype == kind.int32 and kind.is_contiguous(topk_ids)
                and kind.is_contiguous(topk_weights))
    hidden_stride = _stride(kind, hidden_states)
    return _Prepared(plan.handle.value, plan.workspace_size(max(M, 1)), M, (M, N2), as_given, hidden_stride,
                     hidden_stride if inplace else N2)


def _rows(kind, array):
    """The array, or a copy where its rows are not as the kernels take them."""
    return array if _takes_rows(kind, array) and kind.address(array) % 16 == 0 else kind.contiguous(array)


def run(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, apply_router_weight_on_input,
        global_num_experts, expert_map, three_kernel, out, check_ids=False):
    """The output [M, N2]; in `out`, which is hidden_states, where it is given."""
    prepared_calls, address = _library.loaded.prepared, kind.address
    try:
        signature = (kind.signature(hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, expert_map), activation,
                     apply_router_weight_on_input, global_num_experts, three_kernel, out is None)
        prepared = prepared_calls.get(signature)
    except AttributeError:  # one of them is no array of this kind, as the check is going to say
        signature = prepared = None
    if prepared is None:
        prepared = _prepare(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation,
                            apply_router_weight_on_input, global_num_experts, expert_map, three_kernel, out is not None)
        if len(prepared_calls) >= 4096:  # one for each M, of about 2 KiB
            prepared_calls.clear()
        if signature is not None:
            prepared_calls[signature] = prepared
    plan, workspace_size, M, out_shape, as_given, hidden_stride, out_stride = prepared
    if out is None:
        out = kind.empty(hidden_states, out_shape)
    if M == 0:
        return out
    target = out
    hidden_at, weights_at, ids_at, out_at = address(hidden_states), address(topk_weights), address(topk_ids), address(out)
    if not as_given or (hidden_at | weights_at | ids_at | out_at) & 15:
        hidden_states, target = _rows(kind, hidden_states), _rows(kind, out)
        hidden_stride, out_stride = _stride(kind, hidden_states), _stride(kind, target)
        topk_ids = topk_ids if topk_ids.dtype == kind.int32 else kind.to_int32(topk_ids)
        topk_ids, topk_weights = (each if kind.is_contiguous(each) and address(each) % 16 == 0 else kind.contiguous(each)
                                  for each in (topk_ids, topk_weights))
        hidden_at, weights_at, ids_at, out_at = (address(each) for each in (hidden_states, topk_weights, topk_ids, target))
    workspace = kind.workspace(hidden_states, workspace_size)
    _library.check(_library.moe_run(plan, _library.pack_arguments(
        _library.ARGUMENTS_SIZE, M, hidden_at, hidden_stride, address(w1), address(w2),
        0 if b1 is None else address(b1), 0 if b2 is None else address(b2), weights_at, ids_at,
        0 if expert_map is None else address(expert_map), out_at, out_stride, address(workspace), workspace_size,
        kind.stream(hidden_states), _library.CHECK_IDS if check_ids else 0)))
    if target is not out:
        out[...] = target
    return out
