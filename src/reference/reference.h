#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/inputs.h"
#include "problem/problem.h"
#include "reference/verdict.h"

namespace moetune {

/// Output rows computed on the host in fp64 with formulas of its own, rounding to the problem's dtype exactly where the
/// implementation rounds (cache2 and cache3 always; cache1 for three_kernel only).
struct ReferenceRows {
  std::vector<std::int64_t> tokens;  ///< which rows of the output, ascending
  std::vector<double> values;        ///< [tokens.size(), N2]
  std::int64_t experts_checked = 0;
  std::int64_t experts_hit = 0;
  bool group_ends_checked = false;
};

/// The tokens to check: all of them where their reference costs at most `mac_budget` multiply-adds, else a sample that
/// takes the first and last slot of every expert's group (in slot order) as far as the budget goes, every expert first,
/// then random tokens; besides the first and the last token that chose no expert here. Deterministic in (problem,
/// routing, seed).
std::vector<std::int64_t> choose_tokens(const Problem& problem, const Routing& routing, std::uint64_t seed,
                                        double mac_budget);

/// Computes these rows; inputs are generated on the fly from `data`. Threads: all hardware threads.
/// The double result is before the last rounding to the dtype, except for exact_integer data, where it is after it.
ReferenceRows compute_reference(const Problem& problem, Impl impl, const Routing& routing, const DataSpec& data,
                                std::vector<std::int64_t> tokens);

/// What a device reports of its whole output buffer.
struct OutputScan {
  std::uint64_t hash = 0;      ///< of all bits; equal hashes mean a bitwise equal output
  std::int64_t nonfinite = 0;  ///< poison not counted
  std::int64_t unwritten = 0;  ///< elements that still hold the poison pattern
};

/// The bit pattern that outputs are filled with before a run: a NaN that no computation returns.
inline constexpr std::uint16_t kPoison = 0xFFFF;

/// Compares `rows` ([reference.tokens.size(), N2], the device's output widened to float) with the reference.
/// Written so that NaN fails. `first` and `second` are the scans of two runs on the same inputs. Without `must_repeat`
/// these may differ in bits, as sums in no fixed order do, which also round with each of topk additions: integer data
/// is then held to the tolerance of other data, and that is wider.
Verdict judge(const Problem& problem, const DataSpec& data, const ReferenceRows& reference, std::span<const float> rows,
              const OutputScan& first, const OutputScan& second, bool must_repeat = true);

}  // namespace moetune
