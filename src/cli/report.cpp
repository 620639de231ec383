#include <algorithm>
#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/output.h"
#include "report/answer.h"
#include "report/exporters.h"

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

class ReportCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    app.add_option("inputs", inputs_,
                   "Journals (*.jsonl), best-config files (*.json), or folders with journals in them")
        ->required()
        ->type_name("PATH");
    for (const Exporter& exporter : exporters()) {
      app.add_option(fmt::format("--{}", exporter.name), targets_[&exporter],
                     fmt::format("Write {} to FILE; '-' is stdout", exporter.summary))
          ->group("Formats")
          ->type_name("FILE");
    }
    app.footer(
        "Without a format the table is printed. A line that cannot be read is named on stderr and left out.\n"
        "Where a problem occurs more than once, the latest run on the same device counts.\n\n"
        "Examples:\n"
        "  moe-tune report moe-tune-results\n"
        "  moe-tune report results/nvidia-h200/journal.jsonl --markdown report.md --csv summary.csv");
  }

  int run(const Session& session) override {
    std::vector<Journal> journals;
    std::vector<BestFile> files;
    for (const fs::path& path : find_inputs(inputs_)) {
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
    const Report report = make_report(journals, files);
    if (report.rows.empty()) throw Error("no best config in these files: has the tuning run come to its end?");

    bool written = false;
    for (const Exporter& exporter : exporters()) {
      const std::string& target = targets_[&exporter];
      if (target.empty()) continue;
      write_output(target, exporter.write(report));
      written = true;
    }
    if (!written) fmt::print("{}\n{}\n", to_console(report, session.colours), answer_line(report));
    return 0;
  }

 private:
  std::vector<std::string> inputs_;
  std::map<const Exporter*, std::string> targets_;
};

}  // namespace

std::unique_ptr<Command> make_report_command() {
  return std::make_unique<ReportCommand>();
}

}  // namespace moetune
