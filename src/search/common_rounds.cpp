#include "search/common_rounds.h"

#include <utility>

namespace moetune {

std::optional<std::vector<Tried>> try_in_common_rounds(Workbench& bench, std::span<const PipelineConfig> configs,
                                                       int rounds, const SamplingRule& rule, std::string_view phase) {
  bench.prepare(configs);
  bench.progress(phase, configs.size(), std::nullopt, "");
  std::vector<Tried> tried;
  std::vector<std::pair<std::size_t, Attempt>> attempts;  // with the place among the configs
  for (const PipelineConfig& config : configs) {
    if (bench.should_stop()) return std::nullopt;
    if (const Trial* known = bench.recall(config, Trial::Phase::final, std::nullopt);
        known && known->outcome != Outcome::ok) {
      bench.adopt(*known);
      tried.push_back({.verdict = known->verdict, .measured = Failure{known->outcome, known->reason}});
      continue;
    }
    Attempt attempt = bench.attempt(config, Trial::Phase::final, std::nullopt);
    tried.push_back(
        {.verdict = attempt.trial.verdict, .measured = Failure{attempt.trial.outcome, attempt.trial.reason}});
    if (attempt.is_verified())
      attempts.emplace_back(tried.size() - 1, std::move(attempt));
    else
      bench.report(attempt);
  }
  if (attempts.empty()) return tried;
  std::vector<Candidate> candidates;
  for (const auto& [place, attempt] : attempts) candidates.push_back({.pipeline = *attempt.verified});
  std::vector<Result<Measurement>> measured = bench.sample(candidates, rounds, rule);
  if (bench.should_stop()) return std::nullopt;
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    bench.report(attempts[i].second, measured[i]);
    tried[attempts[i].first].measured = std::move(measured[i]);
  }
  bench.progress(phase, 0, std::nullopt, "");
  return tried;
}

}  // namespace moetune
