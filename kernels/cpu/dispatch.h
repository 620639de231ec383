// Run-time values to template arguments. No default in the switches, so a new enumerator is named by the compiler.
#pragma once

#include <type_traits>

#include "kernels/lib/types.h"

namespace moetune::cpu {

template <DType kValue>
using DTypeConstant = std::integral_constant<DType, kValue>;
template <Activation kValue>
using ActivationConstant = std::integral_constant<Activation, kValue>;

/// body(DTypeConstant)
template <class Body>
inline void with_dtype(DType dtype, const Body& body) {
  switch (dtype) {
    case DType::fp16:
      return body(DTypeConstant<DType::fp16>());
    case DType::bf16:
      return body(DTypeConstant<DType::bf16>());
  }
}

/// body(ActivationConstant)
template <class Body>
inline void with_activation(Activation activation, const Body& body) {
  switch (activation) {
    case Activation::silu:
      return body(ActivationConstant<Activation::silu>());
    case Activation::gelu:
      return body(ActivationConstant<Activation::gelu>());
    case Activation::gelu_tanh:
      return body(ActivationConstant<Activation::gelu_tanh>());
    case Activation::swigluoai:
      return body(ActivationConstant<Activation::swigluoai>());
  }
}

}  // namespace moetune::cpu
