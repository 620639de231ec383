#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "search/stage_space.h"

namespace moetune {

/// What is believed of the logarithm of every config's time: a Gaussian process over all candidates of a space, whose
/// mean starts from the prior (search/prior.h). Two configs are believed to differ from their priors alike the nearer
/// their values are to each other; how far the prior itself is to be trusted is learnt too. Deterministic.
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

  /// What the prior expects of a candidate beyond the mean over all.
  double prior(std::size_t candidate) const { return prior_mean_[candidate]; }

 private:
  struct Point {
    std::size_t engine = 0;
    std::vector<double> axes;      ///< base-2 logarithms, NaN where the engine lacks one
    std::vector<double> features;  ///< of the prior, standardised
  };

  const std::vector<float>& covariances(std::size_t candidate);
  double covariance(const Point& a, const Point& b) const;
  void add(std::size_t candidate, double residual, double deviation);

  std::vector<Point> points_;
  std::vector<double> prior_mean_;
  std::map<std::size_t, std::vector<float>> covariances_;  ///< of a candidate with all; kept, as they never change
  double level_ = 0;
  std::vector<double> mean_, variance_;
  std::vector<std::vector<float>> rows_;  ///< of the Cholesky factor, extended to all candidates
};

}  // namespace moetune
