#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "report/exporters.h"

namespace moetune {
namespace {

std::string quote(std::string_view cell) {
  if (cell.find_first_of(",\"\n\r") == cell.npos) return std::string(cell);
  std::string quoted = "\"";
  for (const char c : cell) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

/// The engines of the stages, each once: "mma", "wgmma+mma".
std::string engines_of(const PipelineConfig& config) {
  std::vector<std::string_view> names;
  for (const auto& [stage, stage_config] : config.stages)
    if (std::find(names.begin(), names.end(), stage_config.engine) == names.end()) names.push_back(stage_config.engine);
  return fmt::format("{}", fmt::join(names, "+"));
}

/// Empty where the value is not known.
std::string known(double value) {
  return value > 0 ? fmt::format("{:.4f}", value) : "";
}

}  // namespace

std::string to_csv(const Report& report) {
  std::string out =
      "model,M,K,N1,N2,E,topk,dtype,activation,bias,routing,impl,engine,median_us,ci_low_us,ci_high_us,roofline_us,"
      "roofline_fraction,ceiling,tflops,gbps,verified,burst_us,ep_ranks,ep_rank\n";
  for (const ReportRow& row : report.rows) {
    const Best& best = row.best;
    const Problem& problem = best.problem;
    out += fmt::format(
        "{},{},{},{},{},{},{},{},{},{},{},{},{},{:.3f},{:.3f},{:.3f},{},{},{},{:.4f},{:.4f},{},{},{},{}\n",
        problem.model.empty() ? "custom" : quote(problem.model), problem.M, problem.K, problem.N1, problem.N2,
        problem.E, problem.topk, to_string(problem.dtype), to_string(problem.activation), to_string(problem.bias),
        quote(to_string(problem.routing)), to_string(best.config.impl), quote(engines_of(best.config)),
        best.time.median_us, best.time.ci_low_us, best.time.ci_high_us, known(best.roofline_us),
        known(best.roofline_fraction()), known(best.ceiling), row.tflops(), row.gbps(), best.verdict.passed,
        best.burst ? fmt::format("{:.3f}", best.burst->median_us) : "", problem.ep_ranks, problem.ep_rank);
  }
  return out;
}

}  // namespace moetune
