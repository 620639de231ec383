// The Hopper engines' config: what it costs and what is legal. One formula for the host and for NVRTC.
#pragma once

#include "kernels/lib/types.h"

namespace moetune::wgmma {

/// Both engines are one kernel. `wgmma` multiplies 64 tokens by block_n weight rows; with swap_ab 64 weight rows by
/// block_m tokens, so that few tokens do not leave most of an instruction empty.
struct Config {
  bool swap_ab;
  int block_m;  ///< tokens in a tile
  int block_n;  ///< weight rows in a tile; gated: half gate, half up
  int block_k;  ///< depth of a stage
  int group_m;  ///< row tiles that are walked before the next column tile
  int num_stages;
  int num_consumers;    ///< warpgroups that multiply; a further one copies
  int cluster_m;        ///< blocks that share weights: row tiles of one expert
  int blocks_per_sm;    ///< resident blocks that registers are divided for
  bool evict_first;     ///< weights leave the L2 first
  bool dynamic;         ///< blocks take tiles from a common counter as they get done; else in a fixed order
  int fuse_combine;     ///< final: 0, or how this kernel sums up over topk: kSumsByLast, kSumsByAdding
  bool permute_tokens;  ///< first GEMM: tokens are boxes of a copy in expert order (moe_permute); else gathered by row
  int split_k;          ///< parts of K that a tile's sum is divided into, where tiles are few
};

/// Values of Config::fuse_combine other than 0. Whoever stores a token's last row sums up its rows; each row is added
/// to its token's sum as it gets done, in the output's type and in whatever order that is.
constexpr int kSumsByLast = 1, kSumsByAdding = 2;

constexpr int kWarpgroup = 128;
constexpr int kPanel = 64;  ///< elements in a swizzled 128-byte row
constexpr int kElementBytes = 2;
constexpr int kRegistersPerSm = 65536;

constexpr int num_threads(const Config& c) {
  return kWarpgroup * (c.num_consumers + 1);
}
constexpr int out_columns(const Config& c, Epilogue epilogue) {
  return epilogue == Epilogue::gated ? c.block_n / 2 : c.block_n;
}
/// Rows of a tile-table entry: the cluster's blocks take block_m each.
constexpr int table_block_m(const Config& c) {
  return c.block_m * c.cluster_m;
}

constexpr int stage_bytes(const Config& c) {
  return (c.block_m + c.block_n) * c.block_k * kElementBytes;
}
/// Rows of a box of tokens: a tile takes as many boxes as it has rows for.
constexpr int token_box_rows(const Config& c) {
  if (!c.swap_ab) return 64;
  return c.block_m % 32 == 0 ? 32 : c.block_m % 16 == 0 ? 16 : 8;
}
/// 64-row parts of the instruction's first operand that one consumer multiplies.
constexpr int parts(const Config& c) {
  return (c.swap_ab ? c.block_n : c.block_m) / 64 / c.num_consumers;
}
/// Whether tiles go out through shared memory (kernels/wgmma/store.cuh).
constexpr int kStoreTokens = 32;    ///< swapped: tokens that go out at once …
constexpr int kMostUnstaged = 112;  ///< … and the most of other numbers, which go straight from the registers
constexpr bool stages_output(const Config& c) {
  return !c.swap_ab || c.block_m % kStoreTokens == 0;
}
/// Columns of a consumer, and of the swizzled panels they are stored in.
constexpr int store_columns(const Config& c, Epilogue epilogue) {
  return out_columns(c, epilogue) / (c.swap_ab ? c.num_consumers : 1);
}
constexpr int store_panel(const Config& c, Epilogue epilogue) {
  return store_columns(c, epilogue) % kPanel == 0 ? kPanel : kPanel / 2;
}
/// Of a panel.
constexpr int store_rows(const Config& c) {
  return c.swap_ab ? kStoreTokens : 64;
}
/// Of a consumer: two buffers of a panel each. With all columns of its tokens in a buffer instead, tiles of 160 x 256
/// would have room for 3 stages in place of 4 where they store as many columns as they multiply.
constexpr int store_bytes(const Config& c, Epilogue epilogue) {
  return stages_output(c) ? 2 * store_rows(c) * store_panel(c, epilogue) * kElementBytes : 0;
}

/// Tiles that are on their way from the thread that fetches their numbers to all others.
constexpr int kTileSlots = 4;

/// Dynamic shared memory: the stages, the consumers' store buffers, two barriers for each stage and tile slot, the
/// slots, the consumers' counts of stored tiles.
constexpr int smem_bytes(const Config& c, int store_bytes_of_consumer) {
  return c.num_stages * stage_bytes(c) + c.num_consumers * store_bytes_of_consumer + 16 * (c.num_stages + kTileSlots) +
         4 * kTileSlots + 4 * c.num_consumers;
}

constexpr int smem_bytes(const Config& c, Epilogue epilogue) {
  return smem_bytes(c, store_bytes(c, epilogue));
}
/// The same for a kernel of both GEMMs (kernels/wgmma/both.cu).
constexpr int store_bytes_of_both(const Config& c) {
  const int gate = store_bytes(c, Epilogue::gated), final = store_bytes(c, Epilogue::final);
  return gate > final ? gate : final;
}

/// Bytes in which the parts of a tile's sum meet (kernels/wgmma/split.cuh).
constexpr long long partial_bytes(const Config& c) {
  return c.split_k > 1 ? 4ll * c.block_m * c.block_n * c.split_k : 0;
}

/// Columns of one instruction.
constexpr int instruction_n(const Config& c) {
  return c.swap_ab ? c.block_m : c.block_n;
}
constexpr int accumulators(const Config& c) {
  return parts(c) * instruction_n(c) / 2;
}

/// Which GEMMs a kernel computes.
enum class Gemms { first, second, both };
constexpr Gemms gemms_of(Epilogue epilogue) {
  return epilogue == Epilogue::final ? Gemms::second : Gemms::first;
}

/// Registers of a thread at launch: a multiple of 8.
constexpr int launch_registers(const Config& c) {
  const int most = kRegistersPerSm / (num_threads(c) * c.blocks_per_sm) / 8 * 8;
  return most < 248 ? most : 248;
}
/// What the producers keep. Gathering rows takes registers, the more the more rows; boxes are copied by one thread.
/// Summing up tokens or serving both GEMMs takes more.
constexpr int producer_registers(const Config& c, Gemms gemms) {
  if (c.fuse_combine == kSumsByLast || gemms == Gemms::both) return 96;
  if (gemms == Gemms::second || c.permute_tokens) return 40;
  return c.block_m > 160 ? 104 : 72;
}
/// What the consumers have when the producers have given up theirs.
constexpr int consumer_registers(const Config& c, Gemms gemms) {
  const int pool = launch_registers(c) * (c.num_consumers + 1);
  const int most = (pool - producer_registers(c, gemms)) / c.num_consumers / 8 * 8;
  return most < 240 ? most : 240;
}
/// What a consumer needs besides its accumulators: with less most configs spill, over the search spaces; and what it
/// takes where it is given more.
constexpr int other_registers(const Config& c, Gemms gemms) {
  return !c.swap_ab ? 72 : gemms == Gemms::both ? 48 : 40;
}
constexpr int comfortable_registers(const Config& c) {
  return c.swap_ab ? 40 + c.block_m / 8 : 72;
}
/// Whether registers move from the producers to the consumers.
constexpr bool moves_registers(const Config& c, Gemms gemms) {
  const int launch = launch_registers(c);
  return launch < accumulators(c) + comfortable_registers(c) && producer_registers(c, gemms) < launch &&
         launch < consumer_registers(c, gemms);
}

/// Why a kernel of these GEMMs cannot be built with this config, or null. The device's limits are the host's to check.
constexpr const char* why_invalid(const Config& c, Gemms gemms) {
  if (c.group_m < 1) return "GROUP_SIZE_M is below 1";
  if (c.block_k != 64 && c.block_k != 128 && c.block_k != 256) return "BLOCK_SIZE_K is not 64, 128 or 256";
  if (c.num_stages < 2 || c.num_stages > 32) return "num_stages is not from 2 to 32";
  if (c.num_consumers < 1 || c.num_consumers > 3) return "num_consumers is not from 1 to 3";
  if (c.cluster_m < 1 || c.cluster_m > 2) return "CLUSTER_SIZE_M is not 1 or 2";
  if (c.blocks_per_sm < 1 || c.blocks_per_sm > 8) return "blocks_per_sm is not from 1 to 8";
  if (c.split_k < 1 || c.split_k > 16) return "SPLIT_K is not from 1 to 16";
  if (c.block_n < 64 || c.block_n > 256 || c.block_n % 64 != 0)
    return "BLOCK_SIZE_N is not a multiple of 64 from 64 to 256";
  if (c.swap_ab) {
    const int step = c.block_m <= 8 ? 8 : c.block_m <= kMostUnstaged ? 16 : kStoreTokens;
    if (c.block_m < 8 || c.block_m > 256 || c.block_m % step != 0)
      return "BLOCK_SIZE_M is not 8, a multiple of 16 up to 112 or a multiple of 32 up to 256";
    if (c.block_n % (64 * c.num_consumers) != 0) return "BLOCK_SIZE_N does not divide into 64 rows for each consumer";
  } else {
    if (c.block_m < 64 || c.block_m > 256 || c.block_m % (64 * c.num_consumers) != 0)
      return "BLOCK_SIZE_M does not divide into 64 rows for each consumer, 256 at most";
  }
  if (c.evict_first && c.cluster_m > 1) return "evict_first does not go with clusters, whose copies carry no such hint";
  if (c.split_k > 1 && c.fuse_combine == kSumsByLast) return "SPLIT_K does not go with fuse_combine=1";
  if (c.split_k > 1 && c.cluster_m > 1) return "SPLIT_K does not go with clusters";
  if (c.permute_tokens && c.block_m < 64) return "permute_tokens is for tiles of 64 tokens or more";
  if (c.permute_tokens && gemms == Gemms::second)
    return "permute_tokens is for the first GEMM: the second's tokens are in order";
  if (gemms == Gemms::both) {
    if (c.permute_tokens) return "one kernel of both GEMMs gathers its tokens: permute_tokens has to be 0";
    if (c.cluster_m > 1) return "one kernel of both GEMMs has no clusters: CLUSTER_SIZE_M has to be 1";
    if (c.split_k > 1) return "one kernel of both GEMMs does not split K: SPLIT_K has to be 1";
    if (c.dynamic) return "one kernel of both GEMMs has a fixed order: dynamic has to be 0";
    if (c.fuse_combine) return "one kernel of both GEMMs leaves the sum to moe_sum: fuse_combine has to be 0";
  }
  if (launch_registers(c) < 64) return "blocks_per_sm leaves a thread fewer than 64 registers";
  const int most = moves_registers(c, gemms) ? consumer_registers(c, gemms) : launch_registers(c);
  if (accumulators(c) + other_registers(c, gemms) > most)
    return "the accumulators need more than the registers of a thread";
  // The compiler takes the registers at launch for all that an instruction can have.
  if (instruction_n(c) / 2 + 32 > launch_registers(c))
    return "an instruction needs more registers than a thread is launched with";
  return nullptr;
}

}  // namespace moetune::wgmma
