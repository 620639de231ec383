// Option groups filled from a command line, as the subcommands fill theirs.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace moetune {

/// Words as a POSIX shell splits them, single quotes and backslashes included.
inline std::vector<std::string> shell_words(const std::string& line) {
  std::vector<std::string> words;
  bool open = false, in_word = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\'') {
      open = !open;
      if (!in_word) words.emplace_back();
      in_word = true;
    } else if (c == ' ' && !open) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      in_word = true;
      words.back() += c == '\\' && !open ? line[++i] : c;
    }
  }
  return words;
}

/// `Options` has add_to(CLI::App&). Throws what CLI11 throws.
template <class Options>
Options parse_options(std::vector<std::string> words) {
  Options options;
  CLI::App app;
  options.add_to(app);
  std::reverse(words.begin(), words.end());  // CLI11 takes them so
  app.parse(words);
  return options;
}

}  // namespace moetune
