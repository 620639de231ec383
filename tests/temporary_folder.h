#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

namespace moetune {

/// A folder of its own for one test, gone with it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "moe-tune-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline void write_text(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline std::string read_text(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace moetune

/// `call` throws Error whose one line contains `part`.
#define EXPECT_ERROR(call, part)                                                                 \
  try {                                                                                          \
    (void)(call);                                                                                \
    ADD_FAILURE() << #call " threw nothing";                                                     \
  } catch (const ::moetune::Error& error) {                                                      \
    const std::string message = error.what();                                                    \
    EXPECT_NE(message.find(part), std::string::npos) << "no '" << (part) << "' in: " << message; \
    EXPECT_EQ(message.find('\n'), std::string::npos) << "more than one line: " << message;       \
  }
