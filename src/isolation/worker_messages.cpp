#include "isolation/worker_messages.h"

#include <nlohmann/json.hpp>

#include "results/json.h"
#include "results/transfer_json.h"

namespace moetune {
namespace {

const Origin kOrigin{.file = "a line between moe-tune's own processes", .line = 0};

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string name(auto value) {
  return std::string(to_string(value));
}

Json counts_json(const std::map<std::string, std::size_t>& counts) {
  Json json = Json::object();
  for (const auto& [key, count] : counts) json[key] = count;
  return json;
}

Json to_json(const TunePlan& plan) {
  Json stages = Json::array();
  for (const TunePlan::StagePlan& stage : plan.stages)
    stages.push_back({{"stage", name(stage.stage)},
                      {"legal", stage.legal},
                      {"rejected", counts_json(stage.rejected)},
                      {"trials", stage.trials ? Json(*stage.trials) : Json(nullptr)},
                      {"pinned", stage.pinned},
                      {"passed_over", stage.passed_over}});
  return {{"stages", std::move(stages)},
          {"seconds", plan.seconds},
          {"likely_seconds", plan.likely_seconds},
          {"attempts", plan.attempts},
          {"strategy", plan.strategy}};
}

TunePlan read_plan(const Field& field) {
  TunePlan plan{.stages = {},
                .seconds = field.at("seconds").number(),
                .likely_seconds = field.at("likely_seconds").number(),
                .attempts = field.at("attempts").unsigned_integer(),
                .strategy = field.at("strategy").text()};
  for (const Field& each : field.at("stages").elements()) {
    TunePlan::StagePlan stage{.stage = each.at("stage").text_as(parse_stage),
                              .legal = each.at("legal").unsigned_integer(),
                              .rejected = {},
                              .trials = {},
                              .pinned = each.at("pinned").boolean()};
    for (const auto& [reason, count] : each.at("rejected").members())
      stage.rejected.emplace(reason, count.unsigned_integer());
    if (const auto trials = each.find("trials")) stage.trials = trials->unsigned_integer();
    for (const Field& line : each.at("passed_over").elements()) stage.passed_over.push_back(line.text());
    plan.stages.push_back(std::move(stage));
  }
  return plan;
}

Json to_json(const TuneProgress& progress) {
  return {{"phase", progress.phase},
          {"done", progress.done},
          {"expected", progress.expected},
          {"seconds", progress.seconds},
          {"compiling", progress.spent.compiling},
          {"on_device", progress.spent.on_device},
          {"best_us", progress.best_us ? Json(*progress.best_us) : Json(nullptr)},
          {"best_label", progress.best_label}};
}

TuneProgress read_progress(const Field& field) {
  TuneProgress progress{
      .phase = field.at("phase").text(),
      .done = field.at("done").unsigned_integer(),
      .expected = field.at("expected").unsigned_integer(),
      .seconds = field.at("seconds").number(),
      .spent = {.compiling = field.at("compiling").number(), .on_device = field.at("on_device").number()},
      .best_us = {},
      .best_label = field.at("best_label").text()};
  if (const auto best = field.find("best_us")) progress.best_us = best->number();
  return progress;
}

using Hear = void (*)(const Field& field, const Problem& problem, WorkerEvents& events);

/// What each line's "event" means.
constexpr std::pair<std::string_view, Hear> kEvents[] = {
    {"begin",
     [](const Field& field, const Problem&, WorkerEvents& events) {
       events.on_begin(read_pipeline_config(field.at("config")), field.at("seconds").number());
     }},
    {"end", [](const Field&, const Problem&, WorkerEvents& events) { events.on_end(); }},
    {"attempt", [](const Field& field, const Problem&,
                   WorkerEvents& events) { events.on_attempt(read_trial(field.at("trial"))); }},
    {"trial",
     [](const Field& field, const Problem&, WorkerEvents& events) { events.on_trial(read_trial(field.at("trial"))); }},
    {"progress", [](const Field& field, const Problem&,
                    WorkerEvents& events) { events.on_progress(read_progress(field.at("progress"))); }},
    {"plan", [](const Field& field, const Problem& problem,
                WorkerEvents& events) { events.on_plan(problem, read_plan(field.at("plan"))); }},
    {"failure",
     [](const Field& field, const Problem& problem, WorkerEvents& events) {
       events.on_failure(problem, field.at("impl").text_as(parse_impl), field.at("reason").text());
     }},
    {"ready",
     [](const Field& field, const Problem&, WorkerEvents& events) {
       events.on_ready(read_device(field.at("device")), read_ceilings(field.at("ceilings")));
     }},
    {"note", [](const Field& field, const Problem&, WorkerEvents& events) { events.on_note(field.at("line").text()); }},
    {"lost",
     [](const Field& field, const Problem&, WorkerEvents& events) {
       events.on_lost({.outcome = field.at("outcome").text_as(parse_outcome), .reason = field.at("reason").text()});
     }},
    {"finished",
     [](const Field& field, const Problem&, WorkerEvents& events) {
       std::vector<Best> bests;
       for (const Field& best : field.at("bests").elements()) bests.push_back(read_best(best));
       events.on_finished(bests);
     }},
    {"transfers", [](const Field& field, const Problem&,
                     WorkerEvents& events) { events.on_transfers(read_transfers(field.at("transfers"))); }},
    {"error",
     [](const Field& field, const Problem&, WorkerEvents& events) {
       events.on_error(Error(field.at("text").text(), static_cast<ExitCode>(field.at("code").small_integer())));
     }},
};

}  // namespace

void WorkerVoice::on_plan(const Problem&, const TunePlan& plan) {
  send_(text_of({{"event", "plan"}, {"plan", to_json(plan)}}));
}

void WorkerVoice::on_attempt(const Trial& attempt) {
  send_(text_of({{"event", "attempt"}, {"trial", moetune::to_json(attempt, "")}}));
}

void WorkerVoice::on_trial(const Trial& trial) {
  send_(text_of({{"event", "trial"}, {"trial", moetune::to_json(trial, "")}}));
}

void WorkerVoice::on_progress(const TuneProgress& progress) {
  send_(text_of({{"event", "progress"}, {"progress", to_json(progress)}}));
}

void WorkerVoice::on_failure(const Problem&, Impl impl, const std::string& reason) {
  send_(text_of({{"event", "failure"}, {"impl", name(impl)}, {"reason", reason}}));
}

void WorkerVoice::on_ready(const DeviceInfo& device, const Ceilings& ceilings) {
  send_(text_of({{"event", "ready"}, {"device", moetune::to_json(device)}, {"ceilings", moetune::to_json(ceilings)}}));
}

void WorkerVoice::on_note(const std::string& line) {
  send_(text_of({{"event", "note"}, {"line", line}}));
}

void WorkerVoice::on_begin(const PipelineConfig& config, double seconds) {
  send_(text_of({{"event", "begin"}, {"config", moetune::to_json(config)}, {"seconds", seconds}}));
}

void WorkerVoice::on_end() {
  send_(text_of({{"event", "end"}}));
}

void WorkerVoice::on_lost(const Failure& failure) {
  send_(text_of({{"event", "lost"}, {"outcome", name(failure.outcome)}, {"reason", failure.reason}}));
}

void WorkerVoice::on_finished(const std::vector<Best>& bests) {
  Json list = Json::array();
  for (const Best& best : bests) list.push_back(moetune::to_json(best, ""));
  send_(text_of({{"event", "finished"}, {"bests", std::move(list)}}));
}

void WorkerVoice::on_transfers(const Transfers& transfers) {
  send_(text_of({{"event", "transfers"}, {"transfers", moetune::to_json(transfers)}}));
}

void WorkerVoice::on_error(const Error& error) {
  send_(text_of({{"event", "error"}, {"text", error.what()}, {"code", static_cast<int>(error.code())}}));
}

void hear(std::string_view line, const Problem& problem, WorkerEvents& events) {
  const Json json = parse_json(line, kOrigin);
  const Field field(json, kOrigin);
  const std::string event = field.at("event").text();
  for (const auto& [known, hear_it] : kEvents)
    if (known == event) return hear_it(field, problem, events);
  field.at("event").fail("is none that a worker has");
}

std::string to_message(std::string_view device_id) {
  return text_of({{"device", device_id}});
}

std::string read_device_message(std::string_view line) {
  const Json json = parse_json(line, kOrigin);
  return Field(json, kOrigin).at("device").text();
}

std::vector<std::string> to_messages(const TuneTask& task) {
  Json budget(nullptr);
  if (task.budget) budget = {{"kind", static_cast<int>(task.budget->kind)}, {"value", task.budget->value}};
  Json winners = Json::array();
  for (const Winner& winner : task.winners)
    winners.push_back({{"M", winner.M}, {"config", moetune::to_json(winner.config)}});
  std::vector<std::string> lines{text_of({{"problem", to_json(task.problem)},
                                          {"budget", std::move(budget)},
                                          {"recorded", task.recorded.size()},
                                          {"winners", std::move(winners)}})};
  for (const Trial& trial : task.recorded) lines.push_back(text_of(moetune::to_json(trial, "")));
  return lines;
}

TuneTask read_task_messages(std::string_view line, const std::function<std::string()>& next_line) {
  const Json json = parse_json(line, kOrigin);
  const Field field(json, kOrigin);
  TuneTask task{.problem = read_problem(field.at("problem")), .budget = {}, .recorded = {}, .winners = {}};
  for (const Field& winner : field.at("winners").elements())
    task.winners.push_back({.M = winner.at("M").integer(), .config = read_pipeline_config(winner.at("config"))});
  if (const auto budget = field.find("budget"))
    task.budget = Budget{.kind = static_cast<Budget::Kind>(budget->at("kind").small_integer()),
                         .value = budget->at("value").number()};
  for (std::uint64_t i = 0; i < field.at("recorded").unsigned_integer(); ++i) {
    const Json trial = parse_json(next_line(), kOrigin);
    task.recorded.push_back(read_trial(Field(trial, kOrigin)));
  }
  return task;
}

}  // namespace moetune
