#pragma once

#include <stdexcept>
#include <string>

namespace moetune {

/// Process exit codes. 0 is success; 1, 4 and 5 are `compare`'s, and 1 is that of `export --check` for stale configs.
enum class ExitCode : int {
  regression = 1,
  usage = 2,
  wrong_result = 3,
  inconclusive = 4,
  not_comparable = 5,
  internal = 70,  ///< a fault in moe-tune itself; not 1, which a gate would take for a regression
  no_device = 77
};

/// Something the user can mend: bad input, a file that cannot be read or written, a problem that does not fit. `what()`
/// is one line that names the thing, the place and the way out: control characters, which only the input that it quotes
/// has, are shown as '?', so that no file can break the line or speak to the terminal. `main` prints it and exits with
/// `code()`.
class Error : public std::runtime_error {
 public:
  explicit Error(std::string message, ExitCode code = ExitCode::usage);
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

}  // namespace moetune
