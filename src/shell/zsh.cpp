#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/single_quotes.h"
#include "shell/formats.h"

namespace moetune {
namespace {

/// What means something inside [explanation] or between colons.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string action_of(const OptionText& option) {
  if (!option.choices.empty()) {
    std::vector<std::string> words;
    for (const std::string& choice : option.choices) words.push_back(escaped(choice));
    return option.is_list ? fmt::format("_sequence compadd - {}", fmt::join(words, " "))
                          : fmt::format("({})", fmt::join(words, " "));
  }
  if (option.takes_file()) return "_files";
  if (option.takes_folder()) return "_files -/";
  return " ";  // a value of which nothing is known
}

/// The specs of one option for _arguments, one for each of its names; the names exclude each other unless it repeats.
std::string specs(const OptionText& option) {
  std::string text;
  for (const std::string& name : option.names) {
    std::string spec = option.repeats ? "*" : fmt::format("({})", fmt::join(option.names, " "));
    // After --name a value may follow '=' or as a word of its own; after -n at once or as a word of its own.
    spec += name + (!option.takes_value() ? "" : name.starts_with("--") ? "=" : "+");
    spec += fmt::format("[{}]", escaped(option.text));
    if (option.takes_value()) spec += fmt::format(":{}:{}", escaped(option.value), action_of(option));
    text += fmt::format(" \\\n        {}", in_single_quotes(spec));
  }
  return text;
}

}  // namespace

std::string zsh_completion(const CommandText& program) {
  std::string function = "_" + program.name;
  std::replace(function.begin(), function.end(), '-', '_');
  std::string text = fmt::format(
      "#compdef {0}\n# zsh completion for {0}, made by `{0} completion zsh`\n\n"
      "{1}() {{\n  local curcontext=$curcontext state line\n  local -a commands\n  commands=(\n",
      program.name, function);
  for (const CommandText& command : program.commands)
    text += fmt::format("    {}\n", in_single_quotes(fmt::format("{}:{}", command.name, escaped(command.summary))));
  text += "  )\n  _arguments -C";
  for (const OptionText& option : program.options) text += specs(option);
  text +=
      " \\\n        '1:subcommand:->command' \\\n        '*::argument:->argument'\n"
      "  case $state in\n    command) _describe subcommand commands ;;\n    argument)\n      case $words[1] in\n";
  for (const CommandText& command : program.commands) {
    text += fmt::format("      {})\n        _arguments", command.name);
    for (const OptionText& option : command.options) text += specs(option);
    for (const OptionText& positional : command.positionals)
      text += fmt::format(" \\\n        {}",
                          in_single_quotes(fmt::format("{}:{}:{}", positional.repeats ? "*" : "1",
                                                       escaped(positional.names.front()), action_of(positional))));
    text += "\n        ;;\n";
  }
  // Sourced, or loaded by zsh as the function itself.
  return text + fmt::format(
                    "      esac\n      ;;\n  esac\n}}\n\n"
                    "if [[ $funcstack[1] == {0} ]]; then\n  {0} \"$@\"\nelse\n  compdef {0} {1}\nfi\n",
                    function, program.name);
}

}  // namespace moetune
