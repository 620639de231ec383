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

/// What the files hold, those of a folder being its journals. Lines that cannot be read are named on stderr and left
/// out. Throws Error, also where there is no best config.
Report read_report(const std::vector<std::string>& inputs);

}  // namespace moetune
