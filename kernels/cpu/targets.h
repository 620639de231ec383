// The instruction sets that the CPU kernels are compiled for; include it before any header of Highway. Each costs
// compile time and binary size, and these four differ where it matters here: SSSE3 (the build's baseline on x86, see
// src/backend/cpu/CMakeLists.txt), AVX2, AVX-512 and NEON. SVE's vectors have no length at compile time, which the
// register blocking needs; its machines run the NEON code.
#pragma once

// Expanded late, inside Highway's own headers, where these names stand for bits. Older releases lack some of them.
#define HWY_DISABLED_TARGETS \
  (HWY_SSE4 | HWY_AVX3_DL | MOETUNE_AVX3_ZEN4 | MOETUNE_AVX3_SPR | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#include <hwy/detect_targets.h>

#ifdef HWY_AVX3_ZEN4
#define MOETUNE_AVX3_ZEN4 HWY_AVX3_ZEN4
#else
#define MOETUNE_AVX3_ZEN4 0
#endif
#ifdef HWY_AVX3_SPR
#define MOETUNE_AVX3_SPR HWY_AVX3_SPR
#else
#define MOETUNE_AVX3_SPR 0
#endif
