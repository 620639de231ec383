// NAME.moe-tune.json beside the config files of a serving engine: every row that the export was made from.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "measure/trial.h"
#include "results/environment.h"

namespace moetune {

struct SidecarRow {
  Best best;
  bool exported = false;
  std::string left_out;  ///< why it is not exported, or empty
  std::string note;      ///< what the files cannot say of it, or empty
  std::size_t run = 0;   ///< index into Sidecar::runs
};

struct Sidecar {
  std::string format;              ///< "vllm"
  std::vector<std::string> files;  ///< names of those that it stands beside; none where no row is exported
  std::vector<SidecarRow> rows;    ///< ascending in M
  std::vector<Environment> runs;
};

std::string to_text(const Sidecar& sidecar);
/// Throws Error naming `origin` and the field.
Sidecar parse_sidecar(std::string_view text, std::string_view origin);

}  // namespace moetune
