#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "chart/xy_chart.h"
#include "report/charts.h"

namespace moetune {
namespace {

struct TokenBand {
  const char* name;
  std::int64_t up_to;
  const char* colour;
};
constexpr std::array<TokenBand, 3> kBands{
    {{"M ≤ 256", 256, "c1"}, {"≤ 1024", 1024, "c3"}, {"> 1024", INT64_MAX, "c2"}}};

std::size_t band_of(std::int64_t M) {
  std::size_t band = 0;
  while (M > kBands[band].up_to) ++band;
  return band;
}

/// The best time of a question (a stage of a problem on a device) with each value of a parameter.
using Question = std::tuple<std::string, std::string, Stage>;
using BestTimes = std::map<Question, std::map<int, double>>;

/// Of one parameter of one engine.
struct Tunable {
  std::array<BestTimes, kBands.size()> by_band;
  std::set<int> values;
};

std::string chart_of(const std::string& key, const Tunable& tunable) {
  std::vector<std::string> labels;
  for (const int value : tunable.values) labels.push_back(fmt::format("{}", value));
  std::vector<XySeries> all;
  double highest = 1.05;
  for (std::size_t band = 0; band < kBands.size(); ++band) {
    std::map<int, std::pair<double, int>> sums;  // of logarithms, and how many
    for (const auto& [question, times] : tunable.by_band[band]) {
      if (times.size() < 2) continue;  // nothing to compare with
      double best = times.begin()->second;
      for (const auto& [value, time] : times) best = std::min(best, time);
      for (const auto& [value, time] : times) {
        sums[value].first += std::log(time / best);
        ++sums[value].second;
      }
    }
    XySeries series{.name = kBands[band].name, .colour = kBands[band].colour, .points = {}};
    for (const auto& [value, sum] : sums) {
      const double ratio = std::exp(sum.first / sum.second);
      const auto place = std::distance(tunable.values.begin(), tunable.values.find(value));
      series.points.push_back(
          {.x = static_cast<double>(place),
           .y = ratio,
           .hint = {.text = fmt::format("{} = {}, {}: {:.3f} times the best time (geometric mean of {})", key, value,
                                        series.name, ratio, sum.second)}});
      highest = std::max(highest, ratio);
    }
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  if (all.empty()) return "";
  return to_svg(XyChart{.title = key,
                        .x = category_axis("", labels),
                        .y = highest > 3 ? log_axis("times the best time", 1, highest * 1.1)
                                         : linear_axis("times the best time", 1, highest, 4),
                        .series = std::move(all),
                        .size = {.width = 290, .height = 190}});
}

}  // namespace

std::vector<ReportCharts::Section> tunable_charts(const Report& report) {
  std::vector<std::string> engines;
  std::map<std::string, std::vector<std::string>> keys;  // in the engine's order
  std::map<std::pair<std::string, std::string>, Tunable> tunables;
  for (const StageTrial& trial : report.stage_trials) {
    const std::string& engine = trial.config.engine;
    if (!keys.contains(engine)) engines.push_back(engine);
    const Question question{to_line(trial.problem), report.runs[trial.run].device.name, trial.stage};
    for (const auto& [key, value] : trial.config.config.values()) {
      std::vector<std::string>& known = keys[engine];
      if (std::find(known.begin(), known.end(), key) == known.end()) known.push_back(key);
      Tunable& tunable = tunables[{engine, key}];
      tunable.values.insert(value);
      double& best = tunable.by_band[band_of(trial.problem.M)][question].emplace(value, trial.median_us).first->second;
      best = std::min(best, trial.median_us);
    }
  }
  std::sort(engines.begin(), engines.end());

  std::vector<ReportCharts::Section> sections;
  for (const std::string& engine : engines) {
    ReportCharts::Section section{.title = engine, .charts = {}};
    for (const std::string& key : keys[engine])
      if (std::string svg = chart_of(key, tunables[{engine, key}]); !svg.empty())
        section.charts.push_back({.name = fmt::format("tunable-{}-{}", engine, key), .svg = std::move(svg)});
    if (!section.charts.empty()) sections.push_back(std::move(section));
  }
  return sections;
}

}  // namespace moetune
