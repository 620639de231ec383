#pragma once

#include <cstdint>
#include <string>

namespace moetune {

/// What a comparison with the reference found, and how much of the output it looked at.
struct Verdict {
  bool passed = false;              ///< false until shown otherwise
  std::string reason;               ///< why not, in one line; empty where passed
  double relative_l2 = 0;           ///< ||out - ref|| / ||ref|| over the rows checked
  double worst_row = 0;             ///< the largest such ratio of a single row
  double worst_element = 0;         ///< the largest |out - ref| / (atol + rtol·|ref|)
  std::int64_t nonfinite = 0;       ///< NaN or Inf in the whole output
  std::int64_t unwritten = 0;       ///< elements of the whole output still poisoned
  bool bitwise_repeatable = false;  ///< a second run gave the same bits
  bool exact = false;               ///< the data was exact_integer and equality was demanded
  std::int64_t rows_checked = 0, rows_total = 0;
  std::int64_t experts_checked = 0, experts_hit = 0;
  bool group_ends_checked = false;  ///< first and last row of every expert's group among the rows checked

  bool operator==(const Verdict&) const = default;
};

}  // namespace moetune
