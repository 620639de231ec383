#include "reference/reference.h"

#include <algorithm>

#include "base/run_tasks.h"
#include "data/fill.h"
#include "reference/activation.h"
#include "reference/dot.h"
#include "reference/group_ends.h"
#include "reference/rounding.h"

namespace moetune {
namespace {

constexpr std::int64_t kRowsPerTask = 32;  // small enough to share out, large enough to forget the cost of it
constexpr std::int64_t kBatchFloats = std::int64_t{1} << 26;  // 256 MB of inputs and intermediates at a time

/// Some tokens with their intermediates. A slot here is (position of the token in the batch)·topk + choice.
struct Batch {
  std::span<const std::int64_t> tokens;
  std::vector<float> hidden;     ///< [tokens, K]
  std::vector<float> activated;  ///< [slots, N1/2], rounded to the dtype
  std::vector<float> weighted;   ///< [slots, N2], rounded to the dtype; zero where the expert lives elsewhere
  std::vector<std::vector<std::int64_t>> slots;  ///< of each expert
  std::vector<std::int64_t> experts;             ///< those that have slots
};

class Reference {
 public:
  Reference(const Problem& problem, Impl impl, const Routing& routing, const DataSpec& data)
      : problem_(problem),
        impl_(impl),
        routing_(routing),
        rounds_output_(data.fill == Fill::exact_integer),
        hidden_(fill_spec(problem, Tensor::hidden, data)),
        w1_(fill_spec(problem, Tensor::w1, data)),
        b1_(fill_spec(problem, Tensor::b1, data)),
        w2_(fill_spec(problem, Tensor::w2, data)),
        b2_(fill_spec(problem, Tensor::b2, data)) {}

  /// values [tokens.size(), N2]
  void compute(std::span<const std::int64_t> tokens, std::span<double> values) const {
    const std::int64_t floats_per_token = problem_.K + problem_.topk * (problem_.inner() + problem_.N2);
    const std::size_t most = static_cast<std::size_t>(std::max<std::int64_t>(1, kBatchFloats / floats_per_token));
    for (std::size_t begin = 0; begin < tokens.size(); begin += most) {
      const std::size_t count = std::min(most, tokens.size() - begin);
      const std::size_t width = static_cast<std::size_t>(problem_.N2);
      compute_batch(tokens.subspan(begin, count), values.subspan(begin * width, count * width));
    }
  }

 private:
  void compute_batch(std::span<const std::int64_t> tokens, std::span<double> values) const {
    Batch batch = make_batch(tokens);
    const std::int64_t n = static_cast<std::int64_t>(tokens.size());
    const std::int64_t experts = static_cast<std::int64_t>(batch.experts.size());
    run_tasks(n, [&](std::int64_t i) {
      fill_floats(hidden_, tokens[i] * problem_.K, std::span(batch.hidden).subspan(i * problem_.K, problem_.K));
    });
    run_row_ranges(experts, problem_.inner(), kRowsPerTask / 2,
                   [&](std::int64_t e, std::int64_t begin, std::int64_t end) {
                     activate_columns(batch, batch.experts[e], begin, end);
                   });
    run_row_ranges(experts, problem_.N2, kRowsPerTask, [&](std::int64_t e, std::int64_t begin, std::int64_t end) {
      finish_columns(batch, batch.experts[e], begin, end);
    });
    run_tasks(n, [&](std::int64_t i) { combine(batch, i, values.subspan(i * problem_.N2, problem_.N2)); });
  }

  /// body(expert, begin, end) for all ranges of `length` rows in 0 … rows-1 of every expert.
  template <class Body>
  static void run_row_ranges(std::int64_t experts, std::int64_t rows, std::int64_t length, const Body& body) {
    const std::int64_t ranges = (rows + length - 1) / length;
    run_tasks(experts * ranges, [&](std::int64_t task) {
      const std::int64_t begin = task % ranges * length;
      body(task / ranges, begin, std::min(begin + length, rows));
    });
  }

  Batch make_batch(std::span<const std::int64_t> tokens) const {
    Batch batch{.tokens = tokens, .hidden = {}, .activated = {}, .weighted = {}, .slots = {}, .experts = {}};
    const std::int64_t n = static_cast<std::int64_t>(tokens.size());
    batch.hidden.resize(n * problem_.K);
    batch.activated.resize(n * problem_.topk * problem_.inner());
    batch.weighted.resize(n * problem_.topk * problem_.N2);
    batch.slots.resize(problem_.E);
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t choice = 0; choice < problem_.topk; ++choice)
        if (const std::int32_t expert = routing_.expert_of(tokens[i] * problem_.topk + choice); expert >= 0)
          batch.slots[expert].push_back(i * problem_.topk + choice);
    for (std::int64_t expert = 0; expert < problem_.E; ++expert)
      if (!batch.slots[expert].empty()) batch.experts.push_back(expert);
    return batch;
  }

  double routing_weight(const Batch& batch, std::int64_t slot) const {
    return routing_.topk_weights[batch.tokens[slot / problem_.topk] * problem_.topk + slot % problem_.topk];
  }

  /// Bias elements from `first` on; zeros where the problem has no such bias.
  static void load_bias(const FillSpec& spec, bool present, std::int64_t first, std::span<float> out) {
    if (present)
      fill_floats(spec, first, out);
    else
      std::fill(out.begin(), out.end(), 0.0f);
  }

  /// First product and activation: columns begin … end-1 of `activated`, two at a time with their gate and up rows.
  void activate_columns(Batch& batch, std::int64_t expert, std::int64_t begin, std::int64_t end) const {
    static_assert(kDotRows == 4);
    const std::int64_t K = problem_.K, inner = problem_.inner();
    const std::vector<std::int64_t>& slots = batch.slots[expert];
    std::vector<const float*> inputs;
    for (const std::int64_t slot : slots) inputs.push_back(batch.hidden.data() + slot / problem_.topk * K);
    std::vector<float> weights(kDotRows * K);
    std::vector<double> sums(slots.size() * kDotRows);
    for (std::int64_t column = begin; column < end; column += 2) {
      const std::int64_t gate_row = expert * problem_.N1 + column, up_row = gate_row + inner;
      fill_floats(w1_, gate_row * K, std::span(weights).first(2 * K));
      fill_floats(w1_, up_row * K, std::span(weights).last(2 * K));
      float bias[kDotRows];
      load_bias(b1_, problem_.has_b1(), gate_row, std::span(bias).first(2));
      load_bias(b1_, problem_.has_b1(), up_row, std::span(bias).last(2));
      dot_rows(weights.data(), inputs, K, sums.data());
      for (std::size_t s = 0; s < slots.size(); ++s) {
        const double weight = problem_.weight_on_input ? routing_weight(batch, slots[s]) : 1.0;
        double row[kDotRows];
        for (int r = 0; r < kDotRows; ++r) {
          row[r] = (sums[s * kDotRows + r] + static_cast<double>(bias[r])) * weight;
          if (impl_ == Impl::three_kernel) row[r] = round_to(problem_.dtype, row[r]);  // stored as cache1
        }
        float* const out = batch.activated.data() + slots[s] * inner + column;
        for (int c = 0; c < 2; ++c)
          out[c] = static_cast<float>(round_to(problem_.dtype, activate(problem_.activation, row[c], row[2 + c])));
      }
    }
  }

  /// Second product, bias and routing weight: columns begin … end-1 of `weighted`.
  void finish_columns(Batch& batch, std::int64_t expert, std::int64_t begin, std::int64_t end) const {
    const std::int64_t inner = problem_.inner();
    const std::vector<std::int64_t>& slots = batch.slots[expert];
    std::vector<const float*> inputs;
    for (const std::int64_t slot : slots) inputs.push_back(batch.activated.data() + slot * inner);
    std::vector<float> weights(kDotRows * inner);
    std::vector<double> sums(slots.size() * kDotRows);
    for (std::int64_t column = begin; column < end; column += kDotRows) {
      const std::int64_t row = expert * problem_.N2 + column;
      fill_floats(w2_, row * inner, weights);
      float bias[kDotRows];
      load_bias(b2_, problem_.has_b2(), row, bias);
      dot_rows(weights.data(), inputs, inner, sums.data());
      for (std::size_t s = 0; s < slots.size(); ++s) {
        const double weight = problem_.weight_on_input ? 1.0 : routing_weight(batch, slots[s]);
        float* const out = batch.weighted.data() + slots[s] * problem_.N2 + column;
        for (int r = 0; r < kDotRows; ++r)
          out[r] = static_cast<float>(
              round_to(problem_.dtype, (sums[s * kDotRows + r] + static_cast<double>(bias[r])) * weight));
      }
    }
  }

  void combine(const Batch& batch, std::int64_t i, std::span<double> out) const {
    std::fill(out.begin(), out.end(), 0.0);
    for (std::int64_t choice = 0; choice < problem_.topk; ++choice) {
      const float* const row = batch.weighted.data() + (i * problem_.topk + choice) * problem_.N2;
      for (std::size_t column = 0; column < out.size(); ++column) out[column] += static_cast<double>(row[column]);
    }
    if (rounds_output_)
      for (double& value : out) value = round_to(problem_.dtype, value);
  }

  const Problem& problem_;
  Impl impl_;
  const Routing& routing_;
  bool rounds_output_;
  FillSpec hidden_, w1_, b1_, w2_, b2_;
};

/// What of the routing the chosen tokens cover.
void note_coverage(const Routing& routing, ReferenceRows& rows) {
  std::vector<bool> chosen(routing.M, false), seen(routing.E, false);
  for (const std::int64_t token : rows.tokens) {
    chosen[token] = true;
    for (std::int64_t choice = 0; choice < routing.topk; ++choice)
      if (const std::int32_t expert = routing.expert_of(token * routing.topk + choice); expert >= 0)
        seen[expert] = true;
  }
  const GroupEnds ends = find_group_ends(routing);
  rows.group_ends_checked = true;
  for (std::int64_t expert = 0; expert < routing.E; ++expert) {
    if (ends.first[expert] < 0) continue;
    ++rows.experts_hit;
    rows.experts_checked += seen[expert];
    if (!chosen[ends.first[expert]] || !chosen[ends.last[expert]]) rows.group_ends_checked = false;
  }
}

}  // namespace

ReferenceRows compute_reference(const Problem& problem, Impl impl, const Routing& routing, const DataSpec& data,
                                std::vector<std::int64_t> tokens) {
  ReferenceRows rows;
  rows.tokens = std::move(tokens);
  std::sort(rows.tokens.begin(), rows.tokens.end());
  rows.tokens.erase(std::unique(rows.tokens.begin(), rows.tokens.end()), rows.tokens.end());
  rows.values.resize(rows.tokens.size() * static_cast<std::size_t>(problem.N2));
  note_coverage(routing, rows);
  Reference(problem, impl, routing, data).compute(rows.tokens, rows.values);
  return rows;
}

}  // namespace moetune
