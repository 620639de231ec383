#include "search/stage_search.h"

#include <algorithm>
#include <set>

#include "search/search_loop.h"

namespace moetune {
namespace {

constexpr int kRaceRounds = 6;  // for the interleaved rungs

/// Faults that may have taken the device with them.
bool is_fault(Outcome outcome) {
  return outcome == Outcome::launch_error || outcome == Outcome::runtime_error || outcome == Outcome::timeout;
}

class StageSearch final : public Measurer {
 public:
  StageSearch(Workbench& bench, Stage stage, const StageSpace& space, const Defaults& host, Strategy& strategy,
              Meter& meter, std::size_t to_come, std::span<const PipelineConfig> comes_next)
      : bench_(bench),
        stage_(stage),
        space_(space),
        host_(host),
        strategy_(strategy),
        meter_(meter),
        to_come_(to_come),
        comes_next_(comes_next) {}

  StageResult run() {
    search(strategy_, *this);
    return std::move(result_);
  }

  void measure(const std::vector<Proposal>& batch) override {
    if (batch.front().rung == 0 && meter_.seconds_left())
      measure_in_slices(batch);
    else
      measure_at_once(batch);
  }
  const Scoreboard& board() const override { return result_.board; }
  const Meter& meter() const override { return meter_; }
  bool is_over() const override { return result_.device_lost || meter_.is_spent() || bench_.should_stop(); }

 private:
  /// Against a deadline: what has been compiled is measured before time goes into compiling more, of that only so much
  /// is compiled at a time as leaves half of what is left to measure it in, beside the measuring of the slice before,
  /// and nothing is waited for beyond the deadline. A batch of 64 compiled at once took a second, was not measured for
  /// want of time, and left none for the stages after it; 16 of the largest kernels took two.
  void measure_in_slices(const std::vector<Proposal>& batch) {
    constexpr std::size_t kFirstSlice = 16;  // kernels prepared so far may have been in a cache
    bench_.take_in_prepared();
    std::vector<Proposal> left = batch;
    const auto to_compile = std::stable_partition(
        left.begin(), left.end(), [this](const Proposal& each) { return bench_.is_prepared(pipeline_of(each)); });
    const std::vector<Proposal> ready(left.begin(), to_compile);
    left.erase(left.begin(), to_compile);
    std::vector<Proposal> slice = begin_slice(left, kFirstSlice);
    if (!ready.empty()) measure_at_once(ready, slice.empty());
    while (!slice.empty() && !is_over()) {
      std::vector<Proposal> next;
      for (std::vector<std::vector<Proposal>> parts = by_engine(slice); !parts.empty();) {
        const auto part = first_ready(parts);
        if (part == parts.end()) return;
        const std::vector<Proposal> ready_part = std::move(*part);
        parts.erase(part);
        if (parts.empty()) next = begin_slice(left, left.size());
        measure_at_once(ready_part, parts.empty() && next.empty());
      }
      slice = next;
    }
  }

  /// In parts of an engine each, as they come: kernels of mma take 0.5 to 0.7 s to compile where the largest of
  /// wgmma_swap_ab take 2.3, and are measured meanwhile.
  std::vector<std::vector<Proposal>> by_engine(const std::vector<Proposal>& slice) const {
    std::vector<std::vector<Proposal>> parts;
    for (const Proposal& proposal : slice) {
      const std::string& engine = space_.configs[proposal.candidate].engine;
      const auto part = std::find_if(parts.begin(), parts.end(), [&](const std::vector<Proposal>& each) {
        return space_.configs[each.front().candidate].engine == engine;
      });
      (part == parts.end() ? parts.emplace_back() : *part).push_back(proposal);
    }
    return parts;
  }

  /// Waits for one that has been compiled; the end where none has by the deadline.
  std::vector<std::vector<Proposal>>::iterator first_ready(std::vector<std::vector<Proposal>>& parts) {
    constexpr double kPoll = 0.01;
    while (true) {
      const double left_s = std::max(0.0, *meter_.seconds_left());
      for (auto part = parts.begin(); part != parts.end(); ++part)
        if (bench_.prepared_within(std::min(left_s, kPoll), to_prepare(*part, recall(*part)))) return part;
      if (left_s == 0) return parts.end();
    }
  }

  /// Takes up to `most` off the front, and begins to compile them.
  std::vector<Proposal> begin_slice(std::vector<Proposal>& left, std::size_t most) {
    if (left.empty()) return {};
    const double fit = *meter_.seconds_left() / 2 / std::max(bench_.prepare_seconds(), 1e-6);
    const auto end =
        left.begin() +
        static_cast<std::ptrdiff_t>(std::min({left.size(), most, static_cast<std::size_t>(std::clamp(fit, 1.0, 1e3))}));
    const std::vector<Proposal> slice(left.begin(), end);
    left.erase(left.begin(), end);
    bench_.begin_to_prepare(to_prepare(slice, recall(slice)));
    return slice;
  }

  /// What is not known has to be built.
  std::vector<PipelineConfig> to_prepare(const std::vector<Proposal>& batch,
                                         const std::vector<const Trial*>& known) const {
    std::vector<PipelineConfig> configs;
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (!known[i]) configs.push_back(pipeline_of(batch[i]));
    return configs;
  }

  /// `is_last`: nothing else of the strategy's batch is left to be compiled.
  void measure_at_once(const std::vector<Proposal>& batch, bool is_last = true) {
    const std::vector<const Trial*> known = recall(batch);
    bench_.prepare(to_prepare(batch, known));
    if (is_last && bench_.leaves_host_idle()) bench_.begin_to_prepare(likely_next(batch));
    if (batch.front().rung == 0)
      screen(batch, known);
    else
      race(batch, known);
  }

  /// What compilers can do while a batch is measured, where they would have nothing to do and the device would then
  /// wait for them (40 % of the seconds of tunings of 7 to 20 s on an H200 with 16 threads): half as many of what the
  /// strategy is likely to propose next; beside a race, after which it proposes nothing new, what comes next.
  std::vector<PipelineConfig> likely_next(const std::vector<Proposal>& batch) const {
    if (batch.front().rung > 0) return {comes_next_.begin(), comes_next_.end()};
    std::set<std::size_t> at_hand;
    for (const Proposal& proposal : batch) at_hand.insert(proposal.candidate);
    std::vector<PipelineConfig> likely;
    const std::size_t most = (batch.size() + 1) / 2;
    for (const std::size_t candidate : strategy_.foresee(board(), batch.size() + most))
      if (likely.size() < most && !at_hand.contains(candidate)) likely.push_back(pipeline_of({.candidate = candidate}));
    return likely;
  }

  PipelineConfig pipeline_of(const Proposal& proposal) const {
    const StageConfig& candidate = space_.configs[proposal.candidate];
    PipelineConfig config = host_.of(candidate.engine).config;
    config.stages[stage_] = candidate;
    return config;
  }

  /// What earlier runs know of a batch, null where they do not. Times from common rounds only mean something together:
  /// unless all are known, none is; failures stand by themselves.
  std::vector<const Trial*> recall(const std::vector<Proposal>& batch) const {
    std::vector<const Trial*> known;
    for (const Proposal& proposal : batch)
      known.push_back(bench_.recall(pipeline_of(proposal), Trial::Phase::screen, stage_, proposal.rung));
    if (batch.front().rung > 0 && std::count(known.begin(), known.end(), nullptr) > 0)
      for (const Trial*& trial : known)
        if (trial && trial->outcome == Outcome::ok) trial = nullptr;
    return known;
  }

  /// One after the other, each against the best so far.
  void screen(const std::vector<Proposal>& batch, const std::vector<const Trial*>& known) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Proposal& proposal = batch[i];
      if (is_over()) return;
      if (known[i]) {
        adopt(proposal, *known[i]);
        continue;
      }
      Attempt attempt = bench_.attempt(pipeline_of(proposal), Trial::Phase::screen, stage_);
      if (!attempt.is_verified()) {
        settle(proposal, attempt, std::nullopt);
        continue;
      }
      SamplingRule rule = screening();
      rule.incumbent_us = result_.board.best_us();
      const Candidate candidate{.pipeline = *attempt.verified, .stages = stages_decided_by(stage_)};
      settle(proposal, attempt, bench_.sample({&candidate, 1}, 1, rule).front());
    }
  }

  /// All at once in interleaved rounds.
  void race(const std::vector<Proposal>& batch, const std::vector<const Trial*>& known) {
    std::vector<Proposal> runners;
    std::vector<Attempt> attempts;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const Proposal& proposal = batch[i];
      if (known[i]) {
        adopt(proposal, *known[i]);
        continue;
      }
      if (is_over()) break;
      Attempt attempt = bench_.attempt(pipeline_of(proposal), Trial::Phase::screen, stage_, proposal.rung);
      if (attempt.is_verified()) {
        runners.push_back(proposal);
        attempts.push_back(std::move(attempt));
      } else {
        settle(proposal, attempt, std::nullopt);
      }
    }
    if (attempts.empty()) return;
    std::vector<Candidate> candidates;
    for (const Attempt& attempt : attempts)
      candidates.push_back({.pipeline = *attempt.verified, .stages = stages_decided_by(stage_)});
    SamplingRule rule = screening(batch.front().rung, bench_.settle_seconds());
    if (const std::optional<double> left_s = meter_.seconds_left())
      rule = shortened(rule, *left_s, attempts.size(), kRaceRounds);
    const std::vector<Result<Measurement>> measured = bench_.sample(candidates, kRaceRounds, rule);
    for (std::size_t i = 0; i < attempts.size(); ++i) settle(runners[i], attempts[i], measured[i]);
  }

  void settle(const Proposal& proposal, Attempt& attempt, const std::optional<Result<Measurement>>& measured) {
    if (measured)
      bench_.report(attempt, *measured);
    else
      bench_.report(attempt);
    if (is_fault(attempt.trial.outcome) && !bench_.should_stop()) {
      attempt.verified.reset();
      attempt.pipeline.reset();
      result_.device_lost = !bench_.still_works(host_.of(space_.configs[proposal.candidate].engine).config);
    }
    observe(proposal, attempt.trial);
  }

  void adopt(const Proposal& proposal, const Trial& recalled) {
    bench_.adopt(recalled);
    observe(proposal, recalled);
  }

  void observe(const Proposal& proposal, const Trial& trial) {
    meter_.count_trial();
    result_.board.add({.candidate = proposal.candidate,
                       .rung = proposal.rung,
                       .outcome = trial.outcome,
                       .median_us = trial.time ? trial.time->median_us : 0});
    if (trial.outcome != Outcome::ok) ++result_.failures[to_string(Failure{trial.outcome, trial.reason})];

    const std::vector<std::size_t> ranked = result_.board.ranked();
    const std::size_t left = std::min(meter_.allowance(1).left, space_.configs.size());
    bench_.progress(to_string(stage_), left + to_come_, result_.board.best_us(),
                    ranked.empty() ? "" : to_label(space_.configs[ranked.front()]));
  }

  Workbench& bench_;
  Stage stage_;
  const StageSpace& space_;
  const Defaults& host_;
  Strategy& strategy_;
  Meter& meter_;
  std::size_t to_come_;
  std::span<const PipelineConfig> comes_next_;
  StageResult result_;
};

}  // namespace

StageResult search_stage(Workbench& bench, Stage stage, const StageSpace& space, const Defaults& host,
                         Strategy& strategy, Meter& meter, std::size_t to_come,
                         std::span<const PipelineConfig> comes_next) {
  return StageSearch(bench, stage, space, host, strategy, meter, to_come, comes_next).run();
}

}  // namespace moetune
