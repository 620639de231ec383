// The formats that tuned configs, and what was tried on the way to them, can be handed on in, for other programs to
// read. Each is a pure function in a file of its own.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "export/selection.h"

namespace moetune {

struct ExportFile {
  std::string name;  ///< without a folder
  std::string text;
};

struct Export {
  std::vector<ExportFile> files;
  std::vector<std::string> notes;  ///< what the files do not hold, and why
};

// Each throws Error where there is nothing that it can write.
Export to_vllm(const Selection& selection);
Export to_sglang(const Selection& selection);
Export to_gbench(const Selection& selection);
Export to_github_action_benchmark(const Selection& selection);
Export to_header(const Selection& selection);
/// All trials, failures included, in a file for each space that was searched: of `only` one implementation, or of all.
Export to_t4(std::span<const Journal> journals, std::optional<Impl> only);

struct ExportFormat {
  std::string_view name;                        ///< as in `export --format`
  std::string_view summary;                     ///< for --help
  bool one_file;                                ///< always; else the rows decide how many
  std::optional<Impl> preferred;                ///< empty: the faster implementation of each problem
  Export (*write)(const Selection& selection);  ///< of best configs; null for a format of trials
  Export (*write_trials)(std::span<const Journal> journals, std::optional<Impl> only) = nullptr;
};

std::span<const ExportFormat> export_formats();
/// Throws Error naming the formats there are.
const ExportFormat& find_export_format(std::string_view name);

}  // namespace moetune
