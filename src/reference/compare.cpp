#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "reference/reference.h"

namespace moetune {
namespace {

/// How far random data may be off, in units of the dtype's roundoff u (bf16 2^-8, fp16 2^-11). An honest kernel rounds
/// h and y where the reference does, so what is left is the last rounding (0.42 u in the L2 norm) and an occasional h
/// or y that fp32 sums push over to the neighbouring value. The worst of 3,600 random problems in plain fp32 loops
/// (tests/reference):
///          relative L2   worst row   worst element
///   bf16   0.63 u        1.0 u       0.30 of what is allowed
///   fp16   0.73 u        1.7 u       0.33
/// fp16 gets more room, as the error of a device's fast exponentials is larger in its smaller units. A wrong element of
/// ordinary size is 20 times and more beyond its tolerance.
struct Tolerance {
  double relative_l2, worst_row;
  double of_scale, of_value;  ///< element: |out - ref| <= of_scale·(row's root mean square) + of_value·|ref|
};

Tolerance tolerance_for(DType dtype) {
  switch (dtype) {
    case DType::bf16:
      return {.relative_l2 = 1.25 * 0x1p-8, .worst_row = 4 * 0x1p-8, .of_scale = 8 * 0x1p-8, .of_value = 4 * 0x1p-8};
    case DType::fp16:
      return {.relative_l2 = 2 * 0x1p-11, .worst_row = 6 * 0x1p-11, .of_scale = 8 * 0x1p-11, .of_value = 4 * 0x1p-11};
  }
  return {.relative_l2 = 0, .worst_row = 0, .of_scale = 0, .of_value = 0};
}

/// Rows added up in memory, in whatever order they come, round the sum with each of topk additions, not once. A sum of
/// n as it grows is sqrt(i/n) of the whole, so that of roundings of 0.42 u each (n + 1)/2 remain, squared, in place of
/// one.
Tolerance for_sums_in_any_order(Tolerance tolerance, std::int64_t topk) {
  constexpr double kLastRounding = 0.42 / 0.63;  // its share of an honest kernel's relative L2
  tolerance.relative_l2 *= std::sqrt(1 + kLastRounding * kLastRounding * static_cast<double>(topk - 1) / 2);
  return tolerance;
}

/// A ratio in which anything but a number counts as infinitely wrong, and 0/0 as right.
double ratio(double error, double of) {
  if (error == 0) return 0;
  const double value = error / of;
  return value >= 0 ? value : std::numeric_limits<double>::infinity();
}

struct Place {
  std::int64_t token = -1, column = -1;
  double found = 0, expected = 0;
};

std::string describe(const Place& place) {
  return fmt::format("token {}, column {}: {:.6g} instead of {:.6g}", place.token, place.column, place.found,
                     place.expected);
}

/// Everything that one pass over the rows finds.
struct Differences {
  double relative_l2 = 0, worst_row = 0, worst_element = 0;
  std::int64_t worst_token = -1, unequal = 0;
  Place worst, first_unequal;
};

double sum_of_squares(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return sum;
}

Differences find_differences(const ReferenceRows& reference, std::span<const float> rows, std::size_t width,
                             const Tolerance& tolerance) {
  Differences found;
  const double all_squares = sum_of_squares(reference.values);
  const double mean_square = all_squares / static_cast<double>(reference.values.size());
  double error_squares = 0;
  for (std::size_t r = 0; r < reference.tokens.size(); ++r) {
    const auto expected = std::span(reference.values).subspan(r * width, width);
    const auto out = rows.subspan(r * width, width);
    // Rows smaller than the average are measured against the average row: where terms cancel, errors do not.
    const double row_squares = std::max(sum_of_squares(expected), mean_square * static_cast<double>(width));
    const double scale = std::sqrt(row_squares / static_cast<double>(width));
    double row_error_squares = 0;
    for (std::size_t c = 0; c < width; ++c) {
      const double error = std::fabs(static_cast<double>(out[c]) - expected[c]);
      row_error_squares += error * error;
      const Place place{.token = reference.tokens[r],
                        .column = static_cast<std::int64_t>(c),
                        .found = static_cast<double>(out[c]),
                        .expected = expected[c]};
      if (!(error <= 0) && found.unequal++ == 0) found.first_unequal = place;
      const double relative = ratio(error, tolerance.of_scale * scale + tolerance.of_value * std::fabs(expected[c]));
      if (relative > found.worst_element) {
        found.worst_element = relative;
        found.worst = place;
      }
    }
    error_squares += row_error_squares;
    const double row = ratio(std::sqrt(row_error_squares), std::sqrt(row_squares));
    if (row > found.worst_row) {
      found.worst_row = row;
      found.worst_token = reference.tokens[r];
    }
  }
  found.relative_l2 = ratio(std::sqrt(error_squares), std::sqrt(all_squares));
  return found;
}

/// The first thing wrong with the numbers; empty where nothing is.
std::string explain(const Differences& found, const Tolerance& tolerance, bool exact) {
  if (exact) {
    if (found.unequal == 0) return {};
    return fmt::format("{} elements differ on exact data; the first at {}", found.unequal,
                       describe(found.first_unequal));
  }
  if (!(found.relative_l2 <= tolerance.relative_l2))
    return fmt::format("relative L2 error {:.3g} exceeds {:.3g}; the worst element is {}", found.relative_l2,
                       tolerance.relative_l2, describe(found.worst));
  if (!(found.worst_element <= 1))
    return fmt::format("element {:.3g} times its tolerance off: {}", found.worst_element, describe(found.worst));
  if (!(found.worst_row <= tolerance.worst_row))
    return fmt::format("relative L2 error {:.3g} of token {} exceeds {:.3g}; the worst element is {}", found.worst_row,
                       found.worst_token, tolerance.worst_row, describe(found.worst));
  return {};
}

}  // namespace

Verdict judge(const Problem& problem, const DataSpec& data, const ReferenceRows& reference, std::span<const float> rows,
              const OutputScan& first, const OutputScan& second, bool must_repeat) {
  Verdict verdict{.reason = {},
                  .nonfinite = std::max(first.nonfinite, second.nonfinite),
                  .unwritten = std::max(first.unwritten, second.unwritten),
                  .bitwise_repeatable = first.hash == second.hash,
                  .exact = data.fill == Fill::exact_integer && must_repeat,
                  .rows_checked = static_cast<std::int64_t>(reference.tokens.size()),
                  .rows_total = problem.M,
                  .experts_checked = reference.experts_checked,
                  .experts_hit = reference.experts_hit,
                  .group_ends_checked = reference.group_ends_checked};
  const std::size_t width = static_cast<std::size_t>(problem.N2);
  const std::size_t expected = reference.tokens.size() * width;
  if (expected == 0 || reference.values.size() != expected || rows.size() != expected) {
    verdict.rows_checked = 0;
    verdict.reason = expected == 0 ? "no rows were checked"
                                   : fmt::format("{} output values to compare with {} of the reference, {} expected",
                                                 rows.size(), reference.values.size(), expected);
    return verdict;
  }

  Tolerance tolerance = tolerance_for(problem.dtype);
  if (!must_repeat) tolerance = for_sums_in_any_order(tolerance, problem.topk);
  const Differences found = find_differences(reference, rows, width, tolerance);
  verdict.relative_l2 = found.relative_l2;
  verdict.worst_row = found.worst_row;
  verdict.worst_element = found.worst_element;

  if (verdict.unwritten > 0)
    verdict.reason = fmt::format("{} output elements were never written", verdict.unwritten);
  else if (verdict.nonfinite > 0)
    verdict.reason = fmt::format("{} output elements are NaN or infinite", verdict.nonfinite);
  else
    verdict.reason = explain(found, tolerance, verdict.exact);
  if (verdict.reason.empty() && must_repeat && !verdict.bitwise_repeatable)
    verdict.reason = "a second run on the same inputs gave different bits";
  verdict.passed = verdict.reason.empty();
  return verdict;
}

}  // namespace moetune
