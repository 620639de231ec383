#include "measure/verify.h"

namespace moetune {

Verification verify(Pipeline& pipeline, const Problem& problem, const DataSpec& data, const ReferenceRows& reference) {
  const Result<OutputScan> first = pipeline.run();
  if (!first) return {.verdict = {}, .result = first.failure()};
  const Result<OutputScan> second = pipeline.run();
  if (!second) return {.verdict = {}, .result = second.failure()};

  const std::vector<float> rows = pipeline.read_rows(reference.tokens);
  const Verdict verdict =
      judge(problem, data, reference, rows, first.value(), second.value(), pipeline.is_repeatable());
  if (!verdict.passed)
    return {.verdict = verdict, .result = Failure{.outcome = Outcome::incorrect, .reason = verdict.reason}};
  return {.verdict = verdict, .result = Verified(pipeline)};
}

}  // namespace moetune
