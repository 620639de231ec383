#include <fmt/format.h>

#include "base/markup.h"
#include "compare/formats.h"

namespace moetune {
namespace {

/// As text or in an attribute, on one line.
std::string escape(std::string_view text) {
  std::string line(text);
  for (char& c : line)
    if (c == '\n' || c == '\t') c = ' ';
  return escape_markup(line);
}

enum class Status { passed, failed, error, skipped };

Status status_of(const Judgement& judgement, const FailOn& fail_on) {
  switch (judgement.finding) {
    case Finding::wrong:
      return Status::error;
    case Finding::slower:
      return judgement.only_warns && !fail_on.warning ? Status::skipped : Status::failed;
    case Finding::missing:
    case Finding::changed:
      return Status::failed;
    case Finding::inconclusive:
      return fail_on.inconclusive ? Status::failed : Status::skipped;
    case Finding::faster:
    case Finding::same:
    case Finding::added:
      return Status::passed;
  }
  return Status::error;
}

struct Suite {
  std::string cases;
  int tests = 0, failures = 0, errors = 0, skipped = 0;

  void add(std::string_view name, const Judgement& judgement, const FailOn& fail_on) {
    ++tests;
    std::string message(to_string(judgement.finding));
    if (judgement.pairs > 0)
      message += fmt::format(": {:.3f} [{:.3f}, {:.3f}] times base over {} pair{}, margin {:.1f} %",
                             judgement.ratio.value, judgement.ratio.low, judgement.ratio.high, judgement.pairs,
                             judgement.pairs == 1 ? "" : "s", 100 * judgement.margin);
    if (!judgement.reason.empty()) message += "; " + judgement.reason;
    const std::string_view type = to_string(judgement.finding);
    std::string body;
    switch (status_of(judgement, fail_on)) {
      case Status::passed:
        body = fmt::format("<system-out>{}</system-out>", escape(message));
        break;
      case Status::failed:
        ++failures;
        body = fmt::format("<failure type=\"{}\" message=\"{}\"/>", type, escape(message));
        break;
      case Status::error:
        ++errors;
        body = fmt::format("<error type=\"{}\" message=\"{}\"/>", type, escape(message));
        break;
      case Status::skipped:
        ++skipped;
        body = fmt::format("<skipped message=\"{}\"/>", escape(message));
        break;
    }
    cases +=
        fmt::format("    <testcase classname=\"moe-tune.compare\" name=\"{}\">{}</testcase>\n", escape(name), body);
  }
};

}  // namespace

std::string gate_junit(const GateResult& result, const FailOn& fail_on) {
  Suite suite;
  for (const ComparedRow& row : result.rows) {
    suite.add(row.name, row.judgement, fail_on);
    if (row.drift && row.drift->finding == Finding::slower)
      suite.add(row.name + " against earlier runs", *row.drift, fail_on);
  }
  if (result.mean) suite.add("geometric mean", *result.mean, fail_on);
  const std::string counts = fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", suite.tests,
                                         suite.failures, suite.errors, suite.skipped);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n"
      "  <testsuite name=\"moe-tune compare\" {0}>\n{1}  </testsuite>\n</testsuites>\n",
      counts, suite.cases);
}

}  // namespace moetune
