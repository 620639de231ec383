// NVIDIA's management library for one GPU, "GPU-fake", that runs at 1410 MHz under its power limit and is warm.
#include <cstring>

extern "C" {
int nvmlInit_v2() {
  return 0;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  static int gpu;
  *device = &gpu;
  return std::strcmp(uuid, "GPU-fake") == 0 ? 0 : 6;  // NVML_ERROR_NOT_FOUND
}
int nvmlDeviceGetClockInfo(void*, int type, unsigned* mhz) {
  *mhz = type == 1 ? 1410 : 345;
  return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void*, unsigned long long* reasons) {
  *reasons = 0x01 | 0x04 | 0x20;  // idle, which slows nothing down; power cap; software thermal
  return 0;
}
}
