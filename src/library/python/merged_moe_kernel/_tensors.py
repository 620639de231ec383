"""PyTorch tensors, on the device that they are on and on its current stream; and the custom operators that torch.compile
takes for a call."""

import sys
from typing import Optional

import torch

from . import _call

_this = sys.modules[__name__]
name = "torch.Tensor"
HALF_TYPES = {torch.float16: 0, torch.bfloat16: 1}  # moe_dtype
int32, float32 = torch.int32, torch.float32
_INTEGERS = {torch.int32, torch.int64, torch.int16, torch.uint8, torch.int8}
# Triton and PyTorch's own compiler ask like this: 0.1 us instead of 1.5 for a torch.cuda.Stream.
_cuda_stream = getattr(torch._C, "_cuda_getCurrentRawStream", None) or (
    lambda index: torch.cuda.current_stream(index).cuda_stream)


def is_mine(value):
    return isinstance(value, torch.Tensor)


def signature(*tensors):
    """All that a call's checks look at."""
    return tuple([None if tensor is None else (tensor.shape, tensor.stride(), tensor.dtype, tensor.device)
                  for tensor in tensors])


def place(tensor):
    device = tensor.device
    if device.type == "cuda":
        return device.index
    return "cpu" if device.type == "cpu" else device.type


def is_integer(tensor):
    return tensor.dtype in _INTEGERS


def address(tensor):
    return tensor.data_ptr()


def strides(tensor):
    return tensor.stride()


def is_contiguous(tensor):
    return tensor.is_contiguous()


def contiguous(tensor):
    return tensor.clone(memory_format=torch.contiguous_format)


def to_int32(tensor):
    return tensor.to(torch.int32)


def empty(like, shape):
    if like.shape == shape:  # 2 us less
        return torch.empty_like(like, memory_format=torch.contiguous_format)
    return torch.empty(shape, dtype=like.dtype, device=like.device)


def workspace(like, size):
    return torch.empty(size, dtype=torch.uint8, device=like.device)


def stream(tensor):
    return _cuda_stream(tensor.get_device()) if tensor.is_cuda else 0


is_compiling = torch.compiler.is_compiling


def _op(hidden_states: torch.Tensor, w1: torch.Tensor, w2: torch.Tensor, topk_weights: torch.Tensor,
        topk_ids: torch.Tensor, b1: Optional[torch.Tensor], b2: Optional[torch.Tensor], activation: str,
        apply_router_weight_on_input: bool, global_num_experts: int, expert_map: Optional[torch.Tensor],
        three_kernel: bool) -> torch.Tensor:
    return _call.run(_this, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation,
                     apply_router_weight_on_input, global_num_experts, expert_map, three_kernel, None)


def _inplace_op(hidden_states: torch.Tensor, w1: torch.Tensor, w2: torch.Tensor, topk_weights: torch.Tensor,
                topk_ids: torch.Tensor, b1: Optional[torch.Tensor], b2: Optional[torch.Tensor], activation: str,
                apply_router_weight_on_input: bool, global_num_experts: int, expert_map: Optional[torch.Tensor],
                three_kernel: bool) -> None:
    _call.run(_this, hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, apply_router_weight_on_input,
              global_num_experts, expert_map, three_kernel, hidden_states)


fused_experts = torch.library.custom_op("merged_moe_kernel::fused_experts", _op, mutates_args=())
inplace_fused_experts = torch.library.custom_op("merged_moe_kernel::inplace_fused_experts", _inplace_op,
                                                mutates_args=("hidden_states",))


@fused_experts.register_fake
def _(hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, apply_router_weight_on_input,
      global_num_experts, expert_map, three_kernel):
    return hidden_states.new_empty((hidden_states.shape[0], w2.shape[1]))


@inplace_fused_experts.register_fake
def _(hidden_states, w1, w2, topk_weights, topk_ids, b1, b2, activation, apply_router_weight_on_input,
      global_num_experts, expert_map, three_kernel):
    return None

