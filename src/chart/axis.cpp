#include "chart/axis.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "chart/svg.h"

namespace moetune {
namespace {

std::string plain_number(double value) {
  return fmt::format("{}", std::round(value * 1e6) / 1e6);
}

}  // namespace

double Axis::position(double value) const {
  return logarithmic ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

Axis linear_axis(std::string title, double low, double high, int ticks) {
  const double span = high > low ? high - low : std::max(std::abs(high), 1.0);
  const double rough = span / std::max(ticks - 1, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double leading = rough / power;
  const double step = power * (leading < 1.5 ? 1 : leading < 3 ? 2 : leading < 7 ? 5 : 10);
  const auto first = static_cast<long>(std::floor(low / step + 1e-9));
  const long last = std::max(static_cast<long>(std::ceil(high / step - 1e-9)), first + 1);
  const int digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  Axis axis{.title = std::move(title),
            .low = static_cast<double>(first) * step,
            .high = static_cast<double>(last) * step,
            .ticks = {}};
  for (long i = first; i <= last; ++i) {
    const double value = static_cast<double>(i) * step;
    axis.ticks.push_back({value, fmt::format("{:.{}f}", value, digits)});
  }
  return axis;
}

Axis log_axis(std::string title, double low, double high) {
  Axis axis{
      .title = std::move(title), .low = low, .high = std::max(high, low * 1.01), .logarithmic = true, .ticks = {}};
  const double base = axis.high / axis.low < 100 ? 2 : 10;
  const double first = std::ceil(std::log(axis.low) / std::log(base) - 1e-9);
  for (double value = std::pow(base, first); value <= axis.high * (1 + 1e-9); value *= base)
    axis.ticks.push_back({value, plain_number(value)});
  return axis;
}

std::string count_label(std::int64_t count) {
  return count >= 16384 && count % 1024 == 0 ? fmt::format("{}k", count / 1024) : fmt::format("{}", count);
}

Axis log_axis_at(std::string title, const std::vector<double>& counts) {
  const double room = counts.size() > 1 ? std::pow(counts.back() / counts.front(), 0.05) : 2;
  Axis axis{.title = std::move(title),
            .low = counts.front() / room,
            .high = counts.back() * room,
            .logarithmic = true,
            .ticks = {}};
  for (const double count : counts) axis.ticks.push_back({count, count_label(std::llround(count))});
  return axis;
}

Axis category_axis(std::string title, const std::vector<std::string>& labels) {
  Axis axis{.title = std::move(title), .low = -0.5, .high = static_cast<double>(labels.size()) - 0.5, .ticks = {}};
  for (std::size_t i = 0; i < labels.size(); ++i) axis.ticks.push_back({static_cast<double>(i), labels[i]});
  return axis;
}

std::vector<Tick> ticks_with_room(const Axis& axis, double length) {
  constexpr double kGap = 2;
  std::vector<Tick> kept;
  double end = -1e9;
  for (const Tick& tick : axis.ticks) {
    const double centre = axis.position(tick.value) * length;
    const double half = text_width(tick.label, kLabelSize) / 2;
    if (centre - half < end + kGap) continue;
    kept.push_back(tick);
    end = centre + half;
  }
  return kept;
}

}  // namespace moetune
