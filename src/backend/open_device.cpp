#include <fmt/format.h>

#include <charconv>

#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "backend/device.h"
#include "base/error.h"

namespace moetune {

std::unique_ptr<Device> open_device(std::string_view id, std::shared_ptr<ProgramCompiler> compiler) {
  if (id == "cpu") return make_cpu_device();
  if (id == "auto") return count_cuda_devices() > 0 ? make_cuda_device(0, std::move(compiler)) : make_cpu_device();
  if (id == "cuda") return make_cuda_device(0, std::move(compiler));
  constexpr std::string_view kPrefix = "cuda:";
  if (id.starts_with(kPrefix)) {
    const std::string_view digits = id.substr(kPrefix.size());
    int index = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (error == std::errc() && end == digits.data() + digits.size() && index >= 0)
      return make_cuda_device(index, std::move(compiler));
  }
  throw Error(fmt::format("unknown device '{}': give auto, cpu or cuda:N", id));
}

}  // namespace moetune
