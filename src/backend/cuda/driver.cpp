#include "backend/cuda/driver.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/shared_library.h"

namespace moetune::cuda {
namespace {

Result<const Driver*> load() {
  const SharedLibrary library({"libcuda.so.1"});
  if (!library.is_open())
    return Failure{Outcome::skipped,
                   fmt::format("no NVIDIA driver was found ({}): install the driver of your GPU", library.error())};
  static Driver d;
  try {
    library.load(d.init, "cuInit");
    library.load(d.driver_version, "cuDriverGetVersion");
    library.load(d.error_string, "cuGetErrorString");
    library.load(d.device_count, "cuDeviceGetCount");
    library.load(d.device_get, "cuDeviceGet");
    library.load(d.device_name, "cuDeviceGetName");
    library.load(d.device_uuid, "cuDeviceGetUuid_v2");
    library.load(d.device_attribute, "cuDeviceGetAttribute");
    library.load(d.device_memory, "cuDeviceTotalMem_v2");
    library.load(d.primary_context_retain, "cuDevicePrimaryCtxRetain");
    library.load(d.primary_context_release, "cuDevicePrimaryCtxRelease_v2");
    library.load(d.context_set_current, "cuCtxSetCurrent");
    library.load(d.context_get_current, "cuCtxGetCurrent");
    library.load(d.memory_info, "cuMemGetInfo_v2");
    library.load(d.memory_allocate, "cuMemAlloc_v2");
    library.load(d.memory_free, "cuMemFree_v2");
    library.load(d.copy_to_device, "cuMemcpyHtoD_v2");
    library.load(d.copy_to_host, "cuMemcpyDtoH_v2");
    library.load(d.fill_16_async, "cuMemsetD16Async");
    library.load(d.fill_8_async, "cuMemsetD8Async");
    library.load(d.module_load, "cuModuleLoadData");
    library.load(d.module_unload, "cuModuleUnload");
    library.load(d.module_function, "cuModuleGetFunction");
    library.load(d.function_set_attribute, "cuFuncSetAttribute");
    library.load(d.launch, "cuLaunchKernelEx");
    library.load(d.encode_tensor_map, "cuTensorMapEncodeTiled");
    library.load(d.stream_create, "cuStreamCreate");
    library.load(d.stream_destroy, "cuStreamDestroy_v2");
    library.load(d.stream_synchronize, "cuStreamSynchronize");
    library.load(d.capture_begin, "cuStreamBeginCapture_v2");
    library.load(d.capture_end, "cuStreamEndCapture");
    library.load(d.graph_instantiate, "cuGraphInstantiateWithFlags");
    library.load(d.graph_launch, "cuGraphLaunch");
    library.load(d.graph_exec_destroy, "cuGraphExecDestroy");
    library.load(d.graph_destroy, "cuGraphDestroy");
    library.load(d.event_create, "cuEventCreate");
    library.load(d.event_record, "cuEventRecord");
    library.load(d.event_elapsed, "cuEventElapsedTime");
    library.load(d.event_destroy, "cuEventDestroy_v2");
  } catch (const Error& error) {
    return Failure{Outcome::skipped, fmt::format("{} (driver 12.0 or later is needed)", error.what())};
  }
  if (const int code = d.init(0))
    return Failure{Outcome::skipped, fmt::format("the NVIDIA driver found no usable GPU: {}", d.describe(code))};
  return &d;
}

}  // namespace

const Result<const Driver*>& Driver::instance() {
  static const Result<const Driver*> driver = load();
  return driver;
}

std::string Driver::describe(int code) const {
  const char* text = nullptr;
  if (error_string(code, &text) != 0 || text == nullptr) text = "unknown error";
  return fmt::format("{} (CUDA error {})", text, code);
}

void Driver::check(int code, const char* what) const {
  if (code == 0) return;
  const Outcome outcome = code == kErrorOutOfMemory                                          ? Outcome::out_of_memory
                          : code == kErrorInvalidValue || code == kErrorLaunchOutOfResources ? Outcome::launch_error
                                                                                             : Outcome::runtime_error;
  throw DeviceError{{outcome, fmt::format("{}: {}", what, describe(code))}};
}

}  // namespace moetune::cuda
