#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/files.h"
#include "chart/svg.h"
#include "cli/command.h"
#include "cli/output.h"
#include "cli/record_files.h"
#include "report/answer.h"
#include "report/charts.h"
#include "report/exporters.h"

namespace moetune {
namespace {

void write_charts(const std::filesystem::path& folder, const Report& report) {
  const ReportCharts charts = make_charts(report);
  const auto write = [&](const std::vector<NamedChart>& named) {
    for (const NamedChart& chart : named)
      write_file_atomically(folder / (chart.name + ".svg"), standalone_svg(chart.svg));
  };
  write(charts.overview);
  for (const ReportCharts::Section& section : charts.groups) write(section.charts);
  for (const ReportCharts::Section& section : charts.engines) write(section.charts);
}

class ReportCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    add_record_files(app, inputs_);
    for (const Exporter& exporter : exporters()) {
      app.add_option(fmt::format("--{}", exporter.name), targets_[&exporter],
                     fmt::format("Write {} to FILE; '-' is stdout", exporter.summary))
          ->group("Formats")
          ->type_name("FILE");
    }
    app.add_option("--svg", svg_, "Write every chart of the page as a file of its own into DIR, for slides")
        ->group("Formats")
        ->type_name("DIR");
    app.footer(
        "Without a format the table is printed. A line that cannot be read is named on stderr and left out.\n"
        "Where a problem occurs more than once, the latest run on the same device counts.\n\n"
        "Examples:\n"
        "  moe-tune report moe-tune-results\n"
        "  moe-tune report results/nvidia-h200 --html report.html --svg charts\n"
        "  moe-tune report results/nvidia-h200/journal.jsonl --markdown report.md --csv summary.csv");
  }

  int run(const Session& session) override {
    const Report report = read_report(inputs_);

    bool written = false;
    for (const Exporter& exporter : exporters()) {
      const std::string& target = targets_[&exporter];
      if (target.empty()) continue;
      write_output(target, exporter.write(report));
      written = true;
    }
    if (!svg_.empty()) {
      write_charts(svg_, report);
      written = true;
    }
    if (!written) fmt::print("{}\n{}\n", to_console(report, session.colours), answer_line(report));
    return 0;
  }

 private:
  std::vector<std::string> inputs_;
  std::string svg_;
  std::map<const Exporter*, std::string> targets_;
};

}  // namespace

std::unique_ptr<Command> make_report_command() {
  return std::make_unique<ReportCommand>();
}

}  // namespace moetune
