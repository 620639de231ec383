"""The expert MLP of Mixture-of-Experts models in two kernels, in place of vLLM's and SGLang's fused_experts_impl.

    from merged_moe_kernel import merged_fused_experts_impl

takes PyTorch tensors on any CUDA device or the CPU, on the current stream, eagerly, in CUDA graphs and under
torch.compile; without PyTorch it takes NumPy arrays, where uint16 stands for the bits of bf16. Inference only: there is
no gradient. Kernels and configs are libmoetune's; `configure` says where the configs are that moe-tune found.
"""

import dataclasses
import functools
import inspect
import sys

from . import _call, _library
from ._library import MoeArgumentError, MoeError, MoeUnsupported

__all__ = ["MoeArgumentError", "MoeError", "MoeUnsupported", "Support", "check_topk_ids", "configure", "describe",
           "fused_experts_impl", "in_place_of", "merged_fused_experts_impl", "supports", "uninterleave"]
__version__ = _library.library.moe_version().decode()

_torch = None  # the module _tensors, once there are tensors
if "torch" in sys.modules:
    from . import _tensors as _torch


def _kind_of(hidden_states):
    global _torch
    if _torch is not None and _torch.is_mine(hidden_states):
        return _torch
    if type(hidden_states).__module__.partition(".")[0] == "torch" or "torch" in sys.modules and isinstance(
            hidden_states, sys.modules["torch"].Tensor):
        from . import _tensors as _torch
        return _torch
    from . import _arrays
    if not _arrays.is_mine(hidden_states):
        raise MoeArgumentError(f"hidden_states is a {type(hidden_states).__name__} and should be a torch.Tensor or a "
                               "NumPy array")
    return _arrays


def _refuse_quantized(options):
    for name, value in options.items():
        if value is not None and value is not False:
            raise MoeUnsupported(f"{name} is given: weights and activations are of 16 bits")


def _compute(three_kernel, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, inplace,
             apply_router_weight_on_input, global_num_experts, expert_map, w1_bias, w2_bias):
    b1, b2 = b1 if w1_bias is None else w1_bias, b2 if w2_bias is None else w2_bias
    kind = _kind_of(hidden_states)
    activation = getattr(activation, "value", activation)
    if kind is _torch and kind.is_compiling():
        op = kind.inplace_fused_experts if inplace else kind.fused_experts
        out = op(hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, apply_router_weight_on_input,
                 global_num_experts, expert_map, three_kernel)
        return hidden_states if inplace else out
    return _call.run(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation,
                     apply_router_weight_on_input, global_num_experts, expert_map, three_kernel,
                     hidden_states if inplace else None)


def merged_fused_experts_impl(hidden_states, w1, w2, topk_weights, topk_ids, b1=None, b2=None, activation="silu",
                              inplace=False, apply_router_weight_on_input=False, use_fp8_w8a8=False,
                              use_int8_w8a8=False, use_int8_w8a16=False, use_int4_w4a16=False, ocp_mx_scheme=None,
                              per_channel_quant=False, global_num_experts=-1, expert_map=None, w1_scale=None,
                              w2_scale=None, w1_zp=None, w2_zp=None, a1_scale=None, a2_scale=None, block_shape=None,
                              w1_bias=None, w2_bias=None):
    """The expert MLP of M tokens, [M, N2] in the dtype of hidden_states.

    hidden_states [M, K], w1 [E, N1, K] (gate half first, then up half), w2 [E, N2, N1/2], biases b1 [E, N1] and b2
    [E, N2] (also as w1_bias, w2_bias) in bf16 or fp16; topk_weights [M, topk] in fp32; topk_ids [M, topk] integers,
    distinct in each row. expert_map [global_num_experts] in int32 leads from ids to experts of w1 and w2, -1 for those
    that live elsewhere. activation: silu, gelu, gelu_tanh, swigluoai_uninterleave. inplace: into hidden_states.

    Rows of hidden_states may lie apart; inputs with other strides are copied, weights have to be contiguous. The first
    call of a shape plans it, which compiles what is not in the cache on disk: not within a CUDA graph's capture.

    Raises MoeArgumentError for what does not fit together and MoeUnsupported for what there is no kernel for, each
    naming the argument.
    """
    if (use_fp8_w8a8 or use_int8_w8a8 or use_int8_w8a16 or use_int4_w4a16 or per_channel_quant
            or ocp_mx_scheme is not None or w1_scale is not None or w2_scale is not None or w1_zp is not None
            or w2_zp is not None or a1_scale is not None or a2_scale is not None or block_shape is not None):
        _refuse_quantized(dict(
            use_fp8_w8a8=use_fp8_w8a8, use_int8_w8a8=use_int8_w8a8, use_int8_w8a16=use_int8_w8a16,
            use_int4_w4a16=use_int4_w4a16, per_channel_quant=per_channel_quant, ocp_mx_scheme=ocp_mx_scheme,
            w1_scale=w1_scale, w2_scale=w2_scale, w1_zp=w1_zp, w2_zp=w2_zp, a1_scale=a1_scale, a2_scale=a2_scale,
            block_shape=block_shape))
    return _compute(False, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, inplace,
                    apply_router_weight_on_input, global_num_experts, expert_map, w1_bias, w2_bias)


@dataclasses.dataclass(frozen=True)
class Support:
    """Whether something applies; where not, why."""
    reason: str = ""

    def __bool__(self):
        return not self.reason


def _support(impl, hidden_states, w1, w2, topk_weights, topk_ids, b1=None, b2=None, activation="silu", inplace=False,
             apply_router_weight_on_input=False, global_num_experts=-1, expert_map=None, w1_bias=None, w2_bias=None,
             **quantized):
    try:
        b1, b2 = b1 if w1_bias is None else w1_bias, b2 if w2_bias is None else w2_bias
        _refuse_quantized(quantized)
        kind = _kind_of(hidden_states)
        code = _call.activation_code(activation)
        _call.check(kind, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, expert_map, global_num_experts)
        _library.loaded.check_support(
            hidden_states.shape[0], _call.device_name(kind.place(hidden_states)),
            _call.fields(kind, hidden_states, w1, w2, topk_ids, b1, b2, code, apply_router_weight_on_input, expert_map,
                         impl))
    except MoeError as error:
        return Support(str(error))
    return Support()


def supports(*args, **kwargs):
    """Whether merged_fused_experts_impl takes these arguments: a Support, true or false with a reason. Computes and
    compiles nothing."""
    return _support(_library.MERGED, *args, **kwargs)


def fused_experts_impl(hidden_states, w1, w2, topk_weights, topk_ids, b1=None, b2=None, activation="silu", inplace=False,
                       apply_router_weight_on_input=False, global_num_experts=-1, expert_map=None, w1_bias=None,
                       w2_bias=None, **quantized):
    """merged_fused_experts_impl, or the same in three kernels where that does not apply and these do."""
    _refuse_quantized(quantized)
    for three_kernel in (False, True):
        try:
            return _compute(three_kernel, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, inplace,
                            apply_router_weight_on_input, global_num_experts, expert_map, w1_bias, w2_bias)
        except MoeUnsupported:
            if three_kernel:
                raise


_OURS = frozenset(inspect.signature(merged_fused_experts_impl).parameters)


def in_place_of(function):
    """`function`, a serving engine's fused_experts_impl, with merged_fused_experts_impl before it: the same signature, also
    by position. What merged_fused_experts_impl does not take (another kind of weights or activation, an argument that it
    does not know with another value than its default) goes to `function` as before.

        engine.fused_experts_impl = merged_moe_kernel.in_place_of(engine.fused_experts_impl)
    """
    signature = inspect.signature(function)
    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}

    @functools.wraps(function)
    def merged_or_theirs(*args, **kwargs):
        ours = {}
        for name, value in signature.bind(*args, **kwargs).arguments.items():
            if name in _OURS:
                ours[name] = value
            elif value is not defaults[name] and value != defaults[name]:
                return function(*args, **kwargs)
        try:
            return merged_fused_experts_impl(**ours)
        except (MoeArgumentError, MoeUnsupported):  # nothing was computed
            return function(*args, **kwargs)
    return merged_or_theirs


def configure(configs=None, max_tokens=16384):
    """Takes best configs from the folder `configs` that `moe-tune tune --out` wrote ($MOETUNE_CONFIGS before this is
    called; None: none), and plans shapes for calls of up to `max_tokens` tokens. Calls with more plan their shape anew.
    Counts for shapes that are planned from now on."""
    _library.loaded.configure(configs, max_tokens)


def describe():
    """Which configs the plans so far take for which number of tokens, and why."""
    return "\n".join(_library.loaded.descriptions())


def check_topk_ids(hidden_states, w1, w2, topk_weights, topk_ids, **options):
    """The output like merged_fused_experts_impl, but raises MoeArgumentError naming the first of topk_ids that no expert
    has. Waits for the device."""
    kind = _kind_of(hidden_states)
    return _call.run(kind, hidden_states, w1, w2, topk_weights, topk_ids, options.get("b1"), options.get("b2"),
                     options.get("activation", "silu"), options.get("apply_router_weight_on_input", False),
                     options.get("global_num_experts", -1), options.get("expert_map"), False, None, check_ids=True)


def uninterleave(rows):
    """w1 [E, N1, K] or b1 [E, N1] whose gate and up rows come by turns, as "swigluoai" in vLLM has them, with all gate
    rows before all up rows: a copy."""
    kind = _kind_of(rows)
    halves = kind.empty(rows, rows.shape)
    half = rows.shape[1] // 2
    halves[:, :half] = rows[:, 0::2]
    halves[:, half:] = rows[:, 1::2]
    return halves
