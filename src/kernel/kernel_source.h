#pragma once

#include <string>
#include <vector>

namespace moetune {

/// A device kernel to compile: everything that decides its machine code, but for architecture and compiler.
struct KernelSource {
  std::string path;                  ///< of the embedded source, "kernels/mma/kernel.cu"
  std::vector<std::string> defines;  ///< "BLOCK_SIZE_M=64"

  auto operator<=>(const KernelSource&) const = default;
};

/// The boxes that a kernel copies as tensors (TensorGemmArguments), in elements.
struct TensorBoxes {
  int depth = 0;                          ///< of K
  int rows = 0;                           ///< of weights
  int halves = 0;                         ///< gated: gate, or gate and up
  int groups = 0;                         ///< gated: of 8 rows; 0 where rows are not grouped
  int tokens = 0;                         ///< rows of cache2
  int store_columns = 0, store_rows = 0;  ///< of the output; 0 where it is not stored in boxes
};

/// The second GEMM of a kernel of both.
struct SecondGemm {
  int columns = 0;        ///< output columns of a tile; 0: there is none
  int rows_expected = 0;  ///< GemmArguments::rows_expected
  TensorBoxes boxes{};
};

/// A grouped GEMM's kernel with its launch shape.
struct KernelPlan {
  KernelSource source;
  std::string entry;  ///< its extern "C" name
  int threads = 0;
  int shared_bytes = 0;
  int block_m = 0;               ///< rows of a tile-table entry
  int columns = 0;               ///< output columns of a tile
  int group_m = 1;               ///< row tiles walked before the next column tile
  int cluster = 1;               ///< blocks that take one tile-table entry together
  int split_k = 1;               ///< blocks that share a tile by dividing K
  int part_counters = 0;         ///< split_k: counters of a tile
  long long partial_bytes = 0;   ///< split_k: in which the parts of a tile's sum meet
  int blocks_per_sm = 0;         ///< persistent blocks, which walk the tiles; 0: a block for each tile
  bool row_order = false;        ///< second GEMM: writes rows in expert-sorted order, else by slot
  bool fuses_combine = false;    ///< second GEMM: sums over topk too, counting arrivals
  bool adds_rows = false;        ///< second GEMM: sums over topk too, adding rows to zeros
  int summed_slots = 0;          ///< second GEMM: a tile is so many slots, those of a token, and sums them up
  bool permutes_tokens = false;  ///< first GEMM: takes them in row order, so that moe_permute comes before
  SecondGemm second{};           ///< the kernel takes BothGemmsArguments
  TensorBoxes boxes{};           ///< depth 0: the kernel takes GemmArguments, else TensorGemmArguments

  /// Second GEMM: no moe_sum follows.
  bool sums_over_topk() const { return fuses_combine || adds_rows || summed_slots > 0; }
};

}  // namespace moetune
