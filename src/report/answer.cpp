#include "report/answer.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

namespace moetune {
namespace {

/// The geometric mean of values that are all known, i.e. above 0; else 0.
class GeometricMean {
 public:
  void add(double value) {
    sum_ += value > 0 ? std::log(value) : -std::numeric_limits<double>::infinity();
    ++count_;
  }
  double value() const { return count_ > 0 ? std::exp(sum_ / count_) : 0; }

 private:
  double sum_ = 0;
  int count_ = 0;
};

std::vector<const ReportRow*> rows_between(const Report& report, std::int64_t above, std::int64_t up_to) {
  std::vector<const ReportRow*> rows;
  for (const ReportRow& row : report.rows)
    if (row.best.problem.M > above && row.best.problem.M <= up_to) rows.push_back(&row);
  return rows;
}

}  // namespace

std::optional<Comparison> compare(const std::vector<const ReportRow*>& rows, Impl impl) {
  Comparison comparison;
  GeometricMean speedup, ceiling, fraction;
  double below = 0, above = 0;  // squared half-widths of the logarithms
  for (const ReportRow* row : rows) {
    if (row->best.config.impl != impl || !row->best.versus_three_kernel) continue;
    const Ratio& ratio = *row->best.versus_three_kernel;
    ++comparison.problems;
    speedup.add(ratio.value);
    ceiling.add(row->best.ceiling);
    fraction.add(row->best.roofline_fraction());
    below += std::pow(std::log(ratio.value / ratio.low), 2);
    above += std::pow(std::log(ratio.high / ratio.value), 2);
  }
  if (comparison.problems == 0) return std::nullopt;
  const double mean = speedup.value();
  comparison.speedup = {.value = mean,
                        .low = mean * std::exp(-std::sqrt(below) / comparison.problems),
                        .high = mean * std::exp(std::sqrt(above) / comparison.problems)};
  comparison.ceiling = ceiling.value();
  comparison.roofline_fraction = fraction.value();
  return comparison;
}

std::vector<Band> compare_by_band(const Report& report) {
  constexpr std::int64_t kNoEnd = std::numeric_limits<std::int64_t>::max();
  std::vector<Band> bands;
  const auto add = [&](const char* name, std::int64_t above, std::int64_t up_to) {
    if (const auto comparison = compare(rows_between(report, above, up_to)))
      bands.push_back({.name = name, .comparison = *comparison});
  };
  add("M <= 256", 0, 256);
  add("256 < M <= 1024", 256, 1024);
  add("M > 1024", 1024, kNoEnd);
  return bands;
}

std::string answer_line(const Report& report) {
  const auto all = rows_between(report, 0, std::numeric_limits<std::int64_t>::max());
  if (const auto comparison = compare(all)) {
    const Ratio& ratio = comparison->speedup;
    std::string line =
        fmt::format("merged ran {:.2f}x [{:.2f}, {:.2f}] as fast as three_kernel", ratio.value, ratio.low, ratio.high);
    if (comparison->ceiling > 0) line += fmt::format(" (ceiling {:.2f}x)", comparison->ceiling);
    if (comparison->roofline_fraction > 0)
      line += fmt::format(" at {:.2f} of the roofline", comparison->roofline_fraction);
    if (comparison->problems > 1) line += fmt::format(" (geometric means of {} problems)", comparison->problems);
    if (const auto single = compare(all, Impl::merged_single))
      line += fmt::format("; merged_single {:.2f}x [{:.2f}, {:.2f}]", single->speedup.value, single->speedup.low,
                          single->speedup.high);
    return line;
  }
  if (all.empty()) return "no implementation has a verified config: there is nothing to compare";

  // One implementation alone: where it stands against the hardware.
  const Impl impl = all.front()->best.config.impl;
  GeometricMean fraction;
  for (const ReportRow* row : all) {
    if (row->best.config.impl != impl)
      return "three_kernel was not measured on the same problem as another implementation: no comparison";
    fraction.add(row->best.roofline_fraction());
  }
  std::string line = fmt::format("{} ran", to_string(impl));
  if (fraction.value() > 0) line += fmt::format(" at {:.2f} of the roofline", fraction.value());
  if (all.size() > 1) line += fmt::format(" (geometric mean of {} problems)", all.size());
  return line + fmt::format("; {} was not measured, so there is no comparison",
                            to_string(impl == Impl::three_kernel ? Impl::merged : Impl::three_kernel));
}

}  // namespace moetune
