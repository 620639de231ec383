#pragma once

#include <string>
#include <vector>

namespace moetune {

/// A dynamic library opened at run time. Stays open until the process ends: code in it may still be referenced.
class SharedLibrary {
 public:
  /// Opens the first of `names` that can be opened; is_open() tells whether one could.
  explicit SharedLibrary(const std::vector<std::string>& names);

  bool is_open() const { return handle_ != nullptr; }
  const std::string& name() const { return name_; }    ///< the one that was opened
  const std::string& error() const { return error_; }  ///< the loader's last message

  /// Null where there is no such symbol.
  void* find(const char* symbol) const;

  /// Sets `function` to the symbol; throws Error naming library and symbol where it is missing.
  template <class Function>
  void load(Function*& function, const char* symbol) const {
    function = reinterpret_cast<Function*>(require(symbol));
  }

 private:
  void* require(const char* symbol) const;

  void* handle_ = nullptr;
  std::string name_, error_;
};

}  // namespace moetune
