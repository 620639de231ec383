#include "results/json.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "kernel/engine.h"
#include "results/names.h"
#include "results/repro.h"
#include "results/transfer_json.h"

namespace moetune {
namespace {

/// JSON has no NaN and no infinity: they become words, which Field::number() reads back.
Json number(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}

template <class T>
std::string name(T value) {
  return std::string(to_string(value));
}

template <class T>
Json stages_json(const std::map<Stage, T>& stages) {
  Json json = Json::object();
  for (const auto& [stage, value] : stages) json[name(stage)] = to_json(value);
  return json;
}

template <class T>
std::map<Stage, T> read_stages(const Field& field, T (*read)(const Field&)) {
  std::map<Stage, T> stages;
  for (const auto& [key, value] : field.members())
    stages.emplace(value.located([&k = key] { return parse_stage(k); }), read(value));
  return stages;
}

void append(Json& json, Json more) {
  for (auto& [key, value] : more.items()) json[key] = std::move(value);
}

}  // namespace

void check_schema(const Field& document, std::string_view schema) {
  const std::string found = document.at("schema").text();
  if (found != schema) document.at("schema").fail(fmt::format("is '{}'; this reader takes '{}'", found, schema));
  const std::string version = document.at("schema_version").text();
  const auto major = [](std::string_view text) { return text.substr(0, text.find('.')); };
  if (major(version) != major(kSchemaVersion))
    document.at("schema_version")
        .fail(fmt::format("is {}; this moe-tune reads {}.x: use the moe-tune that wrote the file, or run again",
                          version, major(kSchemaVersion)));
}

// --- problem ---

Json to_json(const Problem& problem) {
  Json json{{"model", problem.model}, {"M", problem.M}, {"K", problem.K},      {"N1", problem.N1},
            {"N2", problem.N2},       {"E", problem.E}, {"topk", problem.topk}};
  if (problem.ep_ranks > 1) append(json, {{"ep_ranks", problem.ep_ranks}, {"ep_rank", problem.ep_rank}});
  append(json, {{"dtype", name(problem.dtype)},
                {"activation", name(problem.activation)},
                {"bias", name(problem.bias)},
                {"weight_on_input", problem.weight_on_input},
                {"routing", to_string(problem.routing)}});
  return json;
}

Problem read_problem(const Field& field) {
  Problem problem{.M = field.at("M").integer(),
                  .K = field.at("K").integer(),
                  .N1 = field.at("N1").integer(),
                  .N2 = field.at("N2").integer(),
                  .E = field.at("E").integer(),
                  .topk = field.at("topk").integer(),
                  .dtype = field.at("dtype").text_as(parse_dtype),
                  .activation = field.at("activation").text_as(parse_activation),
                  .bias = field.at("bias").text_as(parse_bias),
                  .weight_on_input = field.at("weight_on_input").boolean(),
                  .routing = field.at("routing").text_as(parse_routing),
                  .model = field.at("model").text()};
  if (const auto ranks = field.find("ep_ranks")) problem.ep_ranks = ranks->integer();
  if (const auto rank = field.find("ep_rank")) problem.ep_rank = rank->integer();
  field.located([&] { validate(problem); });
  return problem;
}

// --- configs ---

Json to_json(const Config& config) {
  Json json = Json::object();
  for (const auto& [key, value] : config.values()) json[key] = value;
  return json;
}

Config read_config(const Field& field) {
  Config config;
  for (const auto& [key, value] : field.members()) config.set(key, value.small_integer());
  return config;
}

Json to_json(const StageConfig& config) {
  return {{"engine", config.engine}, {"config", to_json(config.config)}};
}

StageConfig read_stage_config(const Field& field) {
  return completed({.engine = field.at("engine").text(), .config = read_config(field.at("config"))});
}

Json to_json(const PipelineConfig& config) {
  return {{"impl", name(config.impl)}, {"stages", stages_json(config.stages)}};
}

PipelineConfig read_pipeline_config(const Field& field) {
  PipelineConfig config{.impl = field.at("impl").text_as(parse_impl),
                        .stages = read_stages<StageConfig>(field.at("stages"), read_stage_config)};
  for (const Stage stage : tunable_stages_of(config.impl)) field.at("stages").at(to_string(stage));
  return config;
}

// --- how it was run ---

Json to_json(const DataSpec& data) {
  return {{"fill", name(data.fill)}, {"seed", data.seed}};
}

DataSpec read_data(const Field& field) {
  return {.fill = field.at("fill").text_as(parse_fill), .seed = field.at("seed").unsigned_integer()};
}

Json to_json(const TimingOptions& timing) {
  return {{"cache", name(timing.cache)},
          {"launch", name(timing.launch)},
          {"load", name(timing.load)},
          {"routing_draws", timing.routing_draws}};
}

TimingOptions read_timing(const Field& field) {
  TimingOptions timing{.cache = field.at("cache").text_as(parse_cache_state),
                       .launch = field.at("launch").text_as(parse_launch_mode)};
  if (const auto load = field.find("load")) timing.load = load->text_as(parse_load_state);
  if (const auto draws = field.find("routing_draws")) timing.routing_draws = draws->small_integer();
  return timing;
}

// --- what was found ---

Json to_json(const Verdict& verdict) {
  return {{"passed", verdict.passed},
          {"reason", verdict.reason},
          {"relative_l2", number(verdict.relative_l2)},
          {"worst_row", number(verdict.worst_row)},
          {"worst_element", number(verdict.worst_element)},
          {"nonfinite", verdict.nonfinite},
          {"unwritten", verdict.unwritten},
          {"bitwise_repeatable", verdict.bitwise_repeatable},
          {"exact", verdict.exact},
          {"rows_checked", verdict.rows_checked},
          {"rows_total", verdict.rows_total},
          {"experts_checked", verdict.experts_checked},
          {"experts_hit", verdict.experts_hit},
          {"group_ends_checked", verdict.group_ends_checked}};
}

Verdict read_verdict(const Field& field) {
  return {.passed = field.at("passed").boolean(),
          .reason = field.at("reason").text(),
          .relative_l2 = field.at("relative_l2").number(),
          .worst_row = field.at("worst_row").number(),
          .worst_element = field.at("worst_element").number(),
          .nonfinite = field.at("nonfinite").integer(),
          .unwritten = field.at("unwritten").integer(),
          .bitwise_repeatable = field.at("bitwise_repeatable").boolean(),
          .exact = field.at("exact").boolean(),
          .rows_checked = field.at("rows_checked").integer(),
          .rows_total = field.at("rows_total").integer(),
          .experts_checked = field.at("experts_checked").integer(),
          .experts_hit = field.at("experts_hit").integer(),
          .group_ends_checked = field.at("group_ends_checked").boolean()};
}

Json to_json(const Summary& summary) {
  Json json{{"median_us", number(summary.median_us)},
            {"ci_low_us", number(summary.ci_low_us)},
            {"ci_high_us", number(summary.ci_high_us)},
            {"min_us", number(summary.min_us)},
            {"p10_us", number(summary.p10_us)},
            {"p90_us", number(summary.p90_us)},
            {"n", summary.n},
            {"stopped_by", summary.stopped_by}};
  if (summary.sm_clock_mhz > 0) json["sm_clock_mhz"] = number(summary.sm_clock_mhz);
  if (!summary.slowed_by.empty()) json["slowed_by"] = summary.slowed_by;
  if (summary.slow_visits > 0) json["slow_visits"] = summary.slow_visits;
  for (const double us : summary.rounds_us) json["rounds_us"].push_back(number(us));
  return json;
}

Summary read_summary(const Field& field) {
  Summary summary{.median_us = field.at("median_us").finite(),
                  .ci_low_us = field.at("ci_low_us").finite(),
                  .ci_high_us = field.at("ci_high_us").finite(),
                  .min_us = field.at("min_us").finite(),
                  .p10_us = field.at("p10_us").finite(),
                  .p90_us = field.at("p90_us").finite(),
                  .n = field.at("n").small_integer(),
                  .stopped_by = field.at("stopped_by").text()};
  if (!(summary.median_us > 0)) field.at("median_us").fail("must be above 0");
  if (const auto clock = field.find("sm_clock_mhz")) summary.sm_clock_mhz = clock->finite();
  if (const auto slow = field.find("slow_visits")) summary.slow_visits = slow->small_integer();
  if (const auto slowed_by = field.find("slowed_by"))
    for (const Field& reason : slowed_by->elements()) summary.slowed_by.push_back(reason.text());
  if (const auto rounds = field.find("rounds_us"))
    for (const Field& us : rounds->elements()) summary.rounds_us.push_back(us.finite());
  return summary;
}

Json to_json(const Ratio& ratio) {
  return {{"value", number(ratio.value)}, {"low", number(ratio.low)}, {"high", number(ratio.high)}};
}

Ratio read_ratio(const Field& field) {
  const Ratio ratio{
      .value = field.at("value").finite(), .low = field.at("low").finite(), .high = field.at("high").finite()};
  if (!(ratio.value > 0)) field.at("value").fail("must be above 0");
  return ratio;
}

// --- where ---

Json to_json(const Ceilings& ceilings) {
  return {{"read_bytes_per_s", number(ceilings.read_bytes_per_s)},
          {"matrix_flops_per_s", number(ceilings.matrix_flops_per_s)}};
}

Ceilings read_ceilings(const Field& field) {
  return {.read_bytes_per_s = field.at("read_bytes_per_s").finite(),
          .matrix_flops_per_s = field.at("matrix_flops_per_s").finite()};
}

Json to_json(const DeviceInfo& device) {
  return {{"backend", name(device.backend)},
          {"id", device.id},
          {"name", device.name},
          {"uuid", device.uuid},
          {"compute_capability", device.compute_capability},
          {"multiprocessors", device.multiprocessors},
          {"l2_bytes", device.l2_bytes},
          {"memory_bytes", device.memory_bytes},
          {"shared_memory_per_block", device.shared_memory_per_block},
          {"shared_memory_per_multiprocessor", device.shared_memory_per_multiprocessor},
          {"registers_per_multiprocessor", device.registers_per_multiprocessor},
          {"driver", device.driver},
          {"compiler", device.compiler}};
}

DeviceInfo read_device(const Field& field) {
  return {.backend = field.at("backend").text_as(parse_backend),
          .id = field.at("id").text(),
          .name = field.at("name").text(),
          .uuid = field.at("uuid").text(),
          .compute_capability = field.at("compute_capability").small_integer(),
          .multiprocessors = field.at("multiprocessors").small_integer(),
          .l2_bytes = field.at("l2_bytes").integer(),
          .memory_bytes = field.at("memory_bytes").integer(),
          .shared_memory_per_block = field.at("shared_memory_per_block").integer(),
          .shared_memory_per_multiprocessor = field.at("shared_memory_per_multiprocessor").integer(),
          .registers_per_multiprocessor = field.at("registers_per_multiprocessor").small_integer(),
          .driver = field.at("driver").text(),
          .compiler = field.at("compiler").text()};
}

Json to_json(const Environment& environment) {
  return {{"tool",
           {{"version", environment.build.version},
            {"git_revision", environment.build.git_revision},
            {"compiler", environment.build.compiler},
            {"kernels", environment.build.kernels}}},
          {"created", environment.created},
          {"command", environment.command},
          {"host",
           {{"system", environment.system},
            {"cpu", environment.cpu},
            {"hardware_threads", environment.hardware_threads},
            {"memory_bytes", environment.memory_bytes}}},
          {"device", to_json(environment.device)},
          {"ceilings", to_json(environment.ceilings)}};
}

Environment read_environment(const Field& field) {
  const Field tool = field.at("tool");
  const Field host = field.at("host");
  Environment environment{.build = {.version = tool.at("version").text(),
                                    .git_revision = tool.at("git_revision").text(),
                                    .compiler = tool.at("compiler").text(),
                                    .kernels = {}},
                          .created = field.at("created").text(),
                          .system = host.at("system").text(),
                          .cpu = host.at("cpu").text(),
                          .hardware_threads = host.at("hardware_threads").small_integer(),
                          .memory_bytes = host.at("memory_bytes").integer(),
                          .device = read_device(field.at("device")),
                          .ceilings = read_ceilings(field.at("ceilings")),
                          .command = {}};
  if (const auto kernels = tool.find("kernels"))
    for (const auto& [engine, digest] : kernels->members()) environment.build.kernels[engine] = digest.text();
  for (const Field& word : field.at("command").elements()) environment.command.push_back(word.text());
  return environment;
}

// --- records ---

Json to_json(const Trial& trial, std::string_view device_id) {
  Json json{{"problem", to_json(trial.problem)}};
  append(json, to_json(trial.config));
  json["phase"] = name(trial.phase);
  json["stage"] = trial.stage ? Json(name(*trial.stage)) : Json(nullptr);
  json["rung"] = trial.rung;
  json["data"] = to_json(trial.data);
  json["timing"] = to_json(trial.timing);
  json["outcome"] = name(trial.outcome);
  json["reason"] = trial.reason;
  json["compile_s"] = number(trial.compile_s);
  json["verdict"] = trial.verdict ? to_json(*trial.verdict) : Json(nullptr);
  json["time"] = trial.time ? to_json(*trial.time) : Json(nullptr);
  json["wall_s"] = number(trial.wall_s);
  json["elapsed_s"] = number(trial.elapsed_s);
  json["repro"] = repro_command(trial, device_id);
  return json;
}

Trial read_trial(const Field& field) {
  Trial trial{.problem = read_problem(field.at("problem")),
              .phase = field.at("phase").text_as(parse_phase),
              .stage = {},
              .config = read_pipeline_config(field),
              .data = read_data(field.at("data")),
              .timing = read_timing(field.at("timing")),
              .outcome = field.at("outcome").text_as(parse_outcome),
              .reason = field.at("reason").text(),
              .verdict = {},
              .time = {},
              .wall_s = field.at("wall_s").finite()};
  if (const auto compile = field.find("compile_s")) trial.compile_s = compile->finite();
  if (const auto stage = field.find("stage")) {
    trial.stage = stage->text_as(parse_stage);
    if (!trial.config.stages.contains(*trial.stage)) stage->fail("must be one that 'stages' has");
  }
  if (const auto verdict = field.find("verdict")) trial.verdict = read_verdict(*verdict);
  if (const auto time = field.find("time")) trial.time = read_summary(*time);
  if (const auto rung = field.find("rung")) trial.rung = rung->small_integer();
  if (const auto elapsed = field.find("elapsed_s")) trial.elapsed_s = elapsed->finite();
  return trial;
}

namespace {

Json choice_json(const Choice& choice) {
  Json ties = Json::array();
  for (const PipelineConfig& config : choice.ties) ties.push_back(to_json(config));
  return {{"ties", std::move(ties)},
          {"flip_probability", number(choice.flip_probability)},
          {"margin", number(choice.margin)}};
}

Choice read_choice(const Field& field) {
  Choice choice{
      .ties = {}, .flip_probability = field.at("flip_probability").finite(), .margin = field.at("margin").finite()};
  for (const Field& config : field.at("ties").elements()) choice.ties.push_back(read_pipeline_config(config));
  return choice;
}

}  // namespace

Json to_json(const Best& best, std::string_view device_id) {
  Json json{{"problem", to_json(best.problem)}};
  append(json, to_json(best.config));
  json["data"] = to_json(best.data);
  json["timing"] = to_json(best.timing);
  json["experts_hit"] = best.experts_hit;
  if (best.problem.ep_ranks > 1) append(json, {{"local_slots", best.local_slots}, {"local_tokens", best.local_tokens}});
  json["time"] = to_json(best.time);
  json["burst"] = best.burst ? to_json(*best.burst) : Json(nullptr);
  json["stage_times"] = stages_json(best.stage_times);
  json["work"] = {{"flops", number(best.work.flops)}, {"bytes", number(best.work.bytes)}};
  json["roofline_us"] = number(best.roofline_us);
  json["roofline_fraction"] = number(best.roofline_fraction());  // derived, for readers other than ours
  json["ceiling"] = number(best.ceiling);
  json["versus_three_kernel"] = best.versus_three_kernel ? to_json(*best.versus_three_kernel) : Json(nullptr);
  if (best.choice) json["choice"] = choice_json(*best.choice);
  if (!best.bucket_transfer.empty()) json["bucket_transfer"] = bucket_transfer_json(best);
  json["verdict"] = to_json(best.verdict);
  json["repro"] = repro_command(best, device_id);
  return json;
}

Best read_best(const Field& field) {
  Best best{.problem = read_problem(field.at("problem")),
            .config = read_pipeline_config(field),
            .data = read_data(field.at("data")),
            .timing = read_timing(field.at("timing")),
            .experts_hit = field.at("experts_hit").finite(),
            .time = read_summary(field.at("time")),
            .burst = {},
            .stage_times = read_stages<Summary>(field.at("stage_times"), read_summary),
            .verdict = read_verdict(field.at("verdict")),
            .roofline_us = field.at("roofline_us").finite(),
            .ceiling = field.at("ceiling").finite(),
            .work = {.flops = field.at("work").at("flops").finite(), .bytes = field.at("work").at("bytes").finite()},
            .versus_three_kernel = {},
            .choice = {},
            .bucket_transfer = {}};
  if (best.problem.ep_ranks > 1) {
    best.local_slots = field.at("local_slots").finite();
    best.local_tokens = field.at("local_tokens").finite();
  }
  if (const auto burst = field.find("burst")) best.burst = read_summary(*burst);
  if (const auto versus = field.find("versus_three_kernel")) best.versus_three_kernel = read_ratio(*versus);
  if (const auto choice = field.find("choice")) best.choice = read_choice(*choice);
  if (const auto transfers = field.find("bucket_transfer"))
    best.bucket_transfer = read_bucket_transfer(*transfers, best);
  return best;
}

}  // namespace moetune
