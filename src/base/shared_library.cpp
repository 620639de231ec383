#include "base/shared_library.h"

#include <dlfcn.h>

#include "base/error.h"

namespace moetune {

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      name_ = name;
      return;
    }
    error_ = dlerror();
  }
}

void* SharedLibrary::find(const char* symbol) const {
  return handle_ == nullptr ? nullptr : dlsym(handle_, symbol);
}

void* SharedLibrary::require(const char* symbol) const {
  void* address = find(symbol);
  if (address == nullptr) throw Error(name_ + " has no function " + symbol + ": install a newer version of it");
  return address;
}

}  // namespace moetune
