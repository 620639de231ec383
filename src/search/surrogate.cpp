#include "search/surrogate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "search/prior.h"

namespace moetune {
namespace {

// Standard deviations of the logarithm of a time, and lengths in doublings of a value.
constexpr double kPriorSlope = 0.5;  // of the time by the prior
constexpr double kFeature = 0.1;     // what one standard deviation of a feature is believed to matter
constexpr double kEngine = 0.1;      // an engine against the others
constexpr double kValues = 0.15;     // the values of a config
constexpr double kLength = 3;        // over which values become unlike

double log_plus_one(int value) {
  return std::log2(value + 1.0);
}

/// To mean 0 and standard deviation 1, over all; zeros where all are alike.
void standardise(std::vector<double>& values) {
  double mean = 0, square = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) square += (value - mean) * (value - mean) / static_cast<double>(values.size());
  for (double& value : values) value = square > 1e-12 ? (value - mean) / std::sqrt(square) : 0;
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
      points_[i].axes.push_back(value ? log_plus_one(*value) : std::numeric_limits<double>::quiet_NaN());
    }
  }
  const std::vector<Prior> prior = priors(space);
  constexpr std::array<double Prior::*, 5> kFeatures{&Prior::us, &Prior::padding, &Prior::rereads, &Prior::tail,
                                                     &Prior::in_flight};
  double mean = 0;
  for (const Prior& each : prior) mean += std::log(each.us) / static_cast<double>(prior.size());
  for (std::size_t i = 0; i < prior.size(); ++i) prior_mean_[i] = kPriorSlope * (std::log(prior[i].us) - mean);
  for (const auto feature : kFeatures) {
    std::vector<double> values;
    for (const Prior& each : prior) values.push_back(std::log(each.*feature));
    standardise(values);
    for (std::size_t i = 0; i < values.size(); ++i) points_[i].features.push_back(values[i]);
  }
  restart(0);
}

double Surrogate::covariance(const Point& a, const Point& b) const {
  double linear = 0, distance = 0;
  for (std::size_t f = 0; f < a.features.size(); ++f) linear += a.features[f] * b.features[f];
  for (std::size_t i = 0; i < a.axes.size(); ++i) {
    const double difference = std::abs(a.axes[i] - b.axes[i]);
    if (difference > 0) distance += difference;  // false for NaN too
  }
  const bool same_engine = a.engine == b.engine;
  if (!same_engine) distance += kLength;
  return kFeature * kFeature * linear + (same_engine ? kEngine * kEngine : 0) +
         kValues * kValues * std::exp(-distance / kLength);
}

const std::vector<float>& Surrogate::covariances(std::size_t candidate) {
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
  rows_.clear();
  variance_.clear();
  for (const Point& point : points_) variance_.push_back(covariance(point, point));
}

double Surrogate::deviation(std::size_t candidate) const {
  return std::sqrt(std::max(variance_[candidate], 0.0));
}

void Surrogate::observe(std::size_t candidate, double log_us, double deviation) {
  add(candidate, log_us - mean(candidate), deviation);
}

void Surrogate::assume(std::size_t candidate, double deviation) {
  add(candidate, 0, deviation);
}

/// One more row of the Cholesky factor: with it the posterior given all points added so far is at hand everywhere.
void Surrogate::add(std::size_t candidate, double residual, double deviation) {
  const double scale = std::sqrt(std::max(variance_[candidate], 0.0) + deviation * deviation);
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
