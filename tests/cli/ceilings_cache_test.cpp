#include "cli/ceilings_cache.h"

#include <stdlib.h>

#include "backend/fake/fake_device.h"
#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

class CeilingsCache : public testing::Test {
 protected:
  CeilingsCache() { setenv("MOETUNE_CACHE_DIR", folder_.path().c_str(), 1); }
  ~CeilingsCache() override { unsetenv("MOETUNE_CACHE_DIR"); }

  Ceilings find(bool again = false) {
    return find_ceilings(device_, again, [&](std::string_view line) { notes_.emplace_back(line); });
  }

  TemporaryFolder folder_;
  FakeDevice device_{{.time_us = bowl({}), .faults = {}}};
  std::vector<std::string> notes_;
};

TEST_F(CeilingsCache, MeasuresOnce) {
  EXPECT_FALSE(cached_ceilings(device_.info()));
  const Ceilings measured = find();
  EXPECT_EQ(notes_.size(), 1u);
  EXPECT_EQ(find(), measured);
  EXPECT_EQ(notes_.size(), 1u) << "the second time they are read";
  find(true);
  EXPECT_EQ(notes_.size(), 2u);
}

TEST_F(CeilingsCache, OtherDriversAreOtherDevices) {
  DeviceInfo other = device_.info();
  other.driver = "99.9";
  EXPECT_NE(ceilings_cache(other).path(), ceilings_cache(device_.info()).path());
}

TEST_F(CeilingsCache, DamagedEntriesAreNamed) {
  find();
  const std::string name = ceilings_cache(device_.info()).path().filename().string();
  for (
      const char* text :
      {"", "{", "{}",
       R"({"schema": "moe-tune/ceilings", "schema_version": "1.0", "ceilings": {"read_bytes_per_s": 0, "matrix_flops_per_s": 1}})"}) {
    write_text(ceilings_cache(device_.info()).path(), text);
    EXPECT_ERROR(find(), name);
    EXPECT_ERROR(find(), "delete this file");
  }
  EXPECT_NO_THROW(find(true));
  EXPECT_TRUE(cached_ceilings(device_.info()));
}

TEST_F(CeilingsCache, ACacheThatCannotBeWrittenIsANote) {
  write_text(folder_ / "ceilings", "a file where a folder should be");
  EXPECT_GT(find().read_bytes_per_s, 0);
  ASSERT_EQ(notes_.size(), 2u);
  EXPECT_NE(notes_[1].find("again next time"), std::string::npos);
}

}  // namespace
}  // namespace moetune
