#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "export/formats.h"
#include "results/json_field.h"

namespace moetune {

Export to_gbench(const Selection& selection) {
  if (selection.rows.empty()) throw Error("nothing to export as gbench: there is no row");
  const Environment& run = selection.run(*selection.rows.front());
  Json json;
  json["context"] = {{"date", run.created},
                     {"host_name", ""},
                     {"executable", "moe-tune"},
                     {"num_cpus", run.hardware_threads},
                     {"mhz_per_cpu", 0},
                     {"cpu_scaling_enabled", false},
                     {"caches", Json::array()},
                     {"load_avg", Json::array()},
                     {"library_build_type", "release"},
                     {"json_schema_version", 1},
                     {"device", run.device.name},
                     {"moe_tune", fmt::format("{} {}", run.build.version, run.build.git_revision)}};
  json["benchmarks"] = Json::array();
  for (const ReportRow* row : selection.rows) {
    const Best& best = row->best;
    const std::string name = row_name(selection, *row);
    // Time that the host's processor spent is not measured; compare.py wants a figure, so it gets the same.
    json["benchmarks"].push_back({{"name", name},
                                  {"family_index", json["benchmarks"].size()},
                                  {"per_family_instance_index", 0},
                                  {"run_name", name},
                                  {"run_type", "iteration"},
                                  {"repetitions", 1},
                                  {"repetition_index", 0},
                                  {"threads", 1},
                                  {"iterations", best.time.n},
                                  {"real_time", best.time.median_us},
                                  {"cpu_time", best.time.median_us},
                                  {"time_unit", "us"},
                                  {"label", to_label(best.config)},
                                  {"ci_low_us", best.time.ci_low_us},
                                  {"ci_high_us", best.time.ci_high_us},
                                  {"TFLOP/s", row->tflops()},
                                  {"GB/s", row->gbps()}});
  }
  return {.files = {{.name = "moe-tune.gbench.json",
                     .text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"}},
          .notes = {}};
}

}  // namespace moetune
