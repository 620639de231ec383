#include "export/selection.h"

#include <algorithm>

#include <fmt/format.h>

#include "results/names.h"

namespace moetune {
namespace {

bool same_question(const Selection& selection, const ReportRow& a, const ReportRow& b) {
  const DeviceInfo& device_a = selection.run(a).device;
  const DeviceInfo& device_b = selection.run(b).device;
  return a.best.problem == b.best.problem && a.best.timing == b.best.timing && device_a.name == device_b.name &&
         device_a.id == device_b.id;
}

bool is_better(const ReportRow& a, const ReportRow& b, std::optional<Impl> preferred) {
  if (preferred && (a.best.config.impl == *preferred) != (b.best.config.impl == *preferred))
    return a.best.config.impl == *preferred;
  return a.best.time.median_us < b.best.time.median_us;
}

}  // namespace

Selection select_rows(const Report& report, std::optional<Impl> preferred, std::optional<Impl> only) {
  Selection selection{.report = &report, .rows = {}};
  for (const ReportRow& row : report.rows) {
    if (only && row.best.config.impl != *only) continue;
    const auto other = std::find_if(selection.rows.begin(), selection.rows.end(),
                                    [&](const ReportRow* taken) { return same_question(selection, *taken, row); });
    if (other == selection.rows.end())
      selection.rows.push_back(&row);
    else if (is_better(row, **other, preferred))
      *other = &row;
  }
  return selection;
}

std::string row_name(const Selection& selection, const ReportRow& row) {
  const Problem& problem = row.best.problem;
  std::string name = fmt::format("{}/K:{}/N1:{}/N2:{}/E:{}/topk:{}/{}/{}",
                                 problem.model.empty() ? "custom" : problem.model, problem.K, problem.N1, problem.N2,
                                 problem.E, problem.topk, to_string(problem.dtype), to_string(problem.activation));
  if (problem.bias != Bias::none) name += fmt::format("/bias:{}", to_string(problem.bias));
  if (problem.weight_on_input) name += "/weight_on_input";
  if (problem.ep_ranks > 1) name += fmt::format("/ep:{}/rank:{}", problem.ep_ranks, problem.ep_rank);
  name += fmt::format("/{}/{}/{}", to_string(problem.routing), to_string(row.best.timing.cache),
                      to_string(row.best.timing.launch));
  if (row.best.timing.load != LoadState::lasting) name += fmt::format("/{}", to_string(row.best.timing.load));
  const DeviceInfo& device = selection.run(row).device;
  const bool several = std::any_of(selection.rows.begin(), selection.rows.end(), [&](const ReportRow* other) {
    const DeviceInfo& other_device = selection.run(*other).device;
    return other_device.name != device.name || other_device.id != device.id;
  });
  if (several) name += fmt::format("/{}/{}", device.name, device.id);
  return name + fmt::format("/M:{}", problem.M);
}

Stage first_gemm(Impl impl) {
  return tunable_stages_of(impl).front();
}
Stage second_gemm(Impl impl) {
  return tunable_stages_of(impl).back();
}

}  // namespace moetune
