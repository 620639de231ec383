#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace moetune {

/// An entry of the kernel cache: compiler log and machine code behind a header line with their sizes and digest.
class CubinFile {
 public:
  struct Content {
    std::string log;
    std::vector<char> cubin;
  };

  explicit CubinFile(std::filesystem::path path) : path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  /// Nothing where there is no such file. Throws Error where it is there but damaged: it names the file to delete.
  std::optional<Content> read() const;

  /// Whole or not at all. Throws Error where the folder cannot be written.
  void write(const Content& content) const;

 private:
  std::filesystem::path path_;
};

}  // namespace moetune
