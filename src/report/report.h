#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/outcome.h"
#include "measure/trial.h"
#include "results/best_file.h"
#include "results/environment.h"
#include "results/journal.h"

namespace moetune {

/// An implementation at its best config for one problem: a line of every table.
struct ReportRow {
  Best best;
  std::size_t run = 0;  ///< index into Report::runs

  double tflops() const { return best.work.flops / best.time.median_us * 1e-6; }
  double gbps() const { return best.work.bytes / best.time.median_us * 1e-3; }
  /// What it takes in a burst, where that is more than 3 % from what is reported.
  std::optional<double> differing_burst_us() const;
};

/// A config of one stage and how long the stage took with it alone.
struct StageTrial {
  Problem problem;
  Stage stage = Stage::gate;
  StageConfig config;
  std::size_t run = 0;  ///< index into Report::runs
  double median_us = 0;
};

/// What all exporters work from.
struct Report {
  std::vector<Environment> runs;
  std::vector<ReportRow> rows;                          ///< sorted: device, model, shape, M, implementation
  std::map<Outcome, std::int64_t> outcomes;             ///< how the trials fared
  std::map<std::string, std::int64_t> failure_reasons;  ///< of the trials that failed
  std::vector<StageTrial> stage_trials;                 ///< those of single stages that were timed
};

/// Joins what several files hold. Where the same problem, implementation, device and timing options occur more than
/// once, the run that began last counts.
Report make_report(std::span<const Journal> journals, std::span<const BestFile> best_files);

/// Rows that share a table: devices of the same name, same shape but for M.
struct RowGroup {
  std::string title;    ///< the model's id, or "custom shape"
  std::string details;  ///< "K=2048 N1=1536 N2=2048 E=128 topk=8 bf16 silu uniform, cold cache, graph launch"
  std::string device;
  std::vector<const ReportRow*> rows;
};
/// Whether a table of these rows needs a column for bursts.
bool has_differing_bursts(const RowGroup& group);
/// Points into `report`.
std::vector<RowGroup> group_rows(const Report& report);

/// About three digits, never an exponent: "0.0082", "7.50", "71.4", "2857".
std::string format_figure(double value);

/// "gate[mma bm16.bn64…] final[mma bm32…]"
std::string stage_labels(const PipelineConfig& config);

}  // namespace moetune
