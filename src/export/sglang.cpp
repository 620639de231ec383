#include <algorithm>

#include <fmt/format.h>

#include "export/engine_files.h"

namespace moetune {
namespace {

std::string device_name(std::string_view device) {
  std::string name(device);
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

/// Both GEMMs read one sorted list of tokens, so SGLang demands the same BLOCK_SIZE_M of both, at whichever M it looks
/// up: a row is in both files or in neither.
std::string why_left_out(const PipelineConfig& config) {
  for (const Stage stage : tunable_stages_of(config.impl)) {
    const std::string reason = why_not_triton(config.stages.at(stage));
    if (!reason.empty()) return fmt::format("{}: {}", to_string(stage), reason);
  }
  const int up = config.stages.at(first_gemm(config.impl)).config.at("BLOCK_SIZE_M");
  const int down = config.stages.at(second_gemm(config.impl)).config.at("BLOCK_SIZE_M");
  if (up == down) return "";
  return fmt::format("BLOCK_SIZE_M is {} in the first GEMM and {} in the second, and SGLang takes one for both", up,
                     down);
}

std::string note(const PipelineConfig&) {
  return "";
}

}  // namespace

Export to_sglang(const Selection& selection) {
  return write_engine_files(selection, {.format = "sglang",
                                        .files = {{.suffix = "", .second = false}, {.suffix = "_down", .second = true}},
                                        .device_name = device_name,
                                        .why_left_out = why_left_out,
                                        .note = note});
}

}  // namespace moetune
