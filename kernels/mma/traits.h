// The portable engine's config: what it costs and what is legal. One formula for the host and for NVRTC.
#pragma once

#include "kernels/lib/types.h"

namespace moetune::mma {

/// block_n counts rows of the weight matrix, so accumulators: a gated tile holds block_n/2 gate and block_n/2 up
/// columns and writes block_n/2.
struct Config {
  int block_m, block_n, block_k;
  int group_m;  ///< row tiles that are walked before the next column tile
  int num_warps;
  int num_stages;
};

/// How the warps split a tile.
struct WarpGrid {
  int m = 0, n = 0;  ///< 0 × 0: they cannot
};

constexpr int kMmaM = 16, kMmaN = 8, kMmaK = 16;
constexpr int kElementBytes = 2;

constexpr int num_threads(const Config& c) {
  return 32 * c.num_warps;
}
constexpr int out_columns(const Config& c, Epilogue epilogue) {
  return epilogue == Epilogue::gated ? c.block_n / 2 : c.block_n;
}

/// The split with the least shared-memory traffic: each warp reads (m + n)·k for m·n·k multiply-adds. A warp's part is
/// a multiple of 16 rows by 16 weight rows (one ldmatrix.x4 each).
constexpr WarpGrid warp_grid(const Config& c) {
  WarpGrid best;
  int least = 0;
  for (int m = 1; m <= c.num_warps; m *= 2) {
    const int n = c.num_warps / m;
    if (m * n != c.num_warps || c.block_m % (m * kMmaM) != 0 || c.block_n % (n * 2 * kMmaN) != 0) continue;
    const int traffic = c.block_m / m + c.block_n / n;
    if (best.m == 0 || traffic < least) {
      best = {m, n};
      least = traffic;
    }
  }
  return best;
}

/// Shares of a tile that is all slots of a token, one each, so that the block sums them up; 0 where it cannot be: an
/// instruction's eight columns are of one slot, and its rows hold them all. Shares that are over stay empty: their
/// weights are not read.
constexpr int shares_of(const Config& c, long long slots) {
  if (slots < 1 || slots > kMmaM) return 0;
  for (int shares = static_cast<int>(slots); shares * kMmaN <= c.block_n; shares++)
    if (c.block_n % (shares * kMmaN) == 0) return shares;
  return 0;
}
constexpr bool can_sum(const Config& c, long long slots) {
  return shares_of(c, slots) > 0;
}

constexpr int stage_bytes(const Config& c) {
  return (c.block_m + c.block_n) * c.block_k * kElementBytes;
}

/// Dynamic shared memory: the stages.
constexpr int smem_bytes(const Config& c) {
  return c.num_stages * stage_bytes(c);
}

/// Registers that hold accumulators and two sets of fragments, per thread.
constexpr int fragment_registers(const Config& c) {
  const WarpGrid grid = warp_grid(c);
  const int m = c.block_m / grid.m, n = c.block_n / grid.n;
  return m * n / 32 + 2 * (m / kMmaM * 4 + n / kMmaN * 2);
}

constexpr bool is_power_of_two(int value) {
  return value > 0 && (value & (value - 1)) == 0;
}

/// Why the kernel cannot be built with this config, or null. The device's limits are the host's to check.
constexpr const char* why_invalid(const Config& c) {
  if (c.block_m < 16 || c.block_m > 256 || !is_power_of_two(c.block_m))
    return "BLOCK_SIZE_M is not a power of two from 16 to 256";
  if (c.block_n < 16 || c.block_n > 256 || c.block_n % 16 != 0)
    return "BLOCK_SIZE_N is not a multiple of 16 from 16 to 256";
  if (c.block_k < 32 || c.block_k > 256 || !is_power_of_two(c.block_k))
    return "BLOCK_SIZE_K is not a power of two from 32 to 256";
  if (c.group_m < 1) return "GROUP_SIZE_M is below 1";
  if (c.num_warps > 16 || !is_power_of_two(c.num_warps)) return "num_warps is not a power of two up to 16";
  if (c.num_stages < 2 || c.num_stages > 16) return "num_stages is not from 2 to 16";
  if (warp_grid(c).m == 0) return "the tile does not split into 16x16 parts for num_warps";
  if (num_threads(c) % c.block_k != 0)
    return "num_warps is too small for BLOCK_SIZE_K: the threads do not copy 8 rows at once";
  if (fragment_registers(c) > 216) return "accumulators and fragments need more than the registers of a thread";
  return nullptr;
}

}  // namespace moetune::mma
