#include "results/space_file.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/gzip.h"
#include "kernel/engine.h"
#include "results/best_file.h"
#include "results/json.h"

namespace moetune {
namespace {

constexpr std::string_view kSpaceSchema = "moe-tune/space";
constexpr std::array<std::string_view, 10> kColumns{"config",    "rung",       "outcome", "reason",    "median_us",
                                                    "ci_low_us", "ci_high_us", "n",       "compile_s", "measure_s"};

RecordedTrial recorded_trial(const Trial& trial) {
  RecordedTrial recorded{
      .outcome = trial.outcome, .reason = trial.reason, .compile_s = trial.compile_s, .measure_s = trial.wall_s};
  if (trial.time) {
    recorded.median_us = trial.time->median_us;
    recorded.ci_low_us = trial.time->ci_low_us;
    recorded.ci_high_us = trial.time->ci_high_us;
    recorded.n = trial.time->n;
  }
  return recorded;
}

bool is_complete(const Trial& trial) {
  if (trial.phase != Trial::Phase::screen || !trial.stage || trial.outcome == Outcome::skipped) return false;
  if (!trial.time) return trial.outcome != Outcome::ok;
  return trial.time->stopped_by != "interrupted";
}

/// Sets `trial` at its rung.
void add_trial(RecordedSpace::Entry& entry, RecordedTrial trial) {
  const auto rung = static_cast<std::size_t>(trial.rung);
  if (rung < entry.trials.size())
    entry.trials[rung] = std::move(trial);
  else
    entry.trials.push_back(std::move(trial));
}

/// A space on its way.
struct Draft {
  SpaceFile file;
  std::map<StageConfig, std::size_t> index;                   ///< into file.space.entries
  std::map<std::pair<std::size_t, StageConfig>, int> of_run;  ///< trials so far
};

/// Microseconds and seconds to six digits: more than any clock tells, and half the bytes.
double rounded(double value) {
  return std::strtod(fmt::format("{:.6g}", value).c_str(), nullptr);  // std::stod throws at the least of numbers
}

std::vector<std::string> parameters_of(const Config& config) {
  std::vector<std::string> names;
  for (const auto& [name, value] : config.values()) names.push_back(name);
  return names;
}

/// A list for each engine, and one more for its configs from before it had all its parameters.
Json engines_json(const RecordedSpace& space, std::vector<std::size_t>& place) {
  using List = std::pair<std::string, std::vector<std::string>>;
  std::vector<List> lists, list_of;  // the latter of each entry
  for (const RecordedSpace::Entry& entry : space.entries) {
    list_of.emplace_back(entry.config.engine, parameters_of(entry.config.config));
    if (std::find(lists.begin(), lists.end(), list_of.back()) == lists.end()) lists.push_back(list_of.back());
  }
  Json engines = Json::array();
  place.resize(space.entries.size());
  std::size_t next = 0;
  for (const List& list : lists) {
    Json configs = Json::array();
    for (std::size_t i = 0; i < space.entries.size(); ++i) {
      if (list_of[i] != list) continue;
      Json row = Json::array();
      for (const auto& [name, value] : space.entries[i].config.config.values()) row.push_back(value);
      configs.push_back(std::move(row));
      place[i] = next++;
    }
    engines.push_back({{"name", list.first}, {"parameters", list.second}, {"configs", std::move(configs)}});
  }
  return engines;
}

std::vector<RecordedSpace::Entry> read_entries(const Field& engines) {
  std::vector<RecordedSpace::Entry> entries;
  for (const Field& engine : engines.elements()) {
    std::vector<std::string> parameters;
    for (const Field& parameter : engine.at("parameters").elements()) parameters.push_back(parameter.text());
    for (const Field& row : engine.at("configs").elements()) {
      const std::vector<Field> values = row.elements();
      if (values.size() != parameters.size())
        row.fail(fmt::format("must have a value for each of the {} parameters", parameters.size()));
      StageConfig config{.engine = engine.at("name").text(), .config = {}};
      for (std::size_t i = 0; i < values.size(); ++i) config.config.set(parameters[i], values[i].small_integer());
      entries.push_back({.config = completed(std::move(config)), .trials = {}});
    }
  }
  return entries;
}

void read_trials(const Field& trials, const std::vector<std::string>& reasons,
                 std::vector<RecordedSpace::Entry>& entries) {
  const auto index = [](const Field& field, std::size_t size) {
    const std::int64_t value = field.integer();
    if (value < 0 || static_cast<std::size_t>(value) >= size) field.fail(fmt::format("must be below {}", size));
    return static_cast<std::size_t>(value);
  };
  for (const Field& row : trials.elements()) {
    const std::vector<Field> values = row.elements();
    if (values.size() != kColumns.size()) row.fail(fmt::format("must have {} values", kColumns.size()));
    RecordedSpace::Entry& entry = entries[index(values[0], entries.size())];
    RecordedTrial trial{.rung = values[1].small_integer(),
                        .outcome = values[2].text_as(parse_outcome),
                        .reason = reasons[index(values[3], reasons.size())],
                        .median_us = values[4].finite(),
                        .ci_low_us = values[5].finite(),
                        .ci_high_us = values[6].finite(),
                        .n = values[7].small_integer(),
                        .compile_s = values[8].finite(),
                        .measure_s = values[9].finite()};
    if (trial.outcome == Outcome::ok && !(trial.median_us > 0)) values[4].fail("must be above 0");
    if (trial.rung != static_cast<int>(entry.trials.size())) values[1].fail("must count a config's trials, from 0");
    entry.trials.push_back(std::move(trial));
  }
  for (const RecordedSpace::Entry& entry : entries)
    if (entry.trials.empty()) trials.fail(fmt::format("has none of {}", to_label(entry.config)));
}

}  // namespace

std::vector<SpaceFile> recorded_spaces(const Journal& journal) {
  std::vector<Draft> drafts;
  for (const Recorded<Trial>& recorded : journal.trials) {
    const Trial& trial = recorded.record;
    if (!is_complete(trial)) continue;
    const Environment& environment = journal.runs.at(recorded.run).environment;
    auto draft = std::find_if(drafts.begin(), drafts.end(), [&](const Draft& each) {
      const RecordedSpace& space = each.file.space;
      return space.problem == trial.problem && space.stage == *trial.stage && space.timing == trial.timing &&
             space.device.name == environment.device.name;
    });
    if (draft == drafts.end()) {
      drafts.push_back({.file = {.space = {.problem = trial.problem,
                                           .stage = *trial.stage,
                                           .timing = trial.timing,
                                           .device = environment.device,
                                           .ceilings = environment.ceilings,
                                           .compilers = environment.hardware_threads,
                                           .entries = {}},
                                 .environment = environment},
                        .index = {},
                        .of_run = {}});
      draft = drafts.end() - 1;
    }
    const StageConfig& config = trial.config.stages.at(*trial.stage);
    std::vector<RecordedSpace::Entry>& entries = draft->file.space.entries;
    const auto [found, is_new] = draft->index.emplace(config, entries.size());
    if (is_new) entries.push_back({.config = config, .trials = {}});
    RecordedTrial next = recorded_trial(trial);
    next.rung = draft->of_run[{recorded.run, config}]++;
    add_trial(entries[found->second], std::move(next));
  }
  std::vector<SpaceFile> files;
  for (Draft& draft : drafts) {
    std::stable_sort(draft.file.space.entries.begin(), draft.file.space.entries.end(),
                     [](const auto& a, const auto& b) { return a.config < b.config; });
    files.push_back(std::move(draft.file));
  }
  return files;
}

std::string to_text(const SpaceFile& file) {
  const RecordedSpace& space = file.space;
  std::vector<std::size_t> place;
  Json engines = engines_json(space, place);
  std::map<std::string, std::size_t> reasons{{"", 0}};
  Json reason_list = Json::array({""}), rows = Json::array();
  for (std::size_t i = 0; i < space.entries.size(); ++i) {
    for (const RecordedTrial& trial : space.entries[i].trials) {
      const auto [reason, is_new] = reasons.emplace(trial.reason, reasons.size());
      if (is_new) reason_list.push_back(trial.reason);
      rows.push_back({place[i], trial.rung, to_string(trial.outcome), reason->second, rounded(trial.median_us),
                      rounded(trial.ci_low_us), rounded(trial.ci_high_us), trial.n, rounded(trial.compile_s),
                      rounded(trial.measure_s)});
    }
  }
  const Json json{{"schema", kSpaceSchema},
                  {"schema_version", kSchemaVersion},
                  {"problem", to_json(space.problem)},
                  {"stage", to_string(space.stage)},
                  {"timing", to_json(space.timing)},
                  {"environment", to_json(file.environment)},
                  {"engines", std::move(engines)},
                  {"reasons", std::move(reason_list)},
                  {"columns", kColumns},
                  {"trials", std::move(rows)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

SpaceFile parse_space_file(std::string_view text, std::string_view origin_name) {
  const Origin origin{.file = std::string(origin_name), .line = 0};
  const Json json = parse_json(text, origin);
  const Field document(json, origin);
  check_schema(document, kSpaceSchema);
  const std::vector<Field> columns = document.at("columns").elements();
  if (!std::equal(columns.begin(), columns.end(), kColumns.begin(), kColumns.end(),
                  [](const Field& field, std::string_view name) { return field.text() == name; }))
    document.at("columns").fail(fmt::format("must be {}", Json(kColumns).dump()));
  std::vector<std::string> reasons;
  for (const Field& reason : document.at("reasons").elements()) reasons.push_back(reason.text());

  Environment environment = read_environment(document.at("environment"));
  SpaceFile file{.space = {.problem = read_problem(document.at("problem")),
                           .stage = document.at("stage").text_as(parse_stage),
                           .timing = read_timing(document.at("timing")),
                           .device = environment.device,
                           .ceilings = environment.ceilings,
                           .compilers = environment.hardware_threads,
                           .entries = read_entries(document.at("engines"))},
                 .environment = std::move(environment)};
  read_trials(document.at("trials"), reasons, file.space.entries);
  return file;
}

SpaceFile read_space_file(const std::filesystem::path& path) {
  std::string text = read_file(path);
  if (is_gzip(text)) {
    try {
      text = gunzip(text);
    } catch (const Error& error) {
      throw Error(fmt::format("'{}' {}", path.string(), error.what()));
    }
  }
  return parse_space_file(text, path.string());
}

std::string space_file_name(const RecordedSpace& space) {
  return fmt::format("{}.{}.space.json.gz", problem_file_name(space.problem), to_string(space.stage));
}

std::filesystem::path write_space_file(const std::filesystem::path& folder, const SpaceFile& file) {
  const std::filesystem::path path = folder / space_file_name(file.space);
  write_file_atomically(path, gzip(to_text(file)));
  return path;
}

}  // namespace moetune
