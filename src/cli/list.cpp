#include <algorithm>
#include <map>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/config_options.h"
#include "cli/near_names.h"
#include "cli/problem_options.h"
#include "cli/run_options.h"
#include "report/exporters.h"
#include "report/text_table.h"
#include "search/strategy.h"

namespace moetune {
namespace {

using enum TextTable::Align;

void list_models(bool colours) {
  TextTable table({{"id", left},
                   {"K"},
                   {"N1"},
                   {"N2"},
                   {"E"},
                   {"topk"},
                   {"activation", left},
                   {"bias", left},
                   {"sizes", left},
                   {"note", left}});
  for (const Model& model : known_models()) {
    std::string note = model.note;
    if (model.shared_experts > 0)
      note += fmt::format("{}{} shared expert{}, not computed here", note.empty() ? "" : "; ", model.shared_experts,
                          model.shared_experts == 1 ? "" : "s");
    table.add({{model.id},
               {fmt::format("{}", model.K)},
               {fmt::format("{}", model.N1)},
               {fmt::format("{}", model.N2)},
               {fmt::format("{}", model.E)},
               {fmt::format("{}", model.topk)},
               {std::string(to_string(model.activation))},
               {std::string(to_string(model.bias))},
               {model.verified ? "verified" : "unverified"},
               {note}});
  }
  fmt::print("{}", table.to_string(colours));
}

void list_engines(bool colours) {
  TextTable table({{"engine", left}, {"runs on", left}, {"config keys", left}, {"", left}});
  for (const Engine& engine : engines())
    table.add({{std::string(engine.name)},
               {std::string(to_string(engine.backend))},
               {fmt::format("{}", fmt::join(engine.parameters, " "))},
               {std::string(engine.summary)}});
  fmt::print("{}", table.to_string(colours));
}

void list_spaces() {
  for (const Engine& engine : engines()) {
    const SearchSpace space = search_space_of(engine);
    fmt::print("{}: {} configs before legality\n", engine.name, space.size());
    for (const auto& axis : space.axes) fmt::print("  {:<14} {}\n", axis.name, fmt::join(axis.values, ", "));
    for (const auto& [name, config] : space.presets)
      fmt::print("  preset {:<10} {}\n", name, to_label(StageConfig{.engine = space.engine, .config = config}));
  }
}

void list_strategies(bool colours) {
  TextTable table({{"strategy", left}, {"", left}});
  for (const StrategyRow& row : strategies()) table.add({{std::string(row.name)}, {std::string(row.summary)}});
  fmt::print("{}", table.to_string(colours));
}

void list_formats(bool colours) {
  TextTable table({{"format", left}, {"", left}});
  for (const Exporter& exporter : exporters())
    table.add({{std::string(exporter.name)}, {std::string(exporter.summary)}});
  fmt::print("{}", table.to_string(colours));
}

/// The configs of one stage, the illegal ones with the reason where `why`.
void list_stage(Stage stage, const Problem& problem, const DeviceInfo& device, const SpaceOptions::Spaces& spaces,
                bool why) {
  for (const Engine* engine : spaces.engines) {
    const SearchSpace& space = spaces.of(stage, *engine);
    std::map<std::string, std::uint64_t> reasons;
    std::uint64_t legal = 0;
    for (std::uint64_t i = 0; i < space.size(); ++i) {
      const Config config = space.at(i);
      const auto reason = engine->why_invalid(config, stage, problem, device);
      const std::string label = to_label(StageConfig{.engine = space.engine, .config = config});
      if (!reason) {
        ++legal;
        fmt::print("  {}\n", label);
      } else {
        ++reasons[*reason];
        if (why) fmt::print("  {}  not legal: {}\n", label, *reason);
      }
    }
    fmt::print("{}, engine {}: {} of {} configs are legal\n", to_string(stage), engine->name, legal, space.size());
    for (const auto& [reason, count] : reasons) fmt::print("  {} rejected: {}\n", count, reason);
  }
}

struct Topic {
  std::string_view name, summary;
};
constexpr Topic kTopics[] = {
    {"models", "presets for --model, with their sizes"},
    {"engines", "ways to compute the GEMM stages, with their config keys"},
    {"spaces", "the values tried for each config key, and named configs"},
    {"configs", "the legal configs for a problem; with --why the others too, each with its reason"},
    {"strategies", "ways to search, for --strategy"},
    {"formats", "formats of `moe-tune report`"},
};

class ListCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    std::string names, text = "Topics:\n";
    for (const Topic& topic : kTopics) {
      names += fmt::format("{}{}", names.empty() ? "" : ", ", topic.name);
      text += fmt::format("  {:<11} {}\n", topic.name, topic.summary);
    }
    app.add_option("topic", topic_, names)->required()->type_name("TOPIC");
    app.add_flag("--why", why_, "configs: also those that are not legal, with the reason");
    problems_.add_to(app);
    impls_.add_to(app);
    device_.add_to(app);
    spaces_.add_to(app);
    app.footer(text +
               "\nExamples:\n"
               "  moe-tune list models\n"
               "  moe-tune list configs --model qwen3-30b-a3b --M 16 --why -c BLOCK_SIZE_M=16,256");
  }

  int run(const Session& session) override {
    if (topic_ == "models") return list_models(session.colours), 0;
    if (topic_ == "engines") return list_engines(session.colours), 0;
    if (topic_ == "spaces") return list_spaces(), 0;
    if (topic_ == "strategies") return list_strategies(session.colours), 0;
    if (topic_ == "formats") return list_formats(session.colours), 0;
    if (topic_ == "configs") return list_configs();
    std::vector<std::string> names;
    for (const Topic& topic : kTopics) names.emplace_back(topic.name);
    throw Error(fmt::format("nothing to list under '{}': give one of {}{}", topic_, fmt::join(names, ", "),
                            suggest(topic_, names)));
  }

 private:
  int list_configs() {
    const std::vector<Problem> problems = problems_.problems("list configs");
    const std::vector<Impl> impls = impls_.impls();
    const auto device = device_.open(false);
    const SpaceOptions::Spaces spaces = spaces_.spaces(device->info());
    for (const Problem& problem : problems) {
      fmt::print("{}\n", to_line(problem));
      std::vector<Stage> stages;
      for (const Impl impl : impls)
        for (const Stage stage : tunable_stages_of(impl))
          if (std::find(stages.begin(), stages.end(), stage) == stages.end()) stages.push_back(stage);
      for (const Stage stage : stages) list_stage(stage, problem, device->info(), spaces, why_);
    }
    return 0;
  }

  std::string topic_;
  bool why_ = false;
  ProblemOptions problems_;
  ImplOptions impls_;
  DeviceOptions device_;
  SpaceOptions spaces_;
};

}  // namespace

std::vector<std::string_view> list_topics() {
  std::vector<std::string_view> names;
  for (const Topic& topic : kTopics) names.push_back(topic.name);
  return names;
}

std::unique_ptr<Command> make_list() {
  return std::make_unique<ListCommand>();
}

}  // namespace moetune
