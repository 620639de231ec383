#include <fmt/format.h>

#include "compare/formats.h"

namespace moetune {
namespace {

/// As the value of a workflow command; `in_title` as that of a property of one.
std::string escape(std::string_view text, bool in_title) {
  std::string escaped;
  for (const char c : text) {
    if (c == '%' || c == '\r' || c == '\n' || (in_title && (c == ':' || c == ',')))
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    else
      escaped += c;
  }
  return escaped;
}

class Annotations {
 public:
  void add(bool fails, std::string_view name, const Judgement& judgement) {
    constexpr int kMost = 10;
    if (++(fails ? errors_ : warnings_) > kMost) return;
    std::string message(name);
    if (judgement.pairs > 0 && judgement.ratio.value > 0)
      message += fmt::format(" takes {:.3f} [{:.3f}, {:.3f}] times as long as base", judgement.ratio.value,
                             judgement.ratio.low, judgement.ratio.high);
    if (!judgement.reason.empty()) message += fmt::format(" ({})", judgement.reason);
    text_ +=
        fmt::format("::{} title={}::{}\n", fails ? "error" : "warning",
                    escape(fmt::format("moe-tune: {}", to_string(judgement.finding)), true), escape(message, false));
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  int errors_ = 0, warnings_ = 0;
};

}  // namespace

std::string gate_annotations(const GateResult& result, const FailOn& fail_on) {
  Annotations annotations;
  const auto add = [&](std::string_view name, const Judgement& judgement) {
    switch (judgement.finding) {
      case Finding::wrong:
      case Finding::missing:
      case Finding::changed:
        return annotations.add(true, name, judgement);
      case Finding::slower:
        return annotations.add(!judgement.only_warns || fail_on.warning, name, judgement);
      case Finding::inconclusive:
        return annotations.add(fail_on.inconclusive, name, judgement);
      case Finding::faster:
      case Finding::same:
      case Finding::added:
        return;
    }
  };
  for (const ComparedRow& row : result.rows) add(row.name, row.judgement);
  if (result.mean) add("the geometric mean", *result.mean);
  for (const ComparedRow& row : result.rows)
    if (row.drift && row.drift->finding == Finding::slower) add(row.name + ", against earlier runs,", *row.drift);
  return annotations.text();
}

std::string gate_outputs(const GateResult& result, const FailOn& fail_on) {
  const int code = gate_exit_code(result, fail_on);
  std::string text = fmt::format("verdict={}\nexit_code={}\n", code == 0 ? "pass" : "fail", code);
  text += fmt::format("slower={}\nfaster={}\ninconclusive={}\n", result.count(Finding::slower),
                      result.count(Finding::faster), result.count(Finding::inconclusive));
  if (result.mean) text += fmt::format("geomean={:.4f}\n", result.mean->ratio.value);
  return text;
}

}  // namespace moetune
