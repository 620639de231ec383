#include "base/resources.h"

#include <string>

#include "base/error.h"

namespace moetune {

std::string_view resource(std::string_view path) {
  for (const Resource& each : resources())
    if (each.path == path) return each.text;
  throw Error("'" + std::string(path) + "' is not part of this binary: rebuild moe-tune");
}

}  // namespace moetune
