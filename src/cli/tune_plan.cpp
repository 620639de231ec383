#include "cli/tune_plan.h"

#include <fmt/format.h>

#include "cli/progress.h"

namespace moetune {

std::vector<std::string> plan_lines(const TunePlan& plan, bool reasons) {
  std::vector<std::string> lines;
  for (const TunePlan::StagePlan& stage : plan.stages) {
    if (stage.pinned) {
      lines.push_back(fmt::format("  {}: pinned", to_string(stage.stage)));
      continue;
    }
    std::string line = fmt::format("  {}: {} configs", to_string(stage.stage), stage.legal);
    std::size_t rejected = 0;
    for (const auto& [reason, count] : stage.rejected) rejected += count;
    if (rejected > 0) line += fmt::format(" ({} more cannot run here)", rejected);
    if (stage.trials) line += fmt::format(", at most {} trials", *stage.trials);
    lines.push_back(std::move(line));
    for (const std::string& passed_over : stage.passed_over) lines.push_back("    " + passed_over);
    if (!reasons) continue;
    for (const auto& [reason, count] : stage.rejected) lines.push_back(fmt::format("    {} {}", count, reason));
  }
  std::string line = fmt::format("  strategy {}, about {}", plan.strategy, format_duration(plan.likely_seconds));
  if (plan.seconds > 0) line += fmt::format(", at most {}", format_duration(plan.seconds));
  lines.push_back(std::move(line));
  return lines;
}

void PlanTotal::add(const TunePlan& plan) {
  ++problems;
  for (const TunePlan::StagePlan& stage : plan.stages)
    if (!stage.pinned) trials += stage.trials.value_or(0);
  likely_seconds += plan.likely_seconds;
  seconds += plan.seconds;
}

std::string to_string(const PlanTotal& total, std::size_t devices) {
  std::string text = fmt::format("{} problem{}", total.problems, total.problems == 1 ? "" : "s");
  if (total.trials > 0) text += fmt::format(", at most {} trials", total.trials);
  text += fmt::format(", about {}", format_duration(total.likely_seconds / static_cast<double>(devices)));
  if (devices > 1) text += fmt::format(" on {} devices", devices);
  return text;
}

}  // namespace moetune
