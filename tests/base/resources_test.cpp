#include "base/resources.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/files.h"

namespace moetune {
namespace {

TEST(Resources, AreTheFilesOfTheTree) {
  EXPECT_GT(resources().size(), 15u);
  for (const Resource& each : resources())
    EXPECT_EQ(each.text, read_file(std::string(MOETUNE_SOURCE_DIR) + "/" + std::string(each.path))) << each.path;
}

TEST(Resources, AnUnknownOneIsAnError) {
  EXPECT_NE(resource("search_spaces/models.json").find("qwen3-30b-a3b"), std::string_view::npos);
  EXPECT_THROW(resource("kernels/none.cu"), Error);
}

}  // namespace
}  // namespace moetune
