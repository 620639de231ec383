// Pairs of runs for tests of the gate.
#pragma once

#include <random>
#include <span>
#include <vector>

#include "compare/gate.h"

namespace moetune {

inline Summary run_of(double median_us, double clock_mhz = 0) {
  return {.median_us = median_us,
          .ci_low_us = median_us * 0.998,
          .ci_high_us = median_us * 1.002,
          .min_us = median_us * 0.98,
          .p10_us = median_us * 0.99,
          .p90_us = median_us * 1.02,
          .n = 50,
          .stopped_by = "benchmark",
          .sm_clock_mhz = clock_mhz};
}

/// base[i] next to head[i].
inline std::vector<Pair> make_pairs(std::span<const double> base_us, std::span<const double> head_us) {
  std::vector<Pair> pairs;
  for (std::size_t i = 0; i < base_us.size(); ++i)
    pairs.push_back({.base = run_of(base_us[i]), .head = run_of(head_us[i])});
  return pairs;
}

/// What medians of runs vary by, as shares: each process has an offset of its own, a pair has drift in common.
struct Noise {
  double process = 0.006, drift = 0.01, within_pair = 0.002;
};

inline std::vector<Pair> noisy_pairs(std::mt19937_64& random, int count, double slowdown, const Noise& noise) {
  std::normal_distribution<double> normal;
  std::vector<double> base, head;
  for (int i = 0; i < count; ++i) {
    const double drift = noise.drift * normal(random);
    const auto run = [&] { return 1 + drift + noise.within_pair * normal(random) + noise.process * normal(random); };
    base.push_back(100 * run());
    head.push_back(100 * (1 + slowdown) * run());
  }
  return make_pairs(base, head);
}

}  // namespace moetune
