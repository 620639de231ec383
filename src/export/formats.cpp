#include "export/formats.h"

#include <fmt/format.h>

#include "base/error.h"

namespace moetune {
namespace {

// vLLM and SGLang run the three kernels, so theirs are the configs that they can use.
constexpr ExportFormat kFormats[] = {
    {"vllm", "a folder of E=…,N=…,device_name=….json as vLLM loads them", false, Impl::three_kernel, to_vllm},
    {"sglang", "the same for SGLang, with a _down.json for the second GEMM", false, Impl::three_kernel, to_sglang},
    {"gbench", "Google Benchmark's JSON, for its compare.py", true, {}, to_gbench},
    {"github-action-benchmark", "JSON for its customSmallerIsBetter", true, {}, to_github_action_benchmark},
    {"t4", "a folder of the autotuning community's T4 results: all trials, failures too", false, {}, nullptr, to_t4},
    {"header", "a C++17 header with a constexpr table of problems and configs", true, {}, to_header},
};

}  // namespace

std::span<const ExportFormat> export_formats() {
  return kFormats;
}

const ExportFormat& find_export_format(std::string_view name) {
  std::string known;
  for (const ExportFormat& format : kFormats) {
    if (format.name == name) return format;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", format.name);
  }
  throw Error(fmt::format("unknown format '{}': use one of {}", name, known));
}

}  // namespace moetune
