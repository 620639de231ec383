#include "cli/app_text.h"

#include <algorithm>
#include <ranges>

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/problem_options.h"
#include "data/inputs.h"
#include "export/formats.h"
#include "kernel/engine.h"
#include "results/names.h"
#include "search/strategy.h"

namespace moetune {
namespace {

using Words = std::vector<std::string>;

template <class Range, class Name>
Words words(const Range& range, Name name) {
  Words all;
  for (const auto& each : range) all.emplace_back(name(each));
  return all;
}

constexpr auto kName = [](const auto& each) { return to_string(each); };

/// An option whose values are known, the same in every subcommand that has it.
struct Choices {
  std::string_view option;
  bool is_list;  ///< takes several, joined by commas
  Words (*values)();
};

const Choices kChoices[] = {
    {"--model", false, [] { return words(known_models(), [](const Model& model) { return model.id; }); }},
    {"--engine", true, [] { return words(engines(), [](const Engine& engine) { return engine.name; }); }},
    {"--strategy", false, [] { return words(strategies(), [](const StrategyRow& row) { return row.name; }); }},
    {"--format", false, [] { return words(export_formats(), [](const ExportFormat& format) { return format.name; }); }},
    {"--impl", true, [] { return words(kImpls, kName); }},
    {"--dtype", true, [] { return words(kDTypes, kName); }},
    {"--activation", true, [] { return words(kActivations, kName); }},
    {"--bias", true, [] { return words(kBiases, kName); }},
    {"--fill", true,
     [] {
       return words(std::array{Fill::random, Fill::exact_integer}, kName);
     }},
    {"--cache", false,
     [] {
       return words(std::array{CacheState::cold, CacheState::warm}, kName);
     }},
    {"--launch", false, [] { return words(kLaunchModes, kName); }},
    {"--load", false, [] { return words(kLoadStates, kName); }},
    {"--device", false,
     [] {
       return Words{"auto", "cpu", "cuda:0"};
     }},
    {"--routing", false,
     [] {
       return Words{"balanced", "uniform", "one", "zipf:1.0", "file:"};
     }},
    {"--fail-on", true,
     [] {
       return Words{"inconclusive", "warning"};
     }},
    {"topic", false, [] { return words(list_topics(), [](std::string_view topic) { return topic; }); }},
    {"shell", false, [] { return words(completion_shells(), [](std::string_view shell) { return shell; }); }},
};

OptionText option_text(const CLI::Option& option) {
  OptionText text;
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  if (text.names.empty()) text.names.push_back(option.get_name(true, false));
  if (option.get_type_size() != 0) text.value = option.get_type_name();
  text.otherwise = option.get_default_str();
  text.text = option.get_description();
  text.group = option.get_group();
  text.repeats = option.get_items_expected_max() > 1;
  for (const Choices& choices : kChoices) {
    if (std::find(text.names.begin(), text.names.end(), choices.option) == text.names.end()) continue;
    text.choices = choices.values();
    text.is_list = choices.is_list && text.value == "LIST";
  }
  return text;
}

}  // namespace

CommandText app_text(const CLI::App& app) {
  CommandText text{.name = app.get_name(),
                   .summary = app.get_description(),
                   .options = {},
                   .positionals = {},
                   .footer = app.get_footer(),
                   .commands = {}};
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group().empty()) continue;  // hidden
    (option->nonpositional() ? text.options : text.positionals).push_back(option_text(*option));
  }
  for (const CLI::App* command : app.get_subcommands({}))
    if (!command->get_group().empty()) text.commands.push_back(app_text(*command));
  return text;
}

}  // namespace moetune
