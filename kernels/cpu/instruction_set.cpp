#include "kernels/cpu/instruction_set.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "kernels/cpu/targets.h"
//
#include <hwy/highway.h>

namespace moetune::cpu {
namespace {

std::string name_of(std::int64_t target) {
  if (target == HWY_AVX3) return "avx512";
  std::string name = hwy::TargetName(target);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

/// Highway's bits: the lower, the better.
std::vector<std::int64_t> usable_targets() {
  std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  std::sort(targets.begin(), targets.end());
  return targets;
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  for (const std::int64_t target : usable_targets()) names.push_back(name_of(target));
  return names;
}

std::string instruction_set() {
  return instruction_sets().front();
}

void use_instruction_set(std::string_view name) {
  hwy::SetSupportedTargetsForTest(0);  // back to what the machine has
  for (const std::int64_t target : usable_targets())
    if (name_of(target) == name) {
      hwy::SetSupportedTargetsForTest(target);
      break;
    }
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace moetune::cpu
