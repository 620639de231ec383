#include <algorithm>
#include <cctype>
#include <sstream>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "shell/formats.h"

namespace moetune {
namespace {

/// Text that roff prints as it is.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (out.ends_with(',') && c != ' ') out += "\\:";  // problem lines are longer than a line: they may break here
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";  // a minus to copy, not a hyphen
    else if (c == '\'')
      out += "\\(aq";
    else if (c == '`')
      out += "\\(ga";
    else
      out += c;
  }
  return out;
}

/// One line of text, which must not look like a request.
std::string line(const std::string& text) {
  const std::string safe = escaped(text);
  return (safe.starts_with('.') ? "\\&" : "") + safe + "\n";
}

/// Paragraphs, of which indented lines stay as they are. Exit codes have one of their own.
std::string paragraphs(const std::string& footer) {
  std::string text;
  bool literal = false, open = false;
  std::istringstream lines(footer);
  for (std::string each; std::getline(lines, each);) {
    const bool indented = each.starts_with("  ");
    if (literal && !indented) {
      text += ".fi\n";
      literal = open = false;
    }
    if (each.empty() || each.starts_with("Exit codes:")) open = false;
    if (each.empty()) continue;
    if (!open) text += ".PP\n";
    if (indented && !literal) text += ".nf\n";
    literal = indented;
    open = true;
    text += line(each);
  }
  return literal ? text + ".fi\n" : text;
}

std::string sentence(const std::string& text) {
  return text.empty() || text.ends_with('.') ? text : text + '.';
}

std::string entry(const OptionText& option, bool positional) {
  std::string head;
  for (const std::string& name : option.names)
    head += fmt::format("{}\\fB{}\\fR", head.empty() ? "" : ", ", escaped(name));
  if (positional) head = fmt::format("\\fI{}\\fR", escaped(option.names.front()));
  if (!positional && option.takes_value()) head += fmt::format(" \\fI{}\\fR", escaped(option.value));
  std::string text = fmt::format(".TP\n{}\n{}", head, line(sentence(option.text)));
  if (!option.choices.empty() && option.text.find(option.choices.front()) == std::string::npos)
    text += line(fmt::format("One of {}.", fmt::join(option.choices, ", ")));
  if (!option.otherwise.empty()) text += line(fmt::format("Default: {}.", option.otherwise));
  return text;
}

std::string synopsis(const std::string& program, const CommandText& command) {
  std::string text = fmt::format("\\fB{} {}\\fR [\\fIOPTIONS\\fR]", escaped(program), escaped(command.name));
  for (const OptionText& positional : command.positionals)
    text += fmt::format(" [\\fI{}\\fR{}]", escaped(positional.names.front()), positional.repeats ? "\\&..." : "");
  return text;
}

}  // namespace

std::string man_page(const CommandText& program, const std::string& version) {
  std::string title = program.name;
  std::transform(title.begin(), title.end(), title.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::string text =
      fmt::format(".TH \"{}\" 1 \"\" \"{}\" \"User Commands\"\n.ad l\n.nh\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
                  escaped(title), escaped(version), escaped(program.name), escaped(program.summary));
  text += fmt::format("\\fB{}\\fR \\fISUBCOMMAND\\fR [\\fIOPTIONS\\fR] [\\fIARGUMENTS\\fR]\n", escaped(program.name));
  text += ".SH DESCRIPTION\n" + paragraphs(program.footer) + ".SH OPTIONS\n";
  for (const OptionText& option : program.options) text += entry(option, false);
  text += ".SH SUBCOMMANDS\n";
  for (const CommandText& command : program.commands) {
    text += fmt::format(".SS {}\n{}.PP\n{}\n", escaped(command.name), line(sentence(command.summary)),
                        synopsis(program.name, command));
    for (const OptionText& positional : command.positionals) text += entry(positional, true);
    std::string group;
    for (const OptionText& option : command.options) {
      if (option.names.back() == "--help") continue;  // said once
      if (option.group != group) text += fmt::format(".PP\n\\fI{}\\fR\n", escaped(option.group));
      group = option.group;
      text += entry(option, false);
    }
    text += paragraphs(command.footer);
  }
  return text;
}

}  // namespace moetune
