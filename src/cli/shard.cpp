#include "cli/shard.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>

#include <fmt/format.h>

#include "base/error.h"
#include "problem/work.h"

namespace moetune {
namespace {

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// A scheduler's variables.
class Variables {
 public:
  explicit Variables(const std::function<std::optional<std::string>(const std::string&)>& read) : read_(read) {}

  bool has(const std::string& name) const { return read_(name).has_value(); }
  int number(const std::string& name, std::optional<int> otherwise = std::nullopt) const {
    const std::optional<std::string> text = read_(name);
    if (!text && otherwise) return *otherwise;
    if (!text) throw Error(fmt::format("--shard auto: {} is not set; set it, or give --shard I/N", name));
    const std::optional<int> value = whole_number(*text);
    if (!value) throw Error(fmt::format("--shard auto: {} is '{}', which is no whole number", name, *text));
    return *value;
  }

 private:
  const std::function<std::optional<std::string>(const std::string&)>& read_;
};

/// Places in an array whose indices need neither begin at 0 nor be one apart.
Shard slurm_shard(const Variables& variables) {
  const int id = variables.number("SLURM_ARRAY_TASK_ID"), count = variables.number("SLURM_ARRAY_TASK_COUNT");
  const int least = variables.number("SLURM_ARRAY_TASK_MIN"), step = variables.number("SLURM_ARRAY_TASK_STEP", 1);
  const int place = step > 0 ? (id - least) / step : -1;
  if (id < least || place >= count || step <= 0 || (id - least) % step != 0)
    throw Error(fmt::format(
        "--shard auto: SLURM_ARRAY_TASK_ID={} is not one of {} tasks from {} in steps of {}: give the array "
        "as a range (--array=1-8), or --shard I/N",
        id, count, least, step));
  return {.index = place + 1, .count = count};
}

}  // namespace

Shard parse_shard(std::string_view text,
                  const std::function<std::optional<std::string>(const std::string&)>& variable) {
  Shard shard;
  if (text == "auto") {
    const Variables variables(variable);
    if (variables.has("SLURM_ARRAY_TASK_ID"))
      shard = slurm_shard(variables);
    else if (variables.has("JOB_COMPLETION_INDEX"))
      shard = {.index = variables.number("JOB_COMPLETION_INDEX") + 1, .count = variables.number("JOB_COMPLETIONS")};
    else
      throw Error(
          "--shard auto: neither SLURM_ARRAY_TASK_ID (a Slurm job array) nor JOB_COMPLETION_INDEX (an indexed job of "
          "Kubernetes) is set; give --shard I/N");
  } else {
    const auto slash = text.find('/');
    const std::optional<int> index = whole_number(text.substr(0, slash));
    const std::optional<int> count = slash == text.npos ? std::nullopt : whole_number(text.substr(slash + 1));
    if (!index || !count) throw Error(fmt::format("--shard '{}': give I/N, e.g. 2/8, or auto", text));
    shard = {.index = *index, .count = *count};
  }
  if (shard.count < 1 || shard.index < 1 || shard.index > shard.count)
    throw Error(
        fmt::format("--shard {}: there are no more than {} parts, counted from 1", to_string(shard), shard.count));
  return shard;
}

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::string to_string(const Shard& shard) {
  return fmt::format("{}/{}", shard.index, shard.count);
}

std::vector<std::size_t> largest_first(const std::vector<Problem>& problems) {
  // Only the order matters; about what a GPU with HBM has.
  constexpr Ceilings kTypical{.read_bytes_per_s = 4e12, .matrix_flops_per_s = 8e14};
  std::vector<double> us;
  for (const Problem& problem : problems)
    us.push_back(roofline_us(pipeline_work(problem, even_load(problem)), kTypical));
  std::vector<std::size_t> order(problems.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return us[a] > us[b]; });
  return order;
}

std::vector<Problem> problems_of(const Shard& shard, const std::vector<Problem>& problems) {
  const std::vector<std::size_t> order = largest_first(problems);
  std::vector<std::size_t> mine;
  for (std::size_t i = 0; i < order.size(); ++i)
    if (i % static_cast<std::size_t>(shard.count) == static_cast<std::size_t>(shard.index - 1))
      mine.push_back(order[i]);
  std::sort(mine.begin(), mine.end());
  std::vector<Problem> part;
  for (const std::size_t i : mine) part.push_back(problems[i]);
  return part;
}

}  // namespace moetune
