#include "backend/cuda/nvml.h"

#include <utility>

#include "base/shared_library.h"

namespace moetune::cuda {
namespace {

constexpr int kMultiprocessorClock = 1;  // NVML_CLOCK_SM

/// nvmlClocksEventReason…: those that take away clock which the load would use. Idling and set clocks do not.
constexpr std::pair<unsigned long long, const char*> kReasons[] = {
    {0x04, ClockState::kPowerLimit}, {0x08, "hardware slowdown"},    {0x10, "sync boost"},
    {0x20, "temperature"},           {0x40, "hardware temperature"}, {0x80, "power brake"}};

template <class Function>
Function find(const SharedLibrary& library, const char* symbol) {
  return reinterpret_cast<Function>(library.find(symbol));
}

}  // namespace

ClockReader::ClockReader(const std::string& uuid, const std::vector<std::string>& libraries) {
  const SharedLibrary library(libraries);
  if (!library.is_open()) return;
  const auto init = find<int (*)()>(library, "nvmlInit_v2");
  const auto by_uuid = find<int (*)(const char*, Handle*)>(library, "nvmlDeviceGetHandleByUUID");
  clock_ = find<decltype(clock_)>(library, "nvmlDeviceGetClockInfo");
  reasons_ = find<decltype(reasons_)>(library, "nvmlDeviceGetCurrentClocksEventReasons");
  // Its name before driver 535.
  if (!reasons_) reasons_ = find<decltype(reasons_)>(library, "nvmlDeviceGetCurrentClocksThrottleReasons");
  if (!init || !by_uuid || init() != 0 || by_uuid(uuid.c_str(), &device_) != 0) device_ = nullptr;
}

ClockState ClockReader::read() const {
  ClockState state;
  if (!device_) return state;
  unsigned mhz = 0;
  if (clock_ && clock_(device_, kMultiprocessorClock, &mhz) == 0) state.sm_mhz = mhz;
  unsigned long long reasons = 0;
  if (reasons_ && reasons_(device_, &reasons) == 0)
    for (const auto& [bit, name] : kReasons)
      if (reasons & bit) state.slowed_by.emplace_back(name);
  return state;
}

}  // namespace moetune::cuda
