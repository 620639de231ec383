#include "cli/record_files.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/output.h"

namespace moetune {
namespace {

namespace fs = std::filesystem;

/// Journals and best-config files: the arguments themselves, or what `tune --out` left in a folder.
std::vector<fs::path> find_inputs(const std::vector<std::string>& arguments) {
  std::vector<fs::path> inputs;
  for (const fs::path path : arguments) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      inputs.push_back(path);
      continue;
    }
    std::vector<fs::path> found;
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".jsonl") found.push_back(at->path());
    if (error) throw Error(fmt::format("cannot read the folder '{}': {}", path.string(), error.message()));
    if (found.empty()) throw Error(fmt::format("no journal (*.jsonl) in '{}'", path.string()));
    std::sort(found.begin(), found.end());
    inputs.insert(inputs.end(), found.begin(), found.end());
  }
  return inputs;
}

}  // namespace

void add_record_files(CLI::App& app, std::vector<std::string>& inputs) {
  app.add_option("inputs", inputs, "Journals (*.jsonl), best-config files (*.json), or folders with journals in them")
      ->required()
      ->type_name("PATH");
}

Report read_report(const std::vector<std::string>& inputs) {
  std::vector<Journal> journals;
  std::vector<BestFile> files;
  for (const fs::path& path : find_inputs(inputs)) {
    // A best-config file is one JSON document over many lines; a journal's first line is one by itself.
    const std::string text = read_file(path);
    const bool is_best_file = path.extension() == ".json" || text.starts_with("{\n");
    if (is_best_file)
      files.push_back(parse_best_file(text, path.string()));
    else
      journals.push_back(read_journal(path));
  }
  for (const Journal& journal : journals)
    for (const std::string& warning : journal.warnings) warn(warning);
  Report report = make_report(journals, files);
  if (report.rows.empty()) throw Error("no best config in these files: has the tuning run come to its end?");
  return report;
}

}  // namespace moetune
