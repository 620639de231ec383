#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "measure/trial.h"
#include "results/environment.h"

namespace moetune {

/// The content of a best-config file: one problem, one implementation.
struct BestFile {
  Best best;
  Environment environment;

  bool operator==(const BestFile&) const = default;
};

std::string to_text(const BestFile& file);
/// Throws Error naming `origin` and the field.
BestFile parse_best_file(std::string_view text, std::string_view origin);
BestFile read_best_file(const std::filesystem::path& path);

/// "qwen3-30b-a3b_M16_K2048_N1-1536_N2-2048_E128_topk8_bf16_silu_uniform": a name of its own for every problem.
std::string problem_file_name(const Problem& problem);

/// "qwen3-30b-a3b_M16_K2048_N1-1536_N2-2048_E128_topk8_bf16_silu_uniform.merged.json": a name of its own for every
/// problem and implementation.
std::string best_file_name(const Problem& problem, Impl impl);

/// Writes it into `folder` under its name, whole or not at all. Returns the path. Throws Error.
std::filesystem::path write_best_file(const std::filesystem::path& folder, const BestFile& file);

}  // namespace moetune
