#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "search/stage_space.h"

namespace moetune {

/// What is believed of the logarithm of every config's time: a Gaussian process over all candidates of a space, whose
/// mean starts from the prior (search/prior.h). The nearer the values of two configs are to each other, the more alike
/// they are believed to differ from it; how far the prior is to be trusted, and how much configs differ at all, is
/// learnt too. Deterministic.
class Surrogate {
 public:
  explicit Surrogate(const StageSpace& space);

  std::size_t size() const { return mean_.size(); }
  double mean(std::size_t candidate) const { return mean_[candidate] + level_; }
  double deviation(std::size_t candidate) const;

  /// Back to the prior, at the level of times whose logarithms have this mean over candidates seen.
  void restart(double level);
  /// The logarithm of a measured time, with its standard deviation.
  void observe(std::size_t candidate, double log_us, double deviation);
  /// As if it had been measured to take what is believed: only the doubts shrink.
  void assume(std::size_t candidate, double deviation);

  /// What the prior expects of a candidate beyond the level.
  double prior(std::size_t candidate) const { return prior_mean_[candidate]; }

 private:
  struct Point {
    std::size_t engine = 0;
    std::vector<double> axes;      ///< doublings of each value, NaN where the engine lacks one
    std::vector<double> features;  ///< logarithms of what the prior tells, less their means
  };

  const std::vector<float>& covariances(std::size_t candidate);
  double covariance(const Point& a, const Point& b) const;
  /// Variance of a measurement about what is believed.
  double innovation(std::size_t candidate, double deviation) const;
  void add(std::size_t candidate, double residual, double deviation);

  struct AxisBelief {
    double length = 0, effect = 0;  ///< see surrogate.cpp
  };
  std::vector<AxisBelief> axes_;
  std::vector<Point> points_;
  std::vector<double> prior_mean_;
  std::map<std::size_t, std::vector<float>> covariances_;  ///< of a candidate with all; kept, as they never change
  double level_ = 0;
  double surprise_ = 0;  ///< sum of squares of residuals over the deviations expected
  std::vector<double> mean_, variance_;
  std::vector<std::vector<float>> rows_;  ///< of the Cholesky factor, extended to all candidates
};

}  // namespace moetune
