#include "jit/cubin_file.h"

#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"

namespace moetune {
namespace {

std::string digest_of(std::string_view log, std::string_view cubin) {
  return Digest().add(log).add(cubin).hex();
}

}  // namespace

std::optional<CubinFile::Content> CubinFile::read() const {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return std::nullopt;
  const std::string text = read_file(path_);
  const auto damaged = [&](const char* what) {
    return Error(
        fmt::format("the kernel cache entry '{}' is damaged ({}): delete it and run again", path_.string(), what));
  };

  std::size_t log_size = 0, cubin_size = 0;
  char digest[33] = {};
  int header = 0;
  if (std::sscanf(text.c_str(), "moe-tune cubin 1 log=%zu cubin=%zu digest=%32[0-9a-f]%n", &log_size, &cubin_size,
                  digest, &header) != 3 ||
      text.size() <= static_cast<std::size_t>(header) || text[static_cast<std::size_t>(header)] != '\n')
    throw damaged("no header");
  const std::string_view body = std::string_view(text).substr(static_cast<std::size_t>(header) + 1);
  if (log_size > body.size() || cubin_size != body.size() - log_size) throw damaged("wrong length");
  const std::string_view log = body.substr(0, log_size), cubin = body.substr(log_size);
  if (digest_of(log, cubin) != digest) throw damaged("wrong digest");
  return Content{.log = std::string(log), .cubin = {cubin.begin(), cubin.end()}};
}

void CubinFile::write(const Content& content) const {
  const std::string_view cubin(content.cubin.data(), content.cubin.size());
  write_file_atomically(path_, fmt::format("moe-tune cubin 1 log={} cubin={} digest={}\n{}{}", content.log.size(),
                                           cubin.size(), digest_of(content.log, cubin), content.log, cubin));
}

}  // namespace moetune
