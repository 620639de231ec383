#include "cli/noise_floor.h"

#include <stdlib.h>

#include "backend/cpu/cpu_device.h"
#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

class NoiseFloor : public testing::Test {
 protected:
  NoiseFloor() { setenv("MOETUNE_CACHE_DIR", folder_.path().c_str(), 1); }
  ~NoiseFloor() override { unsetenv("MOETUNE_CACHE_DIR"); }

  double find(bool again = false) {
    return find_noise_floor(*device_, again, [&](std::string_view line) { notes_.emplace_back(line); });
  }

  TemporaryFolder folder_;
  std::unique_ptr<Device> device_ = make_cpu_device();
  std::vector<std::string> notes_;
};

TEST_F(NoiseFloor, IsMeasuredOnce) {
  EXPECT_FALSE(cached_noise_floor(device_->info()));
  const double floor = find();
  EXPECT_GE(floor, 0);
  EXPECT_EQ(find(), floor);
  EXPECT_EQ(notes_.size(), 1u) << "the second time it is read";
}

TEST_F(NoiseFloor, DamagedEntriesAreNamed) {
  const auto path = noise_floor_cache(device_->info()).path();
  std::filesystem::create_directories(path.parent_path());
  for (const char* text : {"", R"({"schema": "moe-tune/noise", "schema_version": "1.4"})",
                           R"({"schema": "moe-tune/noise", "schema_version": "1.4", "noise_floor": -1})",
                           R"({"schema": "moe-tune/ceilings", "schema_version": "1.4", "noise_floor": 0.01})"}) {
    write_text(path, text);
    EXPECT_ERROR(find(), path.filename().string());
    EXPECT_ERROR(find(), "doctor --measure");
  }
}

}  // namespace
}  // namespace moetune
