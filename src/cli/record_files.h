// Journals and best-config files as arguments of a subcommand.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace CLI {
class App;
}

namespace moetune {

void add_record_files(CLI::App& app, std::vector<std::string>& inputs);

struct Records {
  std::vector<Journal> journals;
  std::vector<BestFile> best_files;
};

/// What the files hold, those of a folder being its journals, or, where it has none, its best-config files. Lines that
/// cannot be read are named on stderr and left out. Throws Error.
Records read_records(const std::vector<std::string>& inputs);

/// Joined. Throws Error also where there is no best config.
Report read_report(const std::vector<std::string>& inputs);

}  // namespace moetune
