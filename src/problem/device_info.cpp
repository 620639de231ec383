#include "problem/device_info.h"

namespace moetune {

std::string_view to_string(Backend backend) {
  switch (backend) {
    case Backend::cpu:
      return "cpu";
    case Backend::cuda:
      return "cuda";
    case Backend::fake:
      return "fake";
  }
  return "?";
}

}  // namespace moetune
