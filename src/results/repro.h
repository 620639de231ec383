#pragma once

#include <string>
#include <string_view>

#include "measure/trial.h"

namespace moetune {

// The command line, quoted for a shell, that measures the same thing again:
//   moe-tune bench --device cuda:0 --problem M=16,K=2048,… --impl merged --config gate=mma:BLOCK_SIZE_M=64,…
//     --config final=mma:… --seed 7 --fill random --cache cold --launch graph
// A trial of one stage adds --stages.

std::string repro_command(const Trial& trial, std::string_view device_id);
std::string repro_command(const Best& best, std::string_view device_id);

/// The same for one verification: moe-tune verify --device … --problem … --impl … --config … --seed … --fill …
std::string verify_command(const Problem& problem, const PipelineConfig& config, const DataSpec& data,
                           std::string_view device_id);

/// The value of --config for one stage: "gate=mma:BLOCK_SIZE_M=64,BLOCK_SIZE_N=128".
std::string to_argument(Stage stage, const StageConfig& config);

/// Reads it back. Throws Error naming the part that is wrong and the form.
std::pair<Stage, StageConfig> parse_stage_argument(std::string_view text);

/// `word` as a POSIX shell would read it back.
std::string shell_quote(std::string_view word);

}  // namespace moetune
