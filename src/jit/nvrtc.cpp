#include "jit/nvrtc.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "base/shared_library.h"

namespace moetune {

// NVRTC's C interface (docs.nvidia.com/cuda/nvrtc), declared here so that building needs no CUDA toolkit.
struct Nvrtc::Api {
  using Handle = struct NvrtcProgram*;
  int (*version)(int*, int*) = nullptr;
  int (*create)(Handle*, const char* source, const char* name, int headers, const char* const* texts,
                const char* const* names) = nullptr;
  int (*compile)(Handle, int count, const char* const* options) = nullptr;
  int (*cubin_size)(Handle, std::size_t*) = nullptr;
  int (*cubin)(Handle, char*) = nullptr;
  int (*log_size)(Handle, std::size_t*) = nullptr;
  int (*log)(Handle, char*) = nullptr;
  int (*destroy)(Handle*) = nullptr;
  const char* (*error_string)(int) = nullptr;
};

namespace {

std::vector<std::string> library_names() {
  if (const char* chosen = std::getenv("MOETUNE_NVRTC")) return {chosen};
  std::vector<std::string> names;
  const std::vector<std::string> versions{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
  for (const std::string& name : versions) names.push_back(name);
  std::vector<std::string> folders;
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char* root = std::getenv(variable)) folders.push_back(fmt::format("{}/lib64", root));
  folders.push_back("/usr/local/cuda/lib64");
  for (const std::string& folder : folders)
    for (const std::string& name : versions) names.push_back(fmt::format("{}/{}", folder, name));
  return names;
}

}  // namespace

const Nvrtc& Nvrtc::instance() {
  static const Nvrtc nvrtc;
  return nvrtc;
}

Nvrtc::Nvrtc() {
  const SharedLibrary library(library_names());
  if (!library.is_open())
    throw Error(fmt::format("NVRTC, the CUDA run-time compiler, was not found ({}). Install the CUDA toolkit's package "
                            "cuda-nvrtc (or nvidia-cuda-toolkit), or name the library in MOETUNE_NVRTC",
                            library.error()),
                ExitCode::no_device);
  auto api = std::make_unique<Api>();
  library.load(api->version, "nvrtcVersion");
  library.load(api->create, "nvrtcCreateProgram");
  library.load(api->compile, "nvrtcCompileProgram");
  library.load(api->cubin_size, "nvrtcGetCUBINSize");
  library.load(api->cubin, "nvrtcGetCUBIN");
  library.load(api->log_size, "nvrtcGetProgramLogSize");
  library.load(api->log, "nvrtcGetProgramLog");
  library.load(api->destroy, "nvrtcDestroyProgram");
  library.load(api->error_string, "nvrtcGetErrorString");
  api->version(&version_.first, &version_.second);
  if (version_ < std::pair{12, 0})
    throw Error(fmt::format("{} is version {}.{}; moe-tune needs NVRTC 12.0 or later (C++20)", library.name(),
                            version_.first, version_.second));
  api_ = api.release();  // lives as long as the process, like the library
}

std::string Nvrtc::name() const {
  return fmt::format("nvrtc {}.{}", version_.first, version_.second);
}

Result<Nvrtc::Program> Nvrtc::compile(const std::string& source, const std::string& name,
                                      const std::vector<std::pair<std::string, std::string>>& headers,
                                      const std::vector<std::string>& options) const {
  std::vector<const char*> header_names, header_texts, option_texts;
  for (const auto& [header, text] : headers) {
    header_names.push_back(header.c_str());
    header_texts.push_back(text.c_str());
  }
  for (const std::string& option : options) option_texts.push_back(option.c_str());

  Api::Handle handle = nullptr;
  const auto failure = [&](int code, const std::string& log) {
    return Failure{Outcome::compile_error, fmt::format("{}: {}", api_->error_string(code), log)};
  };
  if (const int code = api_->create(&handle, source.c_str(), name.c_str(), static_cast<int>(headers.size()),
                                    header_texts.data(), header_names.data()))
    return failure(code, name);
  const auto destroy = [this](Api::Handle* h) { api_->destroy(h); };
  const std::unique_ptr<Api::Handle, decltype(destroy)> owner(&handle, destroy);

  const int code = api_->compile(handle, static_cast<int>(options.size()), option_texts.data());
  Program program;
  std::size_t size = 0;
  if (api_->log_size(handle, &size) == 0 && size > 1) {
    program.log.resize(size);
    api_->log(handle, program.log.data());
    program.log.resize(program.log.find('\0'));
  }
  if (code != 0) return failure(code, program.log);
  if (const int bad = api_->cubin_size(handle, &size); bad != 0 || size == 0) return failure(bad, "no machine code");
  program.cubin.resize(size);
  if (const int bad = api_->cubin(handle, program.cubin.data())) return failure(bad, "no machine code");
  return program;
}

}  // namespace moetune
