#pragma once

#include <array>
#include <string_view>

namespace moetune {

/// The keys of a config in the files that vLLM and SGLang come with, in their order. Those of the `mma` engine mean the
/// same.
inline constexpr std::array<std::string_view, 6> kTritonKeys{"BLOCK_SIZE_M", "BLOCK_SIZE_N", "BLOCK_SIZE_K",
                                                             "GROUP_SIZE_M", "num_warps",    "num_stages"};

}  // namespace moetune
