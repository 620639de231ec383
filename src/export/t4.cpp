// T4, the JSON in which autotuners hand on what they tried: KernelTuner's, KTT's and the methodology to compare search
// algorithms read it. A results file holds one search space; its times are in ms.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "export/formats.h"
#include "results/best_file.h"
#include "results/json.h"
#include "results/names.h"

namespace moetune {
namespace {

constexpr std::string_view kVersion = "1.0.0";

std::string_view invalidity(Outcome outcome) {
  switch (outcome) {
    case Outcome::ok:
      return "correct";
    case Outcome::invalid:
    case Outcome::skipped:
      return "constraints";
    case Outcome::compile_error:
      return "compile";
    case Outcome::timeout:
      return "timeout";
    case Outcome::incorrect:
      return "correctness";
    case Outcome::out_of_memory:
    case Outcome::launch_error:
    case Outcome::runtime_error:
      break;
  }
  return "runtime";
}

/// The trials of one space: of a stage alone, or of a whole pipeline.
struct Space {
  const Trial* first = nullptr;
  const DeviceInfo* device = nullptr;
  std::vector<std::pair<const Trial*, const Environment*>> trials;

  bool holds(const Trial& trial, const DeviceInfo& its_device) const {
    return trial.problem == first->problem && trial.timing == first->timing && trial.stage == first->stage &&
           trial.config.impl == first->config.impl && its_device.name == device->name && its_device.id == device->id;
  }
};

std::vector<Space> find_spaces(std::span<const Journal> journals, std::optional<Impl> only) {
  std::vector<Space> spaces;
  for (const Journal& journal : journals) {
    for (const auto& [trial, run, line] : journal.trials) {
      if (only && trial.config.impl != *only) continue;
      const Environment& environment = journal.runs[run].environment;
      auto space = std::find_if(spaces.rbegin(), spaces.rend(),
                                [&, &t = trial](const Space& each) { return each.holds(t, environment.device); });
      if (space == spaces.rend()) {
        spaces.push_back({.first = &trial, .device = &environment.device, .trials = {}});
        space = spaces.rbegin();
      }
      space->trials.emplace_back(&trial, &environment);
    }
  }
  return spaces;
}

/// Flat, as T4 has it: the engine is one more tunable, and those of a pipeline's stages go by "gate.BLOCK_SIZE_M".
Json configuration(const Trial& trial) {
  Json json = Json::object();
  for (const auto& [stage, config] : trial.config.stages) {
    if (trial.stage && stage != *trial.stage) continue;
    const std::string prefix = trial.stage ? "" : fmt::format("{}.", to_string(stage));
    json[prefix + "engine"] = config.engine;
    for (const auto& [key, value] : config.config.values()) json[prefix + key] = value;
  }
  return json;
}

Json measurement(std::string_view name, Json value, std::string_view unit) {
  return {{"name", name}, {"value", std::move(value)}, {"unit", unit}};
}

Json result(const Trial& trial, const Environment& run) {
  constexpr double kMsPerUs = 1e-3, kMsPerS = 1e3;
  Json runtimes = Json::array(), measurements = Json::array();
  if (trial.time) {
    const Summary& time = *trial.time;
    runtimes.push_back(time.median_us * kMsPerUs);
    measurements.push_back(measurement("time", time.median_us * kMsPerUs, "ms"));
    measurements.push_back(measurement("time_ci_low", time.ci_low_us * kMsPerUs, "ms"));
    measurements.push_back(measurement("time_ci_high", time.ci_high_us * kMsPerUs, "ms"));
    measurements.push_back(measurement("samples", time.n, ""));
  }
  if (trial.verdict) measurements.push_back(measurement("relative_l2", to_json(*trial.verdict)["relative_l2"], ""));
  if (!trial.reason.empty()) measurements.push_back(measurement("reason", trial.reason, ""));
  return {{"timestamp", run.created},  // of the run: trials have none of their own
          {"configuration", configuration(trial)},
          // Framework: what building, verifying and timing took together. They are not told apart.
          {"times",
           {{"compilation_time", trial.compile_s * kMsPerS},
            {"runtimes", std::move(runtimes)},
            {"framework", trial.wall_s * kMsPerS},
            {"search_algorithm", 0},
            {"validation", 0}}},
          {"invalidity", invalidity(trial.outcome)},
          {"correctness", trial.verdict && trial.verdict->passed ? 1 : 0},
          {"measurements", std::move(measurements)},
          {"objectives", {"time"}}};
}

std::string to_text(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// "qwen3-30b-a3b_M16_….merged.gate.t4.json", or "….merged.pipeline.t4.json". A number is added where several devices
/// or timing options would have the same name.
std::string file_name(const Space& space, const Export& before) {
  std::string stem = best_file_name(space.first->problem, space.first->config.impl);
  stem.resize(stem.size() - std::string_view(".json").size());
  stem += fmt::format(".{}", space.first->stage ? to_string(*space.first->stage) : "pipeline");
  std::string name = stem + ".t4.json";
  const auto taken = [&](const ExportFile& file) { return file.name == name; };
  for (int i = 2; std::any_of(before.files.begin(), before.files.end(), taken); ++i)
    name = fmt::format("{}-{}.t4.json", stem, i);
  return name;
}

/// The machines and tools of all runs; which result is of which run, the timestamps tell.
ExportFile metadata(std::span<const Journal> journals) {
  Json hardware = Json::array(), requirements = Json::array();
  std::string system;
  for (const Journal& journal : journals) {
    for (const Journal::Run& run : journal.runs) {
      hardware.push_back(to_json(run.environment));
      system = run.environment.system;
      Json tool = fmt::format("moe-tune=={} ({})", run.environment.build.version, run.environment.build.git_revision);
      if (std::find(requirements.begin(), requirements.end(), tool) == requirements.end())
        requirements.push_back(std::move(tool));
    }
  }
  return {
      .name = "metadata.t4.json",
      .text = to_text({{"schema_version", kVersion},
                       {"metadata",
                        {{"hardware", {{"hardware_description", std::move(hardware)}, {"operating_system", system}}},
                         {"environment", {{"requirements", std::move(requirements)}}}}}})};
}

}  // namespace

Export to_t4(std::span<const Journal> journals, std::optional<Impl> only) {
  const std::vector<Space> spaces = find_spaces(journals, only);
  if (spaces.empty())
    throw Error(
        "nothing to export as t4: there is no trial; give the journal of `moe-tune tune`, best-config files have none");
  Export exported;
  for (const Space& space : spaces) {
    Json json{{"results", Json::array()}, {"schema_version", kVersion}};
    for (const auto& [trial, run] : space.trials) json["results"].push_back(result(*trial, *run));
    exported.files.push_back({.name = file_name(space, exported), .text = to_text(json)});
  }
  exported.files.push_back(metadata(journals));
  return exported;
}

}  // namespace moetune
