#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/outcome.h"
#include "kernels/lib/tensor_map.h"

namespace moetune::cuda {

// The part of the CUDA driver interface (docs.nvidia.com/cuda/cuda-driver-api) that moe-tune uses. Declared here so
// that the binary builds without a CUDA toolkit and starts without a driver; tests/backend/cuda/driver_abi_test.cpp
// compares it with cuda.h where that is installed.
using DevicePointer = unsigned long long;
using Context = struct CudaContext*;
using Module = struct CudaModule*;
using Function = struct CudaFunction*;
using Stream = struct CudaStream*;
using Event = struct CudaEvent*;
using Graph = struct CudaGraph*;
using GraphExec = struct CudaGraphExec*;

struct LaunchAttribute {
  int id = 0;
  char padding[4] = {};
  alignas(8) union {
    char bytes[64];
    int programmatic_stream_serialization;
    unsigned cluster_dimension[3];
  } value = {};
};
inline constexpr int kClusterDimension = 4;
inline constexpr int kProgrammaticStreamSerialization = 6;

struct LaunchConfig {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1;
  unsigned block_x = 1, block_y = 1, block_z = 1;
  unsigned shared_bytes = 0;
  Stream stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};

/// Values of CUdevice_attribute.
enum class Attribute : int {
  multiprocessor_count = 16,
  l2_cache_size = 38,
  compute_capability_major = 75,
  compute_capability_minor = 76,
  max_shared_memory_per_multiprocessor = 81,
  max_registers_per_multiprocessor = 82,
  max_shared_memory_per_block_optin = 97,
};
inline constexpr int kMaxDynamicSharedSize = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
inline constexpr int kStreamNonBlocking = 1;
inline constexpr int kCaptureThreadLocal = 1;
// Of tensor maps: CUtensorMapDataType, CUtensorMapSwizzle, CUtensorMapL2promotion.
inline constexpr int kTensorFloat16 = 6, kTensorBfloat16 = 9;
inline constexpr int kTensorSwizzle64 = 2, kTensorSwizzle128 = 3;
inline constexpr int kTensorPromotion256 = 3;
inline constexpr int kErrorOutOfMemory = 2;
inline constexpr int kErrorInvalidValue = 1;
inline constexpr int kErrorLaunchOutOfResources = 701;

struct Driver {
  int (*init)(unsigned);
  int (*driver_version)(int*);
  int (*error_string)(int, const char**);
  int (*device_count)(int*);
  int (*device_get)(int*, int);
  int (*device_name)(char*, int, int);
  int (*device_uuid)(unsigned char*, int);
  int (*device_attribute)(int*, int, int);
  int (*device_memory)(std::size_t*, int);
  int (*primary_context_retain)(Context*, int);
  int (*primary_context_release)(int);
  int (*context_set_current)(Context);
  int (*context_get_current)(Context*);
  int (*memory_info)(std::size_t*, std::size_t*);
  int (*memory_allocate)(DevicePointer*, std::size_t);
  int (*memory_free)(DevicePointer);
  int (*copy_to_device)(DevicePointer, const void*, std::size_t);
  int (*copy_to_host)(void*, DevicePointer, std::size_t);
  int (*fill_16_async)(DevicePointer, unsigned short, std::size_t, Stream);
  int (*fill_8_async)(DevicePointer, unsigned char, std::size_t, Stream);
  int (*module_load)(Module*, const void*);
  int (*module_unload)(Module);
  int (*module_function)(Function*, Module, const char*);
  int (*function_set_attribute)(Function, int, int);
  int (*launch)(const LaunchConfig*, Function, void**, void**);
  int (*encode_tensor_map)(TensorMap*, int type, unsigned rank, DevicePointer, const unsigned long long* sizes,
                           const unsigned long long* strides, const unsigned* box, const unsigned* element_strides,
                           int interleave, int swizzle, int promotion, int fill);
  int (*stream_create)(Stream*, unsigned);
  int (*stream_destroy)(Stream);
  int (*stream_synchronize)(Stream);
  int (*capture_begin)(Stream, int);
  int (*capture_end)(Stream, Graph*);
  int (*graph_instantiate)(GraphExec*, Graph, unsigned long long);
  int (*graph_launch)(GraphExec, Stream);
  int (*graph_exec_destroy)(GraphExec);
  int (*graph_destroy)(Graph);
  int (*event_create)(Event*, unsigned);
  int (*event_record)(Event, Stream);
  int (*event_elapsed)(float*, Event, Event);
  int (*event_destroy)(Event);

  /// Loads libcuda and initialises it. The result lives as long as the process; a Failure says what is missing.
  static const Result<const Driver*>& instance();

  std::string describe(int code) const;  ///< "an illegal memory access was encountered (CUDA error 700)"

  /// Throws DeviceError unless `code` is success.
  void check(int code, const char* what) const;
};

/// A call to the driver that failed. Pipelines turn it into a Failure; elsewhere it becomes an Error.
struct DeviceError {
  Failure failure;
};

}  // namespace moetune::cuda
