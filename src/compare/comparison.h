#pragma once

#include <optional>
#include <string>
#include <vector>

#include "compare/gate.h"
#include "compare/side.h"

namespace moetune {

/// A row of base, of head, or of both.
struct ComparedRow {
  std::string name;  ///< "qwen3-30b-a3b/M:16/merged", and what is not as in most rows
  Problem problem;
  Impl impl = Impl::merged;
  TimingOptions timing;
  std::vector<Pair> pairs;                                 ///< none where only one side has it
  std::optional<PipelineConfig> base_config, head_config;  ///< of the latest run
  Judgement judgement;
  std::optional<Judgement> drift;  ///< against earlier runs; see compare/history.h
};

struct GateResult {
  GateRule rule;
  std::vector<Environment> base_runs, head_runs;
  std::vector<ComparedRow> rows;  ///< worst first
  std::optional<Judgement>
      mean;  ///< of the rows that have enough pairs, else of all that have any; none for a single row

  int count(Finding finding) const;
};

struct CompareOptions {
  GateRule rule;
  /// Compare rows though driver, compiler or device differ: then these are what is being compared.
  bool across = false;
};

/// Joins the rows of both sides. A row that is on one side only is a finding, never dropped; and where the other side
/// has one that is nearly the same, the difference is said. Runs are paired from the latest backwards.
GateResult compare_sides(const Side& base, const Side& head, const CompareOptions& options);

/// What makes a gate fail beyond wrong results, slower rows, and rows that are missing or changed.
struct FailOn {
  bool inconclusive = false;
  bool warning = false;  ///< what only warns
};

/// 3 where results are wrong, else 1 where a row or the mean is slower, else 5 where a row is missing or changed or
/// there is nothing to compare, else, if asked for, 4 where something is inconclusive; else 0.
int gate_exit_code(const GateResult& result, const FailOn& fail_on);

/// "FAIL: 2 of 12 rows SLOWER; mean 1.012 [1.004, 1.020] times base"
std::string gate_summary(const GateResult& result, const FailOn& fail_on);

}  // namespace moetune
