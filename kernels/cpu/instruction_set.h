#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moetune::cpu {

/// Those that the kernels are compiled for and this machine has, best first: "avx512", "avx2", "ssse3", "neon".
std::vector<std::string> instruction_sets();

/// The one in use.
std::string instruction_set();

/// Makes all kernels use one of instruction_sets(), so that tests cover each; "" goes back to the best. Not while a
/// kernel runs.
void use_instruction_set(std::string_view name);

}  // namespace moetune::cpu
