#include "measure/trial.h"

#include "base/error.h"

namespace moetune {

std::string_view to_string(Trial::Phase phase) {
  switch (phase) {
    case Trial::Phase::screen:
      return "screen";
    case Trial::Phase::final:
      return "final";
  }
  return "?";
}

Trial::Phase parse_phase(std::string_view name) {
  for (const Trial::Phase phase : {Trial::Phase::screen, Trial::Phase::final})
    if (to_string(phase) == name) return phase;
  throw Error("unknown phase '" + std::string(name) + "': phases are screen and final");
}

Trial describe_failure(const Problem& problem, const PipelineConfig& config, const DataSpec& data,
                       const TimingOptions& timing, const Failure& failure, const std::optional<Verdict>& verdict) {
  return {.problem = problem,
          .phase = Trial::Phase::final,
          .stage = {},
          .config = config,
          .data = data,
          .timing = timing,
          .outcome = failure.outcome,
          .reason = failure.reason,
          .verdict = verdict,
          .time = {}};
}

Best describe_best(const Problem& problem, const PipelineConfig& config, const DataSpec& data,
                   const TimingOptions& timing, const Load& load, const Ceilings& ceilings, const Summary& time,
                   const Verdict& verdict) {
  const Work work = pipeline_work(problem, load);
  return {.problem = problem,
          .config = config,
          .data = data,
          .timing = timing,
          .experts_hit = load.experts_hit,
          .local_slots = problem.ep_ranks > 1 ? load.slots : 0,
          .local_tokens = problem.ep_ranks > 1 ? load.tokens : 0,
          .time = time,
          .burst = {},
          .stage_times = {},
          .verdict = verdict,
          .roofline_us = roofline_us(work, ceilings),
          .ceiling = merged_ceiling(problem, load, ceilings),
          .work = work,
          .versus_three_kernel = {},
          .choice = {},
          .bucket_transfer = {}};
}

}  // namespace moetune
