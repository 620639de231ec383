// What head measured in earlier comparisons: a line for each in history.jsonl of a folder. Pairs cannot see a row that
// gets half a per cent slower with every change; the median of the last 20 can.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "compare/comparison.h"

namespace moetune {

struct HistoryRun {
  std::string created;
  std::string git_revision;
  std::string device, driver, compiler;     ///< figures of others are not compared with
  std::map<std::string, double> median_us;  ///< of each row, by its problem line, implementation and timing options

  bool operator==(const HistoryRun&) const = default;
};

struct History {
  std::vector<HistoryRun> runs;       ///< oldest first
  std::vector<std::string> warnings;  ///< lines that could not be read, each with its number and reason
};

/// Of a folder in which there is none yet, an empty one. Throws Error where it cannot be read.
History read_history(const std::filesystem::path& folder);

/// Fills ComparedRow::drift of the rows that have pairs.
void judge_against(const History& history, GateResult& result);

/// What head measured in this comparison, rows with pairs only.
HistoryRun history_run(const GateResult& result);

/// Appends a line, with a single write(). Makes the folder. Throws Error.
void append_to_history(const std::filesystem::path& folder, const HistoryRun& run);

}  // namespace moetune
