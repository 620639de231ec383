#include "search/finals.h"

#include <algorithm>
#include <numeric>

namespace moetune {
namespace {

constexpr int kRounds = 9;  // enough pairs for an interval of their ratio
constexpr int kLeastRounds = 3;
constexpr int kStageRounds = 3;
constexpr double kLastShare = 0.8;    // of what is left after the rounds of all
constexpr double kStagesShare = 0.5;  // of what is left then
constexpr double kBurstShare = 0.9;   // of the same: stages alone take little
constexpr double kOwnClock = 0.1;     // seconds of a visit in which a GPU mostly gets to what the pipeline itself draws
// Times what the mix may hide of the fastest by itself: of 32 rows at the power limit of an H200 one that was 0.2
// to 6.6 % behind in the mix was ahead by itself in 10.
constexpr double kHidden = 1.06;

/// A finalist that was built and verified.
struct Entry {
  Finalist finalist;
  Attempt attempt;
  std::optional<Measurement> measured;
};

/// Those of one implementation that were measured, and how they rank.
struct RankedEntries {
  std::vector<Entry*> entries;
  Ranking ranking;
};

class Finals {
 public:
  Finals(Workbench& bench, std::optional<double> seconds) : bench_(bench) {
    if (seconds) end_s_ = bench.seconds() + *seconds;
  }

  FinalsResult run(const std::vector<std::pair<Impl, std::vector<Finalist>>>& finalists, const DataSpec& fresh) {
    std::vector<Entry> entries = enter(finalists);
    measure(entries, kFinalsShare, kRounds, finals(bench_.settle_seconds()), "finals", finalists.size() * 2);
    if (bench_.should_stop()) return {};

    std::vector<std::vector<Entry>> ranked;  // for each implementation, the winner first
    for (const auto& [impl, unused] : finalists) ranked.push_back(ranked_entries(impl, entries));
    entries.clear();  // frees the pipelines of those who failed
    bench_.refill(fresh);
    std::vector<Entry> last = verify_on_fresh_data(ranked);
    ranked.clear();
    measure_last(last);
    if (bench_.should_stop()) return {};

    std::vector<const Entry*> winners;
    for (const auto& [impl, unused] : finalists)
      if (const Entry* winner = choose(impl, last)) winners.push_back(winner);
    for (const Entry* winner : winners) result_.best.push_back(describe(*winner, winners));
    time_bursts(winners);
    for (std::size_t i = 0; i < winners.size(); ++i) result_.best[i].stage_times = time_stages(*winners[i]);
    bench_.progress("stages alone", 0, std::nullopt, "");
    return std::move(result_);
  }

 private:
  std::optional<double> seconds_left(double share) const {
    if (!end_s_) return std::nullopt;
    return std::max(0.0, *end_s_ - bench_.seconds()) * share;
  }

  /// In a share of the time left.
  std::vector<Result<Measurement>> sample_within(double share, const std::vector<Candidate>& candidates, int rounds,
                                                 SamplingRule rule) {
    if (const std::optional<double> seconds = seconds_left(share))
      rule = shortened(rule, *seconds, candidates.size(), rounds);
    return bench_.sample(candidates, rounds, rule);
  }

  void count_failure(const Trial& trial) {
    ++result_.failures[trial.config.impl][to_string(Failure{trial.outcome, trial.reason})];
  }

  /// Whether it failed on this data before: then that stands. Times do not: ranking needs those of all, round by round.
  bool recall_failure(const PipelineConfig& config) {
    const Trial* known = bench_.recall(config, Trial::Phase::final, std::nullopt);
    if (!known || known->outcome == Outcome::ok) return false;
    bench_.adopt(*known);
    count_failure(*known);
    return true;
  }

  std::vector<Entry> enter(const std::vector<std::pair<Impl, std::vector<Finalist>>>& finalists) {
    std::vector<PipelineConfig> configs;
    for (const auto& [impl, of_impl] : finalists)
      for (const Finalist& finalist : of_impl) configs.push_back(finalist.config);
    bench_.prepare(configs);
    std::vector<Entry> entries;
    for (const auto& [impl, of_impl] : finalists)
      for (const Finalist& finalist : of_impl) {
        if (bench_.should_stop()) return entries;
        if (recall_failure(finalist.config)) continue;
        Attempt attempt = bench_.attempt(finalist.config, Trial::Phase::final, std::nullopt);
        if (attempt.is_verified()) {
          entries.push_back({.finalist = finalist, .attempt = std::move(attempt), .measured = {}});
        } else {
          count_failure(attempt.trial);
          bench_.report(attempt);
        }
      }
    return entries;
  }

  /// All entries in common rounds; each becomes a trial.
  void measure(std::vector<Entry>& entries, double share, int rounds, const SamplingRule& rule, std::string_view phase,
               std::size_t to_come) {
    std::vector<Candidate> candidates;
    for (const Entry& entry : entries) candidates.push_back({.pipeline = *entry.attempt.verified});
    const std::vector<Result<Measurement>> measured = sample_within(share, candidates, rounds, rule);
    const Entry* fastest = nullptr;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      Entry& entry = entries[i];
      bench_.report(entry.attempt, measured[i]);
      if (measured[i]) {
        entry.measured = measured[i].value();
        if (!fastest || entry.measured->time.median_us < fastest->measured->time.median_us) fastest = &entry;
      } else {
        count_failure(entry.attempt.trial);
      }
    }
    if (fastest) bench_.progress(phase, to_come, fastest->measured->time.median_us, to_label(fastest->finalist.config));
  }

  /// The rounds that are reported, and decide.
  void measure_last(std::vector<Entry>& last) {
    const bool has_limit = bench_.settle_seconds() > 0;
    if (!is_by_replays()) {
      const int rounds = has_limit ? last_rounds(last.size()) : kRounds;
      return measure(last, kLastShare, rounds, reporting(bench_.settle_seconds()), "fresh data", 0);
    }
    const int rounds = last_rounds(last.size());
    SamplingRule rule = replays(rounds);
    // Without one of the draws it were a mean of something else. A CPU's runs may take seconds, though.
    if (has_limit) rule.least_rounds = least_last_rounds();
    measure(last, kLastShare, rounds, rule, "fresh data", 0);
  }

  /// Of the last rounds. Visits to lasting load that are shorter are over before the clock is the candidate's own.
  double visit_seconds() const {
    const SamplingRule visit = replays(1);
    return is_by_replays() ? visit.read_seconds + visit.visit_seconds : kOwnClock;
  }

  /// Fewer where little time is left for their visits.
  int last_rounds(std::size_t candidates) const {
    const std::optional<double> seconds = seconds_left(kLastShare);
    if (!seconds) return kRounds;
    const double visits = *seconds / static_cast<double>(std::max<std::size_t>(candidates, 1)) / visit_seconds();
    return static_cast<int>(std::clamp(visits, double(least_last_rounds()), double{kRounds}));
  }

  /// One for each draw of the routing.
  int least_last_rounds() const { return std::clamp(bench_.options().timing.routing_draws, kLeastRounds, kRounds); }

  /// The draws whose only round may be cut in two for want of another. Not those of replays: their clock falls as they
  /// go on, in some rounds from full speed to three quarters of it, and what a cut makes of that hid leads of 7 %.
  int draws_to_cut() const { return is_by_replays() ? 1 : bench_.draws(); }

  bool is_by_replays() const { return bench_.options().timing.load == LoadState::replays; }

  double margin() const { return std::max(kTieMargin, bench_.options().noise_floor); }

  RankedEntries rank_measured(Impl impl, std::vector<Entry>& entries) const {
    RankedEntries ranked;
    std::vector<Standing> standings;
    for (Entry& entry : entries) {
      if (entry.finalist.config.impl != impl || !entry.measured) continue;
      ranked.entries.push_back(&entry);
      standings.push_back({.finalist = entry.finalist, .round_medians = entry.measured->round_medians(draws_to_cut())});
    }
    ranked.ranking = rank(standings, margin(), bench_.draws());
    return ranked;
  }

  /// The winner first.
  std::vector<Entry> ranked_entries(Impl impl, std::vector<Entry>& entries) {
    const RankedEntries measured = rank_measured(impl, entries);
    const Ranking& ranking = measured.ranking;
    std::vector<Entry> ranked;
    for (const std::size_t i : ranking.order) ranked.push_back(std::move(*measured.entries[i]));
    Choice& choice = choices_[impl];
    choice = {.ties = {}, .flip_probability = ranking.flip_probability, .margin = margin()};
    for (std::size_t i = 0; i < ranking.ties; ++i) choice.ties.push_back(ranked[i].finalist.config);
    return ranked;
  }

  /// Of each implementation the first that passes, and where these are others the fastest and the default: candidates
  /// draw different power, and the clock that the finals' mix leaves to all of them is none's own. Where that was at a
  /// power limit, also those that it may have hidden, as far as time goes.
  std::vector<Entry> verify_on_fresh_data(std::vector<std::vector<Entry>>& ranked) {
    const std::size_t most = most_of_each(ranked.size());
    std::vector<Entry> last;
    for (std::vector<Entry>& of_impl : ranked) {
      const auto time = [](const Entry& entry) { return geometric_mean(entry.measured->round_medians()); };
      const auto fastest = std::min_element(of_impl.begin(), of_impl.end(),
                                            [&](const Entry& a, const Entry& b) { return time(a) < time(b); });
      const double hidden_us = fastest != of_impl.end() && is_at_limit(*fastest) ? kHidden * time(*fastest) : 0;
      std::size_t passed = 0;
      for (auto entry = of_impl.begin(); entry != of_impl.end(); ++entry) {
        if (bench_.should_stop()) return last;
        const bool takes_part = passed == 0 || entry == fastest || entry->finalist.is_default ||
                                (passed < most && time(*entry) < hidden_us);
        if (!takes_part || recall_failure(entry->finalist.config)) continue;
        Attempt again = bench_.verify_again(entry->finalist.config, std::move(entry->attempt.pipeline));
        if (again.is_verified()) {
          last.push_back({.finalist = entry->finalist, .attempt = std::move(again), .measured = {}});
          ++passed;
        } else {
          count_failure(again.trial);
          bench_.report(again);
        }
      }
    }
    return last;
  }

  /// Whether other candidates' power had a part in its time. A device that has a power limit and does not tell is
  /// taken to be at it.
  bool is_at_limit(const Entry& entry) const {
    const Summary& time = entry.measured->time;
    if (bench_.settle_seconds() == 0) return false;
    return time.sm_clock_mhz == 0 ||
           std::find(time.slowed_by.begin(), time.slowed_by.end(), ClockState::kPowerLimit) != time.slowed_by.end();
  }

  /// Who can take part in the last rounds, of each of so many implementations, so that these tell them apart. One place
  /// more is the default's.
  std::size_t most_of_each(std::size_t impls) const {
    constexpr std::size_t kMost = 5;
    const std::optional<double> seconds = seconds_left(kLastShare);
    if (!seconds) return kMost;
    const double each_s = seconds_to_tell_apart() * static_cast<double>(std::max<std::size_t>(impls, 1));
    return static_cast<std::size_t>(std::clamp(*seconds / each_s - 1, 1.0, static_cast<double>(kMost)));
  }

  /// Of the last rounds, of each who takes part. Of replays each draw has two, as only these show how they vary.
  double seconds_to_tell_apart() const {
    return visit_seconds() * (is_by_replays() ? std::min(2 * least_last_rounds(), kRounds) : least_last_rounds());
  }

  /// The winner of the last rounds, on the fresh data, by the rule of the finals. It ties with those whom these rounds
  /// do not tell from it, and with those of its ties in the finals that are not in these rounds.
  const Entry* choose(Impl impl, std::vector<Entry>& last) {
    const RankedEntries ranked = rank_measured(impl, last);
    const Ranking& ranking = ranked.ranking;
    if (ranking.order.empty()) return nullptr;
    const auto config_of = [&](std::size_t place) { return ranked.entries[ranking.order[place]]->finalist.config; };
    Choice& choice = choices_[impl];
    if (std::find(choice.ties.begin(), choice.ties.end(), config_of(0)) == choice.ties.end()) choice.ties.clear();
    for (std::size_t place = 0; place < ranking.order.size(); ++place) std::erase(choice.ties, config_of(place));
    for (std::size_t place = ranking.ties - 1; place > 0; --place)
      choice.ties.insert(choice.ties.begin(), config_of(place));
    choice.flip_probability = std::max(choice.flip_probability, ranking.flip_probability);
    return ranked.entries[ranking.order.front()];
  }

  Best describe(const Entry& winner, const std::vector<const Entry*>& winners) {
    const Impl impl = winner.finalist.config.impl;
    Best best =
        describe_best(bench_.problem(), winner.finalist.config, bench_.data(), bench_.options().timing, bench_.load(),
                      bench_.options().ceilings, winner.measured->time, winner.attempt.trial.verdict.value());
    best.choice = choices_.at(impl);
    if (impl != Impl::three_kernel)
      for (const Entry* other : winners)
        if (other->finalist.config.impl == Impl::three_kernel)
          best.versus_three_kernel = speedup(winner.measured->round_medians(draws_to_cut()),
                                             other->measured->round_medians(draws_to_cut()), bench_.draws());
    return best;
  }

  /// The same pipelines after rests, where that can make a difference and there is time for it: fewer rests, or shorter
  /// ones, would give a figure of neither state.
  void time_bursts(const std::vector<const Entry*>& winners) {
    if (bench_.settle_seconds() == 0) return;
    const SamplingRule rule = bursts();
    std::vector<Candidate> candidates;
    for (const Entry* winner : winners) candidates.push_back({.pipeline = *winner->attempt.verified});
    const double needed =
        static_cast<double>(candidates.size()) * kBurstRounds * (rule.rest_seconds + rule.visit_seconds);
    if (const std::optional<double> seconds = seconds_left(kBurstShare); seconds && *seconds < needed) return;
    const std::vector<Result<Measurement>> measured = bench_.sample(candidates, kBurstRounds, rule);
    for (std::size_t i = 0; i < measured.size(); ++i)
      if (measured[i]) result_.best[i].burst = measured[i].value().time;
  }

  /// Each stage alone, by turns, at the clocks that all of them together draw, as in the pipeline.
  std::map<Stage, Summary> time_stages(const Entry& winner) {
    const std::span<const Stage> stages = stages_of(winner.finalist.config.impl);
    std::vector<Candidate> candidates;
    for (const Stage stage : stages)
      candidates.push_back({.pipeline = *winner.attempt.verified, .stages = only(stage)});
    SamplingRule rule = finals(bench_.settle_seconds());
    rule.max_samples = screening(1).max_samples;
    rule.max_seconds = screening(1).max_seconds;
    const std::vector<Result<Measurement>> measured = sample_within(kStagesShare, candidates, kStageRounds, rule);
    std::map<Stage, Summary> times;
    for (std::size_t i = 0; i < stages.size(); ++i)
      if (measured[i]) times.emplace(stages[i], measured[i].value().time);
    return times;
  }

  Workbench& bench_;
  std::optional<double> end_s_;
  std::map<Impl, Choice> choices_;
  FinalsResult result_;
};

}  // namespace

FinalsResult run_finals(Workbench& bench, const std::vector<std::pair<Impl, std::vector<Finalist>>>& finalists,
                        const DataSpec& fresh, std::optional<double> seconds) {
  return Finals(bench, seconds).run(finalists, fresh);
}

}  // namespace moetune
