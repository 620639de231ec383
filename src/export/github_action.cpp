#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "export/formats.h"
#include "results/json_field.h"
#include "results/repro.h"

namespace moetune {

Export to_github_action_benchmark(const Selection& selection) {
  if (selection.rows.empty()) throw Error("nothing to export as github-action-benchmark: there is no row");
  Json json = Json::array();
  for (const ReportRow* row : selection.rows) {
    const Summary& time = row->best.time;
    const DeviceInfo& device = selection.run(*row).device;
    const double off = std::max(time.ci_high_us - time.median_us, time.median_us - time.ci_low_us);
    json.push_back({{"name", row_name(selection, *row)},
                    {"unit", "us"},
                    {"value", time.median_us},
                    {"range", fmt::format("± {:.3f}", off)},
                    {"extra", fmt::format("{}\non {} ({})\n{}", to_label(row->best.config), device.name, device.id,
                                          repro_command(row->best, device.id))}});
  }
  return {.files = {{.name = "moe-tune.github-action-benchmark.json",
                     .text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"}},
          .notes = {}};
}

}  // namespace moetune
