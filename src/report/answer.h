#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace moetune {

/// Geometric means over the problems in which both implementations were measured in the same rounds.
struct Comparison {
  int problems = 0;
  Ratio speedup;       ///< of an implementation over three_kernel, the intervals combined as independent errors
  double ceiling = 0;  ///< 0 where it is not known for all
  double roofline_fraction = 0;  ///< of the implementation; 0 where it is not known for all
};
std::optional<Comparison> compare(const std::vector<const ReportRow*>& rows, Impl impl = Impl::merged);

/// A range of M that gains of merged MoE kernels are quoted for.
struct Band {
  std::string name;  ///< "M <= 256"
  Comparison comparison;
};
/// The bands that have problems in them: M <= 256, 256 < M <= 1024, M > 1024.
std::vector<Band> compare_by_band(const Report& report);

/// The answer in one line:
///   merged ran 1.08x [1.07, 1.09] as fast as three_kernel (ceiling 1.09x) at 0.87 of the roofline
/// and, over several problems, that these are geometric means; merged_single where it was measured. Says what is
/// missing where there is no comparison.
std::string answer_line(const Report& report);

}  // namespace moetune
