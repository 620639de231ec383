// What a comparison is written as. Each is a pure function in a file of its own.
#pragma once

#include <string>

#include "compare/comparison.h"

namespace moetune {

/// A table with the worst first, rows that are the same folded away, and where the figures come from. At most 64 kB,
/// which GitHub shows without complaint: beyond that rows that are the same are only counted.
std::string gate_markdown(const GateResult& result, const FailOn& fail_on);

/// A test case for each row: a failure where it is SLOWER, MISSING or CHANGED, an error where it is WRONG, skipped
/// where it is INCONCLUSIVE or only warns.
std::string gate_junit(const GateResult& result, const FailOn& fail_on);

/// Everything; results/README.md has the fields.
std::string gate_json(const GateResult& result, const FailOn& fail_on);

/// Workflow commands that GitHub shows beside a run: errors for what fails, warnings for what does not; ten of each,
/// which is as many as it shows.
std::string gate_annotations(const GateResult& result, const FailOn& fail_on);

/// "verdict=fail", "exit_code=1", "slower=2", … for later steps of a workflow ($GITHUB_OUTPUT).
std::string gate_outputs(const GateResult& result, const FailOn& fail_on);

}  // namespace moetune
