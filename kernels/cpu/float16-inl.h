// 16-bit floats to fp32 vectors and back. Included once per instruction set.
#if defined(MOETUNE_KERNELS_CPU_FLOAT16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef MOETUNE_KERNELS_CPU_FLOAT16_INL_H_
#undef MOETUNE_KERNELS_CPU_FLOAT16_INL_H_
#else
#define MOETUNE_KERNELS_CPU_FLOAT16_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "kernels/lib/types.h"

// Highway converts fp16 with the hardware's instruction from AVX2 (F16C) and NEON on. Its emulation below that treats
// infinities as numbers, so those targets take the integer path.
#undef MOETUNE_HARDWARE_FP16
#if HWY_TARGET <= HWY_AVX2 || HWY_ARCH_ARM_A64
#define MOETUNE_HARDWARE_FP16 1
#else
#define MOETUNE_HARDWARE_FP16 0
#endif

HWY_BEFORE_NAMESPACE();
namespace moetune::cpu {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// fp32 lanes from the 16-bit floats in the lower halves of `bits`; the upper halves are zero.
template <DType kDType, class DF, class VU = hn::Vec<hn::RebindToUnsigned<DF>>>
HWY_INLINE hn::Vec<DF> widen_bits(DF df, VU bits) {
  if constexpr (kDType == DType::bf16) {
    return hn::BitCast(df, hn::ShiftLeft<16>(bits));
  } else {
#if MOETUNE_HARDWARE_FP16
    const hn::Rebind<std::uint16_t, DF> du16;
    const hn::Rebind<hwy::float16_t, DF> df16;
    return hn::PromoteTo(df, hn::BitCast(df16, hn::TruncateTo(du16, bits)));
#else
    const hn::RebindToUnsigned<DF> du;
    // Moved into fp32's place, the bits read 2^-112 of their value, subnormals included; exponent 31 means Inf or NaN.
    const auto magnitude = hn::And(bits, hn::Set(du, 0x7fffu));
    const auto sign = hn::ShiftLeft<16>(hn::Xor(bits, magnitude));
    const auto scaled = hn::Mul(hn::BitCast(df, hn::ShiftLeft<13>(magnitude)), hn::Set(df, 0x1p112f));
    const auto special =
        hn::IfThenElseZero(hn::Ge(scaled, hn::Set(df, 65536.0f)), hn::BitCast(df, hn::Set(du, 0x7f800000u)));
    return hn::Or(hn::Or(scaled, special), hn::BitCast(df, sign));
#endif
  }
}

/// The first and the second of the 16-bit floats that each 32-bit lane holds.
template <DType kDType, class DF, class VU = hn::Vec<hn::RebindToUnsigned<DF>>>
HWY_INLINE hn::Vec<DF> widen_even(DF df, VU pairs) {
  if constexpr (kDType == DType::bf16) return hn::BitCast(df, hn::ShiftLeft<16>(pairs));
  const hn::RebindToUnsigned<DF> du;
  return widen_bits<kDType>(df, hn::And(pairs, hn::Set(du, 0xffffu)));
}
template <DType kDType, class DF, class VU = hn::Vec<hn::RebindToUnsigned<DF>>>
HWY_INLINE hn::Vec<DF> widen_odd(DF df, VU pairs) {
  const hn::RebindToUnsigned<DF> du;
  if constexpr (kDType == DType::bf16) return hn::BitCast(df, hn::And(pairs, hn::Set(du, 0xffff0000u)));
  return widen_bits<kDType>(df, hn::ShiftRight<16>(pairs));
}

/// Lanes(df) consecutive 16-bit floats, widened.
template <DType kDType, class DF>
HWY_INLINE hn::Vec<DF> load_wide(DF df, const std::uint16_t* from) {
  const hn::Rebind<std::uint16_t, DF> du16;
#if MOETUNE_HARDWARE_FP16
  if constexpr (kDType == DType::fp16) {
    const hn::Rebind<hwy::float16_t, DF> df16;
    return hn::PromoteTo(df, hn::BitCast(df16, hn::LoadU(du16, from)));
  }
#endif
  const hn::RebindToUnsigned<DF> du;
  return widen_bits<kDType>(df, hn::PromoteTo(du, hn::LoadU(du16, from)));
}

/// Rounds to nearest even and stores Lanes(df) 16-bit floats, to the bit as kernels/lib/float16.h does.
template <DType kDType, class DF>
HWY_INLINE void store_narrow(DF df, hn::Vec<DF> value, std::uint16_t* to) {
  const hn::RebindToUnsigned<DF> du;
  const hn::Rebind<std::uint16_t, DF> du16;
  const auto bits = hn::BitCast(du, value);
  const auto is_nan = hn::RebindMask(du, hn::IsNaN(value));
  const auto one = hn::Set(du, 1u);
  auto rounded = bits;
  if constexpr (kDType == DType::bf16) {
    const auto high = hn::ShiftRight<16>(bits);
    const auto even = hn::Add(hn::Set(du, 0x7fffu), hn::And(high, one));
    rounded = hn::IfThenElse(is_nan, hn::Or(high, hn::Set(du, 0x40u)), hn::ShiftRight<16>(hn::Add(bits, even)));
  } else {
    const auto magnitude = hn::And(bits, hn::Set(du, 0x7fffffffu));
    const auto sign = hn::ShiftRight<16>(hn::Xor(bits, magnitude));
    const auto even = hn::Add(hn::Set(du, 0xfffu), hn::And(hn::ShiftRight<13>(magnitude), one));
    const auto normal = hn::ShiftRight<13>(hn::Add(hn::Sub(magnitude, hn::Set(du, 0x38000000u)), even));
    const auto aligned = hn::Add(hn::BitCast(df, magnitude), hn::Set(df, 0.5f));
    const auto subnormal = hn::Sub(hn::BitCast(du, aligned), hn::Set(du, 0x3f000000u));
    rounded = hn::IfThenElse(hn::Lt(magnitude, hn::Set(du, 0x38800000u)), subnormal, normal);
    rounded = hn::IfThenElse(hn::Gt(magnitude, hn::Set(du, 0x477fefffu)), hn::Set(du, 0x7c00u), rounded);
    rounded = hn::Or(sign, hn::IfThenElse(is_nan, hn::Set(du, 0x7e00u), rounded));
  }
  hn::StoreU(hn::TruncateTo(du16, rounded), du16, to);
}

/// Calls body(df, i) for i = 0, step, … below `count`, a multiple of 8: whole vectors first, then 8 lanes (or fewer,
/// where vectors are shorter) at a time. Nothing past `count` is touched.
template <class Body>
HWY_INLINE void for_lanes(std::size_t count, const Body& body) {
  const hn::ScalableTag<float> df;
  const hn::CappedTag<float, 8> d8;
  std::size_t i = 0;
  for (; i + hn::Lanes(df) <= count; i += hn::Lanes(df)) body(df, i);
  for (; i < count; i += hn::Lanes(d8)) body(d8, i);
}

}  // namespace HWY_NAMESPACE
}  // namespace moetune::cpu
HWY_AFTER_NAMESPACE();

#endif
