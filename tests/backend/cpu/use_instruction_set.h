#pragma once

#include "kernels/cpu/instruction_set.h"

namespace moetune::testing {

/// Makes the CPU kernels use one instruction set for a while.
class UseInstructionSet {
 public:
  explicit UseInstructionSet(const std::string& name) { cpu::use_instruction_set(name); }
  ~UseInstructionSet() { cpu::use_instruction_set(""); }
  UseInstructionSet(const UseInstructionSet&) = delete;
  UseInstructionSet& operator=(const UseInstructionSet&) = delete;
};

}  // namespace moetune::testing
