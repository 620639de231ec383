// The files whose configs `export --check` looks at.
#pragma once

#include <string>
#include <vector>

#include "export/check.h"

namespace moetune {

/// Every config in best-config files, journals (of each problem the latest), and files for vLLM and SGLang
/// (E=….json), beside which moe-tune left a sidecar; of folders all of these. Throws Error where there is none.
std::vector<CheckedEntry> check_files(const std::vector<std::string>& inputs, const Environment& now);

}  // namespace moetune
