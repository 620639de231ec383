// Which of a report's rows an export takes, and what they are called.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace moetune {

/// One row for each problem, device and timing options. Points into the report.
struct Selection {
  const Report* report = nullptr;
  std::vector<const ReportRow*> rows;

  const Environment& run(const ReportRow& row) const { return report->runs[row.run]; }
};

/// Of the implementations of a problem the `preferred` one where it is there, else the faster. `only` leaves out all
/// rows of any other.
Selection select_rows(const Report& report, std::optional<Impl> preferred, std::optional<Impl> only);

/// "qwen3-30b-a3b/K:2048/N1:1536/N2:2048/E:128/topk:8/bf16/silu/uniform/cold/graph/M:16": the problem and how it was
/// timed, not the config nor the implementation, so that runs before and after a change have the same names. The device
/// is added where the selection has several.
std::string row_name(const Selection& selection, const ReportRow& row);

/// The stages of the first GEMM, gemm1 or gate, and of the second, final. With both in one kernel, mlp for either.
Stage first_gemm(Impl impl);
Stage second_gemm(Impl impl);

}  // namespace moetune
