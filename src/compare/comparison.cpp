#include "compare/comparison.h"

#include <algorithm>
#include <functional>
#include <map>

#include <fmt/format.h>

#include "base/error.h"
#include "results/names.h"

namespace moetune {
namespace {

void append(std::string& text, std::string_view part, std::string_view separator = "; ") {
  if (part.empty()) return;
  if (!text.empty()) text += separator;
  text += part;
}

template <class T>
void append_difference(std::string& text, std::string_view what, const T& base, const T& head) {
  if (base != head) append(text, fmt::format("{} {} -> {}", what, base, head), ", ");
}

bool same_device(const DeviceInfo& a, const DeviceInfo& b) {
  return a.backend == b.backend && a.name == b.name && a.compute_capability == b.compute_capability;
}

/// What two rows measured that was not the same. The shape has a say only where the label of a model brought them
/// together.
std::string row_differences(const SideRow& base, const SideRow& head) {
  std::string text;
  const Problem &a = base.problem, &b = head.problem;
  if (without_label(a) != without_label(b)) {
    append_difference(text, "K", a.K, b.K);
    append_difference(text, "N1", a.N1, b.N1);
    append_difference(text, "N2", a.N2, b.N2);
    append_difference(text, "E", a.E, b.E);
    append_difference(text, "topk", a.topk, b.topk);
    append_difference(text, "ep_ranks", a.ep_ranks, b.ep_ranks);
    append_difference(text, "ep_rank", a.ep_rank, b.ep_rank);
    append_difference(text, "dtype", to_string(a.dtype), to_string(b.dtype));
    append_difference(text, "activation", to_string(a.activation), to_string(b.activation));
    append_difference(text, "bias", to_string(a.bias), to_string(b.bias));
    append_difference(text, "weight_on_input", a.weight_on_input, b.weight_on_input);
    append_difference(text, "routing", to_string(a.routing), to_string(b.routing));
  }
  append_difference(text, "cache", to_string(base.timing.cache), to_string(head.timing.cache));
  append_difference(text, "launch", to_string(base.timing.launch), to_string(head.timing.launch));
  append_difference(text, "load", to_string(base.timing.load), to_string(head.timing.load));
  append_difference(text, "routing draws", std::to_string(base.timing.routing_draws),
                    std::to_string(head.timing.routing_draws));
  return text;
}

std::string environment_differences(const DeviceInfo& base, const DeviceInfo& head) {
  std::string text;
  if (!same_device(base, head)) append_difference(text, "device", base.name, head.name);
  append_difference(text, "driver", base.driver, head.driver);
  append_difference(text, "compiler", base.compiler, head.compiler);
  return text;
}

/// The latest run that has a good time; none where there is none.
const RowRun* latest_good(const SideRow& row) {
  const auto found = std::find_if(row.runs.rbegin(), row.runs.rend(), std::mem_fn(&RowRun::is_good));
  return found == row.runs.rend() ? nullptr : &*found;
}

std::vector<const RowRun*> good_runs(const SideRow& row) {
  std::vector<const RowRun*> runs;
  for (const RowRun& run : row.runs)
    if (run.is_good()) runs.push_back(&run);
  return runs;
}

/// Of a run that was not good the first, wrong results before all others.
const Failure* worst_failure(const SideRow& row) {
  const Failure* worst = nullptr;
  for (const RowRun& run : row.runs) {
    if (!run.failure) continue;
    if (run.failure->outcome == Outcome::incorrect) return &*run.failure;
    if (worst == nullptr) worst = &*run.failure;
  }
  return worst;
}

ComparedRow start_row(const SideRow& row) {
  ComparedRow compared{.name = benchmark_name(row.problem, row.impl),
                       .problem = row.problem,
                       .impl = row.impl,
                       .timing = row.timing,
                       .pairs = {},
                       .base_config = {},
                       .head_config = {},
                       .judgement = {},
                       .drift = {}};
  if (row.timing.cache != CacheState::cold) compared.name += fmt::format("/{}", to_string(row.timing.cache));
  if (row.timing.launch != LaunchMode::graph) compared.name += fmt::format("/{}", to_string(row.timing.launch));
  if (row.timing.load != LoadState::lasting) compared.name += fmt::format("/{}", to_string(row.timing.load));
  return compared;
}

ComparedRow only_on_one_side(const SideRow& row, Finding finding, std::string reason) {
  ComparedRow compared = start_row(row);
  compared.judgement.finding = finding;
  compared.judgement.reason = std::move(reason);
  const RowRun* latest = latest_good(row);
  if (latest != nullptr)
    (finding == Finding::added ? compared.head_config : compared.base_config) = latest->best->config;
  return compared;
}

/// Head has the row but no good time in any run, or a wrong result in one.
std::optional<ComparedRow> head_failed(const SideRow& head) {
  const Failure* failure = worst_failure(head);
  if (failure == nullptr) return std::nullopt;
  const bool wrong = failure->outcome == Outcome::incorrect;
  if (!wrong && latest_good(head) != nullptr && head.runs.back().is_good()) return std::nullopt;
  return only_on_one_side(head, wrong ? Finding::wrong : Finding::missing,
                          fmt::format("head: {}", to_string(*failure)));
}

ComparedRow on_both_sides(const SideRow& base, const SideRow& head, const CompareOptions& options) {
  ComparedRow row = start_row(head);
  const std::vector<const RowRun*> base_runs = good_runs(base), head_runs = good_runs(head);
  row.base_config = base_runs.back()->best->config;
  row.head_config = head_runs.back()->best->config;

  const Best &base_best = *base_runs.back()->best, &head_best = *head_runs.back()->best;
  std::string changes = row_differences(base, head);
  if (base_best.data.fill != head_best.data.fill)
    append_difference(changes, "fill", to_string(base_best.data.fill), to_string(head_best.data.fill));
  const std::string environment = environment_differences(base.device, head.device);
  if (!changes.empty() || (!environment.empty() && !options.across)) {
    row.judgement.finding = Finding::changed;
    append(changes, environment, ", ");
    row.judgement.reason = std::move(changes);
    return row;
  }

  const std::size_t pairs = std::min(base_runs.size(), head_runs.size());
  for (std::size_t i = pairs; i > 0; --i)
    row.pairs.push_back(
        {.base = base_runs[base_runs.size() - i]->best->time, .head = head_runs[head_runs.size() - i]->best->time});
  row.judgement = judge(row.pairs, options.rule);
  std::string& reason = row.judgement.reason;
  append(reason, environment);
  if (row.base_config != row.head_config) append(reason, "another config");
  if (base_best.data.seed != head_best.data.seed)
    append(reason, fmt::format("other data (seed {} -> {})", base_best.data.seed, head_best.data.seed));
  if (base_runs.size() != head_runs.size())
    append(reason, fmt::format("{} runs of base, {} of head", base_runs.size(), head_runs.size()));
  return row;
}

/// Rows that have not been joined yet, and how alike two have to be to be joined.
class Unmatched {
 public:
  explicit Unmatched(const Side& side) {
    for (const SideRow& row : side.rows) rows_.push_back(&row);
  }

  template <class Alike>
  const SideRow* take(const SideRow& row, Alike alike) {
    const auto found =
        std::find_if(rows_.begin(), rows_.end(), [&](const SideRow* other) { return alike(*other, row); });
    if (found == rows_.end()) return nullptr;
    const SideRow* taken = *found;
    rows_.erase(found);
    return taken;
  }
  const std::vector<const SideRow*>& rest() const { return rows_; }

 private:
  std::vector<const SideRow*> rows_;
};

bool same_problem(const SideRow& a, const SideRow& b) {
  return a.impl == b.impl && without_label(a.problem) == without_label(b.problem);
}
bool same_question(const SideRow& a, const SideRow& b) {
  return same_problem(a, b) && a.timing == b.timing;
}
bool same_row(const SideRow& a, const SideRow& b) {
  return same_question(a, b) && same_device(a.device, b.device);
}
bool same_label(const SideRow& a, const SideRow& b) {
  return a.impl == b.impl && !a.problem.model.empty() && a.problem.model == b.problem.model &&
         a.problem.M == b.problem.M;
}

/// A model split among ranks keeps its label: such rows get their shape into the name.
void tell_apart(std::vector<ComparedRow>& rows) {
  std::map<std::string, int> count;
  for (const ComparedRow& row : rows) ++count[row.name];
  for (ComparedRow& row : rows) {
    if (count[row.name] == 1) continue;
    const Problem& problem = row.problem;
    row.name +=
        fmt::format("/K:{}/N1:{}/N2:{}/E:{}/topk:{}", problem.K, problem.N1, problem.N2, problem.E, problem.topk);
  }
}

void sort_worst_first(std::vector<ComparedRow>& rows) {
  std::stable_sort(rows.begin(), rows.end(), [](const ComparedRow& a, const ComparedRow& b) {
    if (a.judgement.finding != b.judgement.finding) return a.judgement.finding < b.judgement.finding;
    return a.judgement.ratio.value > b.judgement.ratio.value;
  });
}

/// Where some rows have enough pairs, those that have not would only take the others' pairs away: they are left out.
std::optional<Judgement> mean_of(const std::vector<ComparedRow>& rows, const GateRule& rule) {
  std::vector<std::vector<Pair>> few, enough;
  for (const ComparedRow& row : rows)
    if (!row.pairs.empty()) (row.judgement.only_warns ? few : enough).push_back(row.pairs);
  const std::vector<std::vector<Pair>>& taken = enough.empty() ? few : enough;
  if (taken.size() < 2) return std::nullopt;
  Judgement mean = judge_mean(taken, rule);
  if (!enough.empty() && !few.empty())
    append(mean.reason,
           fmt::format("{} of {} rows have too few pairs and are left out", few.size(), few.size() + enough.size()));
  return mean;
}

bool is_slower(const Judgement& judgement, const FailOn& fail_on) {
  return judgement.finding == Finding::slower && (!judgement.only_warns || fail_on.warning);
}

}  // namespace

int GateResult::count(Finding finding) const {
  return static_cast<int>(std::count_if(rows.begin(), rows.end(),
                                        [&](const ComparedRow& row) { return row.judgement.finding == finding; }));
}

GateResult compare_sides(const Side& base, const Side& head, const CompareOptions& options) {
  GateResult result{.rule = options.rule, .base_runs = base.runs, .head_runs = head.runs, .rows = {}, .mean = {}};
  std::vector<std::pair<const SideRow*, const SideRow*>> joined;
  Unmatched base_rows(base), head_rows(head);
  for (const auto& alike : {same_row, same_question, same_problem, same_label})
    for (const SideRow* row : std::vector(base_rows.rest()))
      if (const SideRow* other = head_rows.take(*row, alike)) {
        base_rows.take(*row, [](const SideRow& a, const SideRow& b) { return &a == &b; });
        joined.emplace_back(row, other);
      }

  for (const auto& [base_row, head_row] : joined) {
    if (auto failed = head_failed(*head_row))
      result.rows.push_back(std::move(*failed));
    else if (latest_good(*base_row) == nullptr)
      result.rows.push_back(
          only_on_one_side(*head_row, Finding::added, fmt::format("base: {}", to_string(*worst_failure(*base_row)))));
    else
      result.rows.push_back(on_both_sides(*base_row, *head_row, options));
  }
  for (const SideRow* row : base_rows.rest())
    if (latest_good(*row) != nullptr)
      result.rows.push_back(only_on_one_side(*row, Finding::missing, "head did not measure it"));
  for (const SideRow* row : head_rows.rest()) {
    if (auto failed = head_failed(*row))
      result.rows.push_back(std::move(*failed));
    else
      result.rows.push_back(only_on_one_side(*row, Finding::added, "base did not measure it"));
  }
  tell_apart(result.rows);
  sort_worst_first(result.rows);

  result.mean = mean_of(result.rows, options.rule);
  return result;
}

int gate_exit_code(const GateResult& result, const FailOn& fail_on) {
  const auto any = [&](auto matches) { return std::any_of(result.rows.begin(), result.rows.end(), matches); };
  if (result.count(Finding::wrong) > 0) return static_cast<int>(ExitCode::wrong_result);
  if ((result.mean && is_slower(*result.mean, fail_on)) || any([&](const ComparedRow& row) {
        return is_slower(row.judgement, fail_on) || (row.drift && is_slower(*row.drift, fail_on));
      }))
    return static_cast<int>(ExitCode::regression);
  if (result.count(Finding::missing) > 0 || result.count(Finding::changed) > 0 ||
      !any([](const ComparedRow& row) { return !row.pairs.empty(); }))
    return static_cast<int>(ExitCode::not_comparable);
  const bool inconclusive =
      result.count(Finding::inconclusive) > 0 || (result.mean && result.mean->finding == Finding::inconclusive);
  if (fail_on.inconclusive && inconclusive) return static_cast<int>(ExitCode::inconclusive);
  return 0;
}

std::string gate_summary(const GateResult& result, const FailOn& fail_on) {
  std::string text;
  for (const Finding finding : {Finding::wrong, Finding::slower, Finding::missing, Finding::changed,
                                Finding::inconclusive, Finding::faster, Finding::same, Finding::added})
    if (const int count = result.count(finding); count > 0)
      append(text, fmt::format("{} {}", count, to_string(finding)), ", ");
  const std::size_t rows = result.rows.size();
  text = fmt::format("{}: {} row{}: {}", gate_exit_code(result, fail_on) == 0 ? "PASS" : "FAIL", rows,
                     rows == 1 ? "" : "s", text);
  if (result.mean)
    text += fmt::format("; geometric mean {:.3f} [{:.3f}, {:.3f}] times base, {}", result.mean->ratio.value,
                        result.mean->ratio.low, result.mean->ratio.high, to_string(result.mean->finding));
  return text;
}

}  // namespace moetune
