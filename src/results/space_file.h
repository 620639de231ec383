#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "results/environment.h"
#include "results/journal.h"
#include "search/recorded_space.h"

namespace moetune {

/// The content of a recorded-space file: one stage of one problem, described in results/README.md.
struct SpaceFile {
  RecordedSpace space;
  Environment environment;

  bool operator==(const SpaceFile&) const = default;
};

/// The screening trials of a journal, one space for each problem, stage, device and way of timing, in the order they
/// first occur. The first trial of a config in a run is of rung 0, its next of rung 1 and so on; where several runs
/// have the same, the latest counts. Those that were interrupted are left out.
std::vector<SpaceFile> recorded_spaces(const Journal& journal);

/// JSON, which write_space_file compresses.
std::string to_text(const SpaceFile& file);
/// Throws Error naming `origin` and the field.
SpaceFile parse_space_file(std::string_view text, std::string_view origin);
/// Compressed or not.
SpaceFile read_space_file(const std::filesystem::path& path);

/// "qwen3-30b-a3b_M16_K2048_…_uniform.gate.space.json.gz": a name of its own for every problem and stage.
std::string space_file_name(const RecordedSpace& space);
/// Writes it into `folder` under its name, whole or not at all. Returns the path. Throws Error.
std::filesystem::path write_space_file(const std::filesystem::path& folder, const SpaceFile& file);

}  // namespace moetune
