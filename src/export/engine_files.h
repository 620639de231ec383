// The config files that serving engines look up by experts, inner size and device, each a map from M to the launch
// parameters of a Triton kernel.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "export/formats.h"

namespace moetune {

/// What tells one serving engine's files from another's.
struct EngineFiles {
  struct File {
    std::string_view suffix;  ///< of the name: "", "_down"
    bool second;              ///< the config of the second GEMM, not the first
  };

  std::string_view format;                                    ///< "vllm"
  std::vector<File> files;                                    ///< for each E, N and device
  std::string (*device_name)(std::string_view device);        ///< as it stands in the file name
  std::string (*why_left_out)(const PipelineConfig& config);  ///< a reason, or empty
  std::string (*note)(const PipelineConfig& config);  ///< what the file cannot say of a row that it has, or empty
};

/// A map for each E, N and device that has rows to hold, and beside each a NAME.moe-tune.json with every row, held or
/// not. Throws Error where no row can be held.
Export write_engine_files(const Selection& selection, const EngineFiles& kind);

/// Why Triton's kernel cannot be launched with this config, or empty. Only configs of `mma` mean the same to it:
/// BLOCK_SIZE_N counts weight rows there as here (kernels/mma/traits.h), gate and up rows alike where the tile is
/// gated, and N1 of them in either case. GROUP_SIZE_M groups row tiles of all experts there, of one expert here.
std::string why_not_triton(const StageConfig& config);

}  // namespace moetune
