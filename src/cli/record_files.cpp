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

/// As best_file_name() gives them: other JSON files may lie beside.
bool is_best_file_name(const fs::path& path) {
  if (path.extension() != ".json") return false;
  const std::string impl = path.stem().extension().string();
  return std::any_of(kImpls.begin(), kImpls.end(),
                     [&](Impl each) { return impl == fmt::format(".{}", to_string(each)); });
}

template <class Wanted>
std::vector<fs::path> find_in_folder(const fs::path& folder, Wanted is_wanted) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (is_wanted(at->path())) found.push_back(at->path());
  if (error) throw Error(fmt::format("cannot read the folder '{}': {}", folder.string(), error.message()));
  std::sort(found.begin(), found.end());
  return found;
}

/// Journals and best-config files: the arguments themselves, or what `tune --out` left in a folder.
std::vector<fs::path> find_inputs(const std::vector<std::string>& arguments) {
  std::vector<fs::path> inputs;
  for (const fs::path path : arguments) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      inputs.push_back(path);
      continue;
    }
    std::vector<fs::path> found =
        find_in_folder(path, [](const fs::path& file) { return file.extension() == ".jsonl"; });
    if (found.empty()) found = find_in_folder(path, is_best_file_name);
    if (found.empty())
      throw Error(fmt::format(
          "no journal (*.jsonl) and no best-config file (*.three_kernel.json, *.merged.json) in '{}'", path.string()));
    inputs.insert(inputs.end(), found.begin(), found.end());
  }
  return inputs;
}

}  // namespace

void add_record_files(CLI::App& app, std::vector<std::string>& inputs) {
  app.add_option("inputs", inputs, "Journals (*.jsonl), best-config files (*.json), or folders that hold them")
      ->required()
      ->type_name("PATH");
}

Records read_records(const std::vector<std::string>& inputs) {
  Records records;
  for (const fs::path& path : find_inputs(inputs)) {
    // A best-config file is one JSON document over many lines; a journal's first line is one by itself.
    const std::string text = read_file(path);
    const bool is_best_file = path.extension() == ".json" || text.starts_with("{\n");
    if (is_best_file)
      records.best_files.push_back(parse_best_file(text, path.string()));
    else
      records.journals.push_back(read_journal(path));
  }
  for (const Journal& journal : records.journals)
    for (const std::string& warning : journal.warnings) warn(warning);
  return records;
}

Report read_report(const std::vector<std::string>& inputs) {
  const Records records = read_records(inputs);
  Report report = make_report(records.journals, records.best_files);
  if (report.rows.empty()) throw Error("no best config in these files: has the tuning run come to its end?");
  return report;
}

}  // namespace moetune
