// Whether configs that were found once are still to be trusted here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "export/sidecar.h"

namespace moetune {

/// A config of a best-config file, of a journal, or of one M in a serving engine's file.
struct CheckedEntry {
  std::string name;                  ///< "E=128,N=768,device_name=NVIDIA_H200.json M=16"
  std::vector<std::string> reasons;  ///< why it is stale; none where it is fresh
};

/// The entries of a serving engine's file, `name`, against the rows of the sidecar: what was edited since, what nothing
/// is known of, and what is stale. `text` is the file's. Throws Error.
std::vector<CheckedEntry> check_engine_file(std::string_view name, std::string_view text, const Sidecar& sidecar,
                                            const Environment& now);

}  // namespace moetune
