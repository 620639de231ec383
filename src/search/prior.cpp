#include "search/prior.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "kernel/grouped_gemm.h"
#include "problem/work.h"

namespace moetune {
namespace {

constexpr double kElementBytes = 2;
constexpr Ceilings kTypical{.read_bytes_per_s = 4e12, .matrix_flops_per_s = 7e14};  // where none were measured
constexpr double kLatencyBytes = 32768;  // a multiprocessor of an H200 has to have so many under way for full bandwidth
constexpr double kBlockOverheadUs = 1.5;  // a tile's first loads and last stores, in which nothing is multiplied
constexpr double kMmaRate = 0.62;         // of the matrix rate: what mma.sync reaches on Hopper
constexpr double kGathering = 1.07;       // of the time: what gathering tokens row by row costs Hopper's engines
constexpr double kNarrow = 32;            // columns below which an instruction of wgmma takes no less time

/// How many rows experts get: E draws from a binomial distribution, where routing is not known better.
class RowDistribution {
 public:
  explicit RowDistribution(const Problem& problem) : experts_(static_cast<double>(problem.E)) {
    const double share = static_cast<double>(problem.topk) / static_cast<double>(problem.global_experts());
    const double mean = static_cast<double>(problem.M) * share;
    const double deviation = std::sqrt(mean * (1 - share));
    const auto low = static_cast<int>(std::max(0.0, std::floor(mean - 5 * deviation)));
    const auto high = static_cast<int>(std::min(static_cast<double>(problem.M), std::ceil(mean + 5 * deviation + 1)));
    const double trials = static_cast<double>(problem.M);
    double sum = 0;
    for (int rows = low; rows <= high; ++rows) {
      const double log_ways = std::lgamma(trials + 1) - std::lgamma(rows + 1.0) - std::lgamma(trials - rows + 1);
      const double p = share < 1 ? std::exp(log_ways + rows * std::log(share) + (trials - rows) * std::log1p(-share))
                                 : (rows == high ? 1.0 : 0.0);
      probability_.emplace_back(rows, p);
      sum += p;
    }
    for (auto& [rows, p] : probability_) p /= sum;
  }

  double hit() const {
    return expected([](int rows) { return rows > 0 ? 1.0 : 0.0; });
  }
  double tiles(int height) const {
    return expected([&](int rows) { return std::ceil(static_cast<double>(rows) / height); });
  }
  /// Rows that are multiplied where an expert's tiles are of even height, in steps of 8.
  double even_rows(int height) const {
    return expected([&](int rows) {
      const double tiles = std::ceil(static_cast<double>(rows) / height);
      return tiles > 0 ? tiles * std::ceil(std::ceil(rows / tiles) / 8) * 8 : 0.0;
    });
  }

 private:
  template <class Value>
  double expected(Value value) const {
    double sum = 0;
    for (const auto& [rows, p] : probability_) sum += p * value(rows);
    return experts_ * sum;
  }

  double experts_;
  std::vector<std::pair<int, double>> probability_;
};

class Estimator {
 public:
  explicit Estimator(const StageSpace& space)
      : space_(space),
        rows_(space.problem),
        load_(load_of(space.problem, rows_)),
        work_(stage_work(space.problem, space.stage, load_)),
        ceilings_(space.ceilings.matrix_flops_per_s > 0 ? space.ceilings : kTypical),
        first_(gemm_shape(space.stage == Stage::mlp ? Stage::gate : space.stage, space.problem)) {}

  Prior of(const Engine& engine, const Config& config) {
    const KernelPlan plan = engine.kernel_plan(config, space_.stage, space_.problem, false);
    const bool swapped = engine.name == "wgmma_swap_ab", is_mma = engine.name == "mma";
    const double multiprocessors = std::max(space_.device.multiprocessors, 1);
    const int resident = resident_blocks(plan, space_.device);
    const double row_tiles = tiles_of(plan.block_m) * plan.cluster;
    const double column_tiles = std::ceil(static_cast<double>(first_.out_columns) / plan.columns);
    const double tiles = row_tiles * column_tiles * plan.split_k;
    const double slots = load_.slots;
    const double rows = swapped ? even_rows_of(plan.block_m / plan.cluster)
                                : row_tiles * static_cast<double>(plan.block_m) / plan.cluster;

    Prior prior{.padding = rows / slots, .rereads = tiles_of(plan.block_m) / load_.experts_hit};
    // Arithmetic, at the pace of the instruction.
    double rate = 1e-6 * ceilings_.matrix_flops_per_s * (is_mma ? kMmaRate : 1);
    if (swapped) rate *= std::min(1.0, rows / row_tiles / kNarrow);
    const double padded_columns = column_tiles * plan.columns / static_cast<double>(first_.out_columns);
    const bool gathers = !is_mma && space_.stage != Stage::final && !plan.permutes_tokens;
    const double compute_us = work_.flops * prior.padding * padded_columns * (gathers ? kGathering : 1) / rate;
    // Traffic: what the L2 cannot keep is read again.
    const double weights = kElementBytes * load_.experts_hit * static_cast<double>(first_.weight_rows * first_.K);
    const double inputs = kElementBytes * slots * static_cast<double>(first_.K) * column_tiles;
    const double from_l2 = weights * (prior.rereads - 1) / plan.cluster + inputs;
    constexpr double kL2Speed = 2.5;  // times the memory's
    const double stage_bytes = static_cast<double>(plan.shared_bytes);
    prior.in_flight = resident * stage_bytes;
    const double reach = prior.in_flight / (prior.in_flight + kLatencyBytes / 4);
    const double memory_us = (work_.bytes + from_l2 / kL2Speed) / (1e-6 * ceilings_.read_bytes_per_s * reach);
    // Waves: the last is rarely full.
    const double waves = tiles / (multiprocessors * resident);
    prior.tail = std::max(std::ceil(waves - 1e-9), 1.0) / waves;
    const double each_us = kBlockOverheadUs * std::max(waves, 1.0) / (plan.blocks_per_sm > 0 ? 2.0 : 1.0);
    const double steady = std::max(compute_us, memory_us) + 0.3 * std::min(compute_us, memory_us);
    const double filled = std::min(prior.tail, 1 + 0.5 / std::max(waves, 1.0) + std::max(0.0, 1 / waves - 1));
    prior.us = steady * (waves < 1 ? std::min(1 / waves, 4.0) : filled) + each_us;
    if (plan.permutes_tokens)
      prior.us += kElementBytes * (slots + static_cast<double>(space_.problem.M)) * static_cast<double>(first_.K) /
                  (1e-6 * ceilings_.read_bytes_per_s);
    return prior;
  }

 private:
  static Load load_of(const Problem& problem, const RowDistribution& rows) {
    Load load = even_load(problem);
    load.experts_hit = rows.hit();
    return load;
  }

  double tiles_of(int height) {
    const auto [found, is_new] = tiles_.try_emplace(height, 0);
    if (is_new) found->second = rows_.tiles(height);
    return found->second;
  }
  double even_rows_of(int height) {
    const auto [found, is_new] = even_rows_.try_emplace(height, 0);
    if (is_new) found->second = rows_.even_rows(height);
    return found->second;
  }

  const StageSpace& space_;
  RowDistribution rows_;
  Load load_;
  Work work_;
  Ceilings ceilings_;
  GemmShape first_;
  std::map<int, double> tiles_, even_rows_;
};

}  // namespace

std::vector<Prior> priors(const StageSpace& space) {
  std::vector<Prior> result(space.configs.size());
  std::map<std::string_view, const Engine*> planned;
  for (const StageSpace::EngineSpace& each : space.engines)
    if (each.engine->kernel_plan) planned.emplace(each.engine->name, each.engine);
  if (planned.empty()) return result;
  Estimator estimator(space);
  for (std::size_t i = 0; i < space.configs.size(); ++i)
    if (const auto engine = planned.find(space.configs[i].engine); engine != planned.end())
      result[i] = estimator.of(*engine->second, space.configs[i].config);
  return result;
}

}  // namespace moetune
