#include <algorithm>
#include <sstream>

#include <fmt/format.h>

#include "export/engine_files.h"

namespace moetune {
namespace {

/// The name with '_' for ' '. All of the H200 family goes by one name.
std::string device_name(std::string_view device) {
  std::string name(device);
  std::replace(name.begin(), name.end(), ' ', '_');
  std::istringstream words(name);
  for (std::string word; std::getline(words, word, '_');)
    if (word == "H200") return "NVIDIA_H200";
  return name;
}

/// Both GEMMs are launched with one config: the first's here, as it has the most to compute.
std::string why_left_out(const PipelineConfig& config) {
  const Stage first = first_gemm(config.impl);
  const std::string reason = why_not_triton(config.stages.at(first));
  return reason.empty() ? "" : fmt::format("{}: {}", to_string(first), reason);
}

std::string note(const PipelineConfig& config) {
  const StageConfig& first = config.stages.at(first_gemm(config.impl));
  const StageConfig& final = config.stages.at(second_gemm(config.impl));
  if (first == final) return "";
  return fmt::format("the second GEMM's best config is another, {}; vLLM launches it with the first's",
                     to_label(final));
}

}  // namespace

Export to_vllm(const Selection& selection) {
  return write_engine_files(selection, {.format = "vllm",
                                        .files = {{.suffix = "", .second = false}},
                                        .device_name = device_name,
                                        .why_left_out = why_left_out,
                                        .note = note});
}

}  // namespace moetune
