#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shell/formats.h"

namespace moetune {
namespace {

/// In single quotes, in which fish knows \' and \\.
std::string in_quotes(const std::string& text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

/// Choices are words of a list that fish takes apart itself.
std::string value_of(const OptionText& option) {
  if (!option.choices.empty()) {
    const std::string words = fmt::format("{}", fmt::join(option.choices, " "));
    return option.is_list ? fmt::format(" -x -a {}", in_quotes(fmt::format("(__fish_append , {})", words)))
                          : fmt::format(" -x -a {}", in_quotes(words));
  }
  if (option.takes_file()) return " -r -F";
  if (option.takes_folder()) return " -x -a '(__fish_complete_directories)'";
  return option.takes_value() ? " -x" : "";
}

std::string line(const std::string& program, const std::string& condition, const OptionText& option) {
  std::string text = fmt::format("complete -c {} -n {}", program, in_quotes(condition));
  for (const std::string& name : option.names)
    text += name.starts_with("--") ? fmt::format(" -l {}", name.substr(2)) : fmt::format(" -s {}", name.substr(1));
  return text + value_of(option) + fmt::format(" -d {}\n", in_quotes(option.text));
}

}  // namespace

std::string fish_completion(const CommandText& program) {
  std::string text =
      fmt::format("# fish completion for {0}, made by `{0} completion fish`\n\ncomplete -c {0} -f\n", program.name);
  const std::string none = "__fish_use_subcommand";
  for (const OptionText& option : program.options) text += line(program.name, none, option);
  for (const CommandText& command : program.commands)
    text +=
        fmt::format("complete -c {} -n {} -a {} -d {}\n", program.name, none, command.name, in_quotes(command.summary));
  for (const CommandText& command : program.commands) {
    const std::string seen = "__fish_seen_subcommand_from " + command.name;
    text += fmt::format("\n# {}\n", command.name);
    for (const OptionText& option : command.options) text += line(program.name, seen, option);
    for (const OptionText& positional : command.positionals) {
      const std::string value = positional.choices.empty() && positional.takes_file() ? " -F" : value_of(positional);
      text += fmt::format("complete -c {} -n {}{}\n", program.name, in_quotes(seen), value);
    }
  }
  return text;
}

}  // namespace moetune
