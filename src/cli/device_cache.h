#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "problem/device_info.h"
#include "results/json_field.h"

namespace moetune {

/// What was measured of a device once, kept in the cache folder: a file per kind and per name, uuid, driver and
/// compiler.
class DeviceCache {
 public:
  /// `kind`, as in "ceilings", is the folder's name and part of the schema's, and what remeasuring is called by.
  DeviceCache(std::string_view kind, const DeviceInfo& device);

  const std::filesystem::path& path() const { return path_; }

  /// Calls `read` with the document, if there is one. Throws Error, saying how to get rid of it, where it is damaged or
  /// `read` finds it to be.
  void read(const std::function<void(const Field&)>& read) const;

  /// Keeps the members of `content`. A cache that cannot be written is a note, not an error.
  void write(const Json& content, const std::function<void(std::string_view)>& note) const;

 private:
  std::string kind_;
  const DeviceInfo& device_;
  std::filesystem::path path_;
};

}  // namespace moetune
