// wgmma (sm_90a): D[64, N] (+)= A[64, 16]·B[N, 16]ᵀ by a warpgroup, A and B in shared memory, fp32 accumulators. N is a
// multiple of 8 from 8 to 256.
//
// Thread t of the warpgroup holds d[4j + 2h + i] = D[16·(t / 32) + t % 32 / 4 + 8h][8j + 2·(t % 4) + i].
#pragma once

#include "kernels/lib/types.h"

namespace moetune::ptx {

/// The descriptor of an operand with K in 128-byte rows, swizzled over groups of 8 rows. `shared` is aligned to 1024
/// bytes, plus 32 per k16 step. (PTX ISA, "Matrix descriptor": address / 16; leading offset unused; 1024 bytes from a
/// group of rows to the next; layout 1 is the 128-byte swizzle.)
__device__ __forceinline__ unsigned long long matrix_descriptor(unsigned shared) {
  constexpr unsigned long long kFixed = (1ull << 62) | (64ull << 32) | (1ull << 16);
  return kFixed | ((shared & 0x3ffff) >> 4);
}

/// Before the first wgmma that uses registers which other instructions have touched.
__device__ __forceinline__ void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}
__device__ __forceinline__ void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}
/// Waits until at most `Pending` groups are under way.
template <int Pending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(Pending) : "memory");
}

// clang-format off
// For each N: the accumulators' names in the instruction, the operands A, B and scale-d after them, and the list of
// accumulators.
#define WGMMA_NAMES_8 "%0,%1,%2,%3"
#define WGMMA_NAMES_16 WGMMA_NAMES_8 ",%4,%5,%6,%7"
#define WGMMA_NAMES_24 WGMMA_NAMES_16 ",%8,%9,%10,%11"
#define WGMMA_NAMES_32 WGMMA_NAMES_24 ",%12,%13,%14,%15"
#define WGMMA_NAMES_40 WGMMA_NAMES_32 ",%16,%17,%18,%19"
#define WGMMA_NAMES_48 WGMMA_NAMES_40 ",%20,%21,%22,%23"
#define WGMMA_NAMES_56 WGMMA_NAMES_48 ",%24,%25,%26,%27"
#define WGMMA_NAMES_64 WGMMA_NAMES_56 ",%28,%29,%30,%31"
#define WGMMA_NAMES_72 WGMMA_NAMES_64 ",%32,%33,%34,%35"
#define WGMMA_NAMES_80 WGMMA_NAMES_72 ",%36,%37,%38,%39"
#define WGMMA_NAMES_88 WGMMA_NAMES_80 ",%40,%41,%42,%43"
#define WGMMA_NAMES_96 WGMMA_NAMES_88 ",%44,%45,%46,%47"
#define WGMMA_NAMES_104 WGMMA_NAMES_96 ",%48,%49,%50,%51"
#define WGMMA_NAMES_112 WGMMA_NAMES_104 ",%52,%53,%54,%55"
#define WGMMA_NAMES_120 WGMMA_NAMES_112 ",%56,%57,%58,%59"
#define WGMMA_NAMES_128 WGMMA_NAMES_120 ",%60,%61,%62,%63"
#define WGMMA_NAMES_136 WGMMA_NAMES_128 ",%64,%65,%66,%67"
#define WGMMA_NAMES_144 WGMMA_NAMES_136 ",%68,%69,%70,%71"
#define WGMMA_NAMES_152 WGMMA_NAMES_144 ",%72,%73,%74,%75"
#define WGMMA_NAMES_160 WGMMA_NAMES_152 ",%76,%77,%78,%79"
#define WGMMA_NAMES_168 WGMMA_NAMES_160 ",%80,%81,%82,%83"
#define WGMMA_NAMES_176 WGMMA_NAMES_168 ",%84,%85,%86,%87"
#define WGMMA_NAMES_184 WGMMA_NAMES_176 ",%88,%89,%90,%91"
#define WGMMA_NAMES_192 WGMMA_NAMES_184 ",%92,%93,%94,%95"
#define WGMMA_NAMES_200 WGMMA_NAMES_192 ",%96,%97,%98,%99"
#define WGMMA_NAMES_208 WGMMA_NAMES_200 ",%100,%101,%102,%103"
#define WGMMA_NAMES_216 WGMMA_NAMES_208 ",%104,%105,%106,%107"
#define WGMMA_NAMES_224 WGMMA_NAMES_216 ",%108,%109,%110,%111"
#define WGMMA_NAMES_232 WGMMA_NAMES_224 ",%112,%113,%114,%115"
#define WGMMA_NAMES_240 WGMMA_NAMES_232 ",%116,%117,%118,%119"
#define WGMMA_NAMES_248 WGMMA_NAMES_240 ",%120,%121,%122,%123"
#define WGMMA_NAMES_256 WGMMA_NAMES_248 ",%124,%125,%126,%127"
#define WGMMA_A_8 "%4"
#define WGMMA_B_8 "%5"
#define WGMMA_SCALE_8 "%6"
#define WGMMA_A_16 "%8"
#define WGMMA_B_16 "%9"
#define WGMMA_SCALE_16 "%10"
#define WGMMA_A_24 "%12"
#define WGMMA_B_24 "%13"
#define WGMMA_SCALE_24 "%14"
#define WGMMA_A_32 "%16"
#define WGMMA_B_32 "%17"
#define WGMMA_SCALE_32 "%18"
#define WGMMA_A_40 "%20"
#define WGMMA_B_40 "%21"
#define WGMMA_SCALE_40 "%22"
#define WGMMA_A_48 "%24"
#define WGMMA_B_48 "%25"
#define WGMMA_SCALE_48 "%26"
#define WGMMA_A_56 "%28"
#define WGMMA_B_56 "%29"
#define WGMMA_SCALE_56 "%30"
#define WGMMA_A_64 "%32"
#define WGMMA_B_64 "%33"
#define WGMMA_SCALE_64 "%34"
#define WGMMA_A_72 "%36"
#define WGMMA_B_72 "%37"
#define WGMMA_SCALE_72 "%38"
#define WGMMA_A_80 "%40"
#define WGMMA_B_80 "%41"
#define WGMMA_SCALE_80 "%42"
#define WGMMA_A_88 "%44"
#define WGMMA_B_88 "%45"
#define WGMMA_SCALE_88 "%46"
#define WGMMA_A_96 "%48"
#define WGMMA_B_96 "%49"
#define WGMMA_SCALE_96 "%50"
#define WGMMA_A_104 "%52"
#define WGMMA_B_104 "%53"
#define WGMMA_SCALE_104 "%54"
#define WGMMA_A_112 "%56"
#define WGMMA_B_112 "%57"
#define WGMMA_SCALE_112 "%58"
#define WGMMA_A_120 "%60"
#define WGMMA_B_120 "%61"
#define WGMMA_SCALE_120 "%62"
#define WGMMA_A_128 "%64"
#define WGMMA_B_128 "%65"
#define WGMMA_SCALE_128 "%66"
#define WGMMA_A_136 "%68"
#define WGMMA_B_136 "%69"
#define WGMMA_SCALE_136 "%70"
#define WGMMA_A_144 "%72"
#define WGMMA_B_144 "%73"
#define WGMMA_SCALE_144 "%74"
#define WGMMA_A_152 "%76"
#define WGMMA_B_152 "%77"
#define WGMMA_SCALE_152 "%78"
#define WGMMA_A_160 "%80"
#define WGMMA_B_160 "%81"
#define WGMMA_SCALE_160 "%82"
#define WGMMA_A_168 "%84"
#define WGMMA_B_168 "%85"
#define WGMMA_SCALE_168 "%86"
#define WGMMA_A_176 "%88"
#define WGMMA_B_176 "%89"
#define WGMMA_SCALE_176 "%90"
#define WGMMA_A_184 "%92"
#define WGMMA_B_184 "%93"
#define WGMMA_SCALE_184 "%94"
#define WGMMA_A_192 "%96"
#define WGMMA_B_192 "%97"
#define WGMMA_SCALE_192 "%98"
#define WGMMA_A_200 "%100"
#define WGMMA_B_200 "%101"
#define WGMMA_SCALE_200 "%102"
#define WGMMA_A_208 "%104"
#define WGMMA_B_208 "%105"
#define WGMMA_SCALE_208 "%106"
#define WGMMA_A_216 "%108"
#define WGMMA_B_216 "%109"
#define WGMMA_SCALE_216 "%110"
#define WGMMA_A_224 "%112"
#define WGMMA_B_224 "%113"
#define WGMMA_SCALE_224 "%114"
#define WGMMA_A_232 "%116"
#define WGMMA_B_232 "%117"
#define WGMMA_SCALE_232 "%118"
#define WGMMA_A_240 "%120"
#define WGMMA_B_240 "%121"
#define WGMMA_SCALE_240 "%122"
#define WGMMA_A_248 "%124"
#define WGMMA_B_248 "%125"
#define WGMMA_SCALE_248 "%126"
#define WGMMA_A_256 "%128"
#define WGMMA_B_256 "%129"
#define WGMMA_SCALE_256 "%130"
#define WGMMA_LIST_8(d) "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
#define WGMMA_LIST_16(d) WGMMA_LIST_8(d), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
#define WGMMA_LIST_24(d) WGMMA_LIST_16(d), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11])
#define WGMMA_LIST_32(d) WGMMA_LIST_24(d), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
#define WGMMA_LIST_40(d) WGMMA_LIST_32(d), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19])
#define WGMMA_LIST_48(d) WGMMA_LIST_40(d), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23])
#define WGMMA_LIST_56(d) WGMMA_LIST_48(d), "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27])
#define WGMMA_LIST_64(d) WGMMA_LIST_56(d), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
#define WGMMA_LIST_72(d) WGMMA_LIST_64(d), "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35])
#define WGMMA_LIST_80(d) WGMMA_LIST_72(d), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39])
#define WGMMA_LIST_88(d) WGMMA_LIST_80(d), "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43])
#define WGMMA_LIST_96(d) WGMMA_LIST_88(d), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
#define WGMMA_LIST_104(d) WGMMA_LIST_96(d), "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51])
#define WGMMA_LIST_112(d) WGMMA_LIST_104(d), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55])
#define WGMMA_LIST_120(d) WGMMA_LIST_112(d), "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59])
#define WGMMA_LIST_128(d) WGMMA_LIST_120(d), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
#define WGMMA_LIST_136(d) WGMMA_LIST_128(d), "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67])
#define WGMMA_LIST_144(d) WGMMA_LIST_136(d), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71])
#define WGMMA_LIST_152(d) WGMMA_LIST_144(d), "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75])
#define WGMMA_LIST_160(d) WGMMA_LIST_152(d), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79])
#define WGMMA_LIST_168(d) WGMMA_LIST_160(d), "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83])
#define WGMMA_LIST_176(d) WGMMA_LIST_168(d), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87])
#define WGMMA_LIST_184(d) WGMMA_LIST_176(d), "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91])
#define WGMMA_LIST_192(d) WGMMA_LIST_184(d), "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
#define WGMMA_LIST_200(d) WGMMA_LIST_192(d), "+f"(d[96]), "+f"(d[97]), "+f"(d[98]), "+f"(d[99])
#define WGMMA_LIST_208(d) WGMMA_LIST_200(d), "+f"(d[100]), "+f"(d[101]), "+f"(d[102]), "+f"(d[103])
#define WGMMA_LIST_216(d) WGMMA_LIST_208(d), "+f"(d[104]), "+f"(d[105]), "+f"(d[106]), "+f"(d[107])
#define WGMMA_LIST_224(d) WGMMA_LIST_216(d), "+f"(d[108]), "+f"(d[109]), "+f"(d[110]), "+f"(d[111])
#define WGMMA_LIST_232(d) WGMMA_LIST_224(d), "+f"(d[112]), "+f"(d[113]), "+f"(d[114]), "+f"(d[115])
#define WGMMA_LIST_240(d) WGMMA_LIST_232(d), "+f"(d[116]), "+f"(d[117]), "+f"(d[118]), "+f"(d[119])
#define WGMMA_LIST_248(d) WGMMA_LIST_240(d), "+f"(d[120]), "+f"(d[121]), "+f"(d[122]), "+f"(d[123])
#define WGMMA_LIST_256(d) WGMMA_LIST_248(d), "+f"(d[124]), "+f"(d[125]), "+f"(d[126]), "+f"(d[127])
#define WGMMA(n, type)                                                                       \
  asm volatile(                                                                              \
      "{\n"                                                                                  \
      ".reg .pred p;\n"                                                                      \
      "setp.ne.b32 p, " WGMMA_SCALE_##n ", 0;\n"                                             \
      "wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." type "." type " {" WGMMA_NAMES_##n   \
      "}, " WGMMA_A_##n ", " WGMMA_B_##n ", p, 1, 1, 0, 0;\n"                                \
      "}"                                                                                    \
      : WGMMA_LIST_##n(d)                                                                    \
      : "l"(a), "l"(b), "r"(accumulate))
#define WGMMA_SHAPE(n)                                                                                            \
  template <>                                                                                                     \
  struct Wgmma<n> {                                                                                               \
    template <DType Type>                                                                                         \
    static __device__ __forceinline__ void step(float* d, unsigned long long a, unsigned long long b, int accumulate) { \
      if constexpr (Type == DType::bf16) WGMMA(n, "bf16"); else WGMMA(n, "f16");                                  \
    }                                                                                                             \
  };

/// step<Type>(d, a, b, accumulate): one k16 step on N/2 accumulators. `accumulate` 0: D is overwritten.
template <int N>
struct Wgmma;
WGMMA_SHAPE(8) WGMMA_SHAPE(16) WGMMA_SHAPE(24) WGMMA_SHAPE(32) WGMMA_SHAPE(40) WGMMA_SHAPE(48) WGMMA_SHAPE(56)
WGMMA_SHAPE(64) WGMMA_SHAPE(72) WGMMA_SHAPE(80) WGMMA_SHAPE(88) WGMMA_SHAPE(96) WGMMA_SHAPE(104) WGMMA_SHAPE(112)
WGMMA_SHAPE(120) WGMMA_SHAPE(128) WGMMA_SHAPE(136) WGMMA_SHAPE(144) WGMMA_SHAPE(152) WGMMA_SHAPE(160) WGMMA_SHAPE(168)
WGMMA_SHAPE(176) WGMMA_SHAPE(184) WGMMA_SHAPE(192) WGMMA_SHAPE(200) WGMMA_SHAPE(208) WGMMA_SHAPE(216) WGMMA_SHAPE(224)
WGMMA_SHAPE(232) WGMMA_SHAPE(240) WGMMA_SHAPE(248) WGMMA_SHAPE(256)
// clang-format on

}  // namespace moetune::ptx
