#include <cuda.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "backend/cuda/driver.h"

namespace moetune::cuda {
namespace {

TEST(DriverAbi, LaunchStructsAgreeWithTheToolkit) {
  EXPECT_EQ(sizeof(LaunchConfig), sizeof(CUlaunchConfig));
  EXPECT_EQ(offsetof(LaunchConfig, grid_x), offsetof(CUlaunchConfig, gridDimX));
  EXPECT_EQ(offsetof(LaunchConfig, block_x), offsetof(CUlaunchConfig, blockDimX));
  EXPECT_EQ(offsetof(LaunchConfig, shared_bytes), offsetof(CUlaunchConfig, sharedMemBytes));
  EXPECT_EQ(offsetof(LaunchConfig, stream), offsetof(CUlaunchConfig, hStream));
  EXPECT_EQ(offsetof(LaunchConfig, attributes), offsetof(CUlaunchConfig, attrs));
  EXPECT_EQ(offsetof(LaunchConfig, attribute_count), offsetof(CUlaunchConfig, numAttrs));
  EXPECT_EQ(sizeof(LaunchAttribute), sizeof(CUlaunchAttribute));
  EXPECT_EQ(offsetof(LaunchAttribute, value), offsetof(CUlaunchAttribute, value));
  EXPECT_EQ(sizeof(LaunchAttribute::value), sizeof(CUlaunchAttributeValue));
}

TEST(DriverAbi, LaunchAttributesAreReadAsTheyAreWritten) {
  LaunchAttribute cluster;
  cluster.id = kClusterDimension;
  for (unsigned i = 0; i < 3; i++) cluster.value.cluster_dimension[i] = i + 1;
  CUlaunchAttribute read;
  std::memcpy(&read, &cluster, sizeof read);
  EXPECT_EQ(read.id, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
  EXPECT_EQ(read.value.clusterDim.x, 1u);
  EXPECT_EQ(read.value.clusterDim.y, 2u);
  EXPECT_EQ(read.value.clusterDim.z, 3u);

  LaunchAttribute overlap;
  overlap.id = kProgrammaticStreamSerialization;
  overlap.value.programmatic_stream_serialization = 1;
  std::memcpy(&read, &overlap, sizeof read);
  EXPECT_EQ(read.id, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
  EXPECT_EQ(read.value.programmaticStreamSerializationAllowed, 1);
}

/// The sizes of a function's parameters and of its result: what decides how it is called, all of them being integers,
/// enumerators and pointers.
template <class Result, class... Parameters>
constexpr std::array<std::size_t, 1 + sizeof...(Parameters)> sizes_of(Result (*)(Parameters...)) {
  static_assert(((std::is_scalar_v<Parameters>)&&...));
  return {sizeof(Result), sizeof(Parameters)...};
}

TEST(DriverAbi, TensorMapsAgreeWithTheToolkit) {
  EXPECT_EQ(sizeof(TensorMap), sizeof(CUtensorMap));
  // The driver asks for 64 bytes. So does the type of CUDA 12; that of CUDA 13 is aligned to 128.
  EXPECT_GE(alignof(TensorMap), 64u);
  EXPECT_EQ(kTensorFloat16, CU_TENSOR_MAP_DATA_TYPE_FLOAT16);
  EXPECT_EQ(kTensorBfloat16, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16);
  EXPECT_EQ(kTensorSwizzle64, CU_TENSOR_MAP_SWIZZLE_64B);
  EXPECT_EQ(kTensorSwizzle128, CU_TENSOR_MAP_SWIZZLE_128B);
  EXPECT_EQ(kTensorPromotion256, CU_TENSOR_MAP_L2_PROMOTION_L2_256B);
  // Passed as plain zeros.
  EXPECT_EQ(CU_TENSOR_MAP_INTERLEAVE_NONE, 0);
  EXPECT_EQ(CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE, 0);
  constexpr decltype(Driver::encode_tensor_map) kOurs = nullptr;
  constexpr decltype(&cuTensorMapEncodeTiled) kTheirs = nullptr;
  EXPECT_EQ(sizes_of(kOurs), sizes_of(kTheirs));
}

TEST(DriverAbi, EnumeratorsAgreeWithTheToolkit) {
  EXPECT_EQ(kClusterDimension, CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
  EXPECT_EQ(kProgrammaticStreamSerialization, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
  EXPECT_EQ(static_cast<int>(Attribute::multiprocessor_count), CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  EXPECT_EQ(static_cast<int>(Attribute::l2_cache_size), CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
  EXPECT_EQ(static_cast<int>(Attribute::compute_capability_major), CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  EXPECT_EQ(static_cast<int>(Attribute::compute_capability_minor), CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  EXPECT_EQ(static_cast<int>(Attribute::max_shared_memory_per_multiprocessor),
            CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR);
  EXPECT_EQ(static_cast<int>(Attribute::max_registers_per_multiprocessor),
            CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR);
  EXPECT_EQ(static_cast<int>(Attribute::max_shared_memory_per_block_optin),
            CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  EXPECT_EQ(kMaxDynamicSharedSize, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  EXPECT_EQ(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);
  EXPECT_EQ(kCaptureThreadLocal, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  EXPECT_EQ(kErrorInvalidValue, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(kErrorOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(kErrorLaunchOutOfResources, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
}

TEST(DriverAbi, HandlesAreOfTheToolkitsSizes) {
  EXPECT_EQ(sizeof(DevicePointer), sizeof(CUdeviceptr));
  EXPECT_EQ(sizeof(Function), sizeof(CUfunction));
  EXPECT_EQ(sizeof(CUresult), sizeof(int));
  EXPECT_EQ(sizeof(CUdevice), sizeof(int));
}

}  // namespace
}  // namespace moetune::cuda
