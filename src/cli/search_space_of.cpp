#include <fmt/format.h>

#include "base/resources.h"
#include "cli/config_options.h"

namespace moetune {

SearchSpace search_space_of(const Engine& engine) {
  const std::string path = fmt::format("search_spaces/{}.json", engine.name);
  return parse_search_space(resource(path), path);
}

}  // namespace moetune
