#include "search/surrogate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "search/prior.h"

namespace moetune {
namespace {

// Fitted to 8240 configs of 151 stages of five models at M = 1 … 16384 on an H200 (the committed journals), by the
// marginal likelihood of their screening times: what remains is 1.7 % a config. Standard deviations are of the
// logarithm of a time.
constexpr double kPriorSlope = 0.4;   // of the prior's time: it exaggerates
constexpr double kLevel = 0.2;        // of a stage as a whole
constexpr double kEngine = 0.015;     // of an engine against the others
constexpr double kValues = 0.1;       // of a config's values together
constexpr double kOwn = 0.012;        // of a config, whatever is like it
constexpr double kOtherEngine = 0.8;  // as unlike as values so many lengths apart

struct FeatureBelief {
  double Prior::*feature;
  double weight;  // standard deviation, for each factor of e
};
constexpr std::array<FeatureBelief, 5> kFeatures{{{&Prior::us, 0.25},
                                                  {&Prior::padding, 0.05},
                                                  {&Prior::rereads, 0.03},
                                                  {&Prior::tail, 0.2},
                                                  {&Prior::in_flight, 0.1}}};

/// Doublings over which an axis' values become unlike, and how much the axis matters by itself.
struct KnownAxis {
  std::string_view name;
  double length, effect;
};
constexpr std::array<KnownAxis, 12> kAxes{{{"BLOCK_SIZE_M", 1.5, 0.075},
                                           {"BLOCK_SIZE_N", 2.5, 0.04},
                                           {"BLOCK_SIZE_K", 2, 0.03},
                                           {"GROUP_SIZE_M", 40, 0.01},
                                           {"num_stages", 1.5, 0.02},
                                           {"num_warps", 8, 0.01},
                                           {"num_consumers", 30, 0.01},
                                           {"CLUSTER_SIZE_M", 0.45, 0.01},
                                           {"blocks_per_sm", 2.5, 0.01},
                                           {"evict_first", 12, 0.01},
                                           {"dynamic", 8, 0.01},
                                           {"SPLIT_K", 0.2, 0.075}}};
constexpr KnownAxis kUnknownAxis{"", 3, 0.05};

// How much configs differ at all goes with the stage: little where memory is the limit. As if so many residuals had
// been as large as expected before the first was seen.
constexpr double kScalePrior = 4;

double doublings(int value) {
  return std::log2(value + 1.0);  // some are 0
}

}  // namespace

Surrogate::Surrogate(const StageSpace& space) : points_(space.configs.size()), prior_mean_(space.configs.size()) {
  std::set<std::string> names;
  for (const StageSpace::EngineSpace& each : space.engines)
    for (const SearchSpace::Axis& axis : each.space.axes) names.insert(axis.name);
  for (std::size_t i = 0; i < points_.size(); ++i) {
    const StageConfig& config = space.configs[i];
    for (std::size_t e = 0; e < space.engines.size(); ++e)
      if (space.engines[e].engine->name == config.engine) points_[i].engine = e;
    for (const std::string& name : names) {
      const std::optional<int> value = config.config.find(name);
      points_[i].axes.push_back(value ? doublings(*value) : std::numeric_limits<double>::quiet_NaN());
    }
  }
  for (const std::string& name : names) {
    const auto known =
        std::find_if(kAxes.begin(), kAxes.end(), [&](const KnownAxis& axis) { return axis.name == name; });
    const KnownAxis& axis = known != kAxes.end() ? *known : kUnknownAxis;
    axes_.push_back({.length = axis.length, .effect = axis.effect});
  }
  const std::vector<Prior> prior = priors(space);
  for (const FeatureBelief& belief : kFeatures) {
    double mean = 0;
    for (const Prior& each : prior) mean += std::log(each.*belief.feature) / static_cast<double>(prior.size());
    for (std::size_t i = 0; i < prior.size(); ++i)
      points_[i].features.push_back(belief.weight * (std::log(prior[i].*belief.feature) - mean));
  }
  for (std::size_t i = 0; i < prior.size(); ++i)
    prior_mean_[i] = kPriorSlope / kFeatures[0].weight * points_[i].features[0];
  restart(0);
}

double Surrogate::covariance(const Point& a, const Point& b) const {
  const bool same_engine = a.engine == b.engine;
  double sum = kLevel * kLevel, lengths = same_engine ? 0 : kOtherEngine;
  for (std::size_t f = 0; f < a.features.size(); ++f) sum += a.features[f] * b.features[f];
  for (std::size_t i = 0; i < axes_.size(); ++i) {
    const double apart = std::abs(a.axes[i] - b.axes[i]) / axes_[i].length;
    if (std::isnan(apart)) continue;
    lengths += apart;
    if (same_engine) sum += axes_[i].effect * axes_[i].effect * (apart > 0 ? std::exp(-apart) : 1);
  }
  if (same_engine) sum += kEngine * kEngine;
  return sum + kValues * kValues * std::exp(-lengths);
}

const std::vector<float>& Surrogate::covariances(std::size_t candidate) {
  constexpr std::size_t kMostKept = 512;  // 18 MB of 9000 candidates
  if (covariances_.size() >= kMostKept && !covariances_.contains(candidate)) covariances_.clear();
  const auto [found, is_new] = covariances_.try_emplace(candidate);
  if (is_new) {
    found->second.reserve(points_.size());
    for (const Point& point : points_)
      found->second.push_back(static_cast<float>(covariance(points_[candidate], point)));
  }
  return found->second;
}

void Surrogate::restart(double level) {
  level_ = level;
  mean_ = prior_mean_;
  surprise_ = 0;
  rows_.clear();
  variance_.clear();
  for (const Point& point : points_) variance_.push_back(covariance(point, point));
}

double Surrogate::deviation(std::size_t candidate) const {
  const double scale = (kScalePrior + surprise_) / (kScalePrior + static_cast<double>(rows_.size()));
  return std::sqrt(scale * (std::max(variance_[candidate], 0.0) + kOwn * kOwn));
}

void Surrogate::observe(std::size_t candidate, double log_us, double deviation) {
  const double residual = log_us - mean(candidate);
  surprise_ += residual * residual / innovation(candidate, deviation);
  add(candidate, residual, deviation);
}

void Surrogate::assume(std::size_t candidate, double deviation) {
  // What it would say of the scale: nothing new.
  surprise_ += (kScalePrior + surprise_) / (kScalePrior + static_cast<double>(rows_.size()));
  add(candidate, 0, deviation);
}

double Surrogate::innovation(std::size_t candidate, double deviation) const {
  return std::max(variance_[candidate], 0.0) + kOwn * kOwn + deviation * deviation;
}

/// One more row of the Cholesky factor: with it the posterior given all points added so far is at hand everywhere.
void Surrogate::add(std::size_t candidate, double residual, double deviation) {
  const double scale = std::sqrt(innovation(candidate, deviation));
  std::vector<float> row = covariances(candidate);
  for (const std::vector<float>& earlier : rows_) {
    const float at = earlier[candidate];
    for (std::size_t i = 0; i < row.size(); ++i) row[i] -= at * earlier[i];
  }
  for (std::size_t i = 0; i < row.size(); ++i) {
    row[i] /= static_cast<float>(scale);
    mean_[i] += row[i] * residual / scale;
    variance_[i] -= static_cast<double>(row[i]) * row[i];
  }
  rows_.push_back(std::move(row));
}

}  // namespace moetune
