#include "problem/problem.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <set>
#include <vector>

#include "base/error.h"

namespace moetune {
namespace {

constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxSlots = std::int64_t{1} << 24;
constexpr std::int64_t kMaxExperts = 1024;
constexpr std::int64_t kMaxGlobalExperts = std::int64_t{1} << 16;

/// The value of `all` that to_string calls `name`.
template <class Value, std::size_t n>
Value parse_name(std::string_view what, std::string_view name, const std::array<Value, n>& all) {
  std::string known;
  for (const Value value : all) {
    if (to_string(value) == name) return value;
    known += known.empty() ? "" : ", ";
    known += to_string(value);
  }
  throw Error(fmt::format("unknown {} '{}': use one of {}", what, name, known));
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string quote_if_needed(const std::string& value) {
  if (value.find_first_of(",\"#\\") == std::string::npos && trim(value) == value) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

struct Entry {
  std::string key, value;
};

/// Splits "key=value,key="quoted, value" # comment".
std::vector<Entry> split_line(std::string_view line) {
  std::vector<Entry> entries;
  std::size_t at = 0;
  const auto skip_blanks = [&] {
    while (at < line.size() && (line[at] == ' ' || line[at] == '\t' || line[at] == '\r' || line[at] == '\n')) ++at;
  };
  const auto at_end = [&] { return at >= line.size() || line[at] == '#'; };
  for (skip_blanks(); !at_end(); skip_blanks()) {
    const std::size_t stop = std::min(line.find_first_of("=,#", at), line.size());
    Entry entry{.key = std::string(trim(line.substr(at, stop - at))), .value = {}};
    if (stop == line.size() || line[stop] != '=' || entry.key.empty())
      throw Error(fmt::format("problem line: '{}' is no key=value", trim(line.substr(at, stop - at))));
    at = stop + 1;
    skip_blanks();
    if (at < line.size() && line[at] == '"') {
      for (++at; at < line.size() && line[at] != '"'; ++at) {
        if (line[at] == '\\' && at + 1 < line.size()) ++at;
        entry.value += line[at];
      }
      if (at == line.size()) throw Error(fmt::format("problem line: the quote after '{}=' is not closed", entry.key));
      ++at;
      skip_blanks();
      if (!at_end() && line[at] != ',')
        throw Error(fmt::format("problem line: a comma is missing after the quoted value of '{}'", entry.key));
    } else {
      const std::size_t end = std::min(line.find_first_of(",#", at), line.size());
      entry.value = trim(line.substr(at, end - at));
      at = end;
    }
    entries.push_back(std::move(entry));
    if (!at_end()) ++at;  // the comma
  }
  return entries;
}

std::int64_t parse_size(const Entry& entry) {
  const auto size = parse_number<std::int64_t>(entry.value);
  if (!size) throw Error(fmt::format("problem line: {}='{}' is no integer", entry.key, entry.value));
  return *size;
}

bool parse_flag(const Entry& entry) {
  if (entry.value != "0" && entry.value != "1")
    throw Error(fmt::format("problem line: {}='{}' is neither 0 nor 1", entry.key, entry.value));
  return entry.value == "1";
}

void check_width(std::string_view name, std::int64_t width) {
  if (width % 8 != 0) {
    const std::int64_t below = width / 8 * 8;
    const std::string near = below > 0 ? fmt::format("{} or {}", below, below + 8) : "8";
    throw Error(fmt::format("{} = {} is no multiple of 8: use {}", name, width, near));
  }
  if (width > kMaxWidth) throw Error(fmt::format("{} = {} is too large: at most {}", name, width, kMaxWidth));
}

}  // namespace

std::string_view to_string(DType dtype) {
  switch (dtype) {
    case DType::fp16:
      return "fp16";
    case DType::bf16:
      return "bf16";
  }
  return "?";
}

std::string_view to_string(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return "silu";
    case Activation::gelu:
      return "gelu";
    case Activation::gelu_tanh:
      return "gelu_tanh";
    case Activation::swigluoai:
      return "swigluoai";
  }
  return "?";
}

std::string_view to_string(Bias bias) {
  switch (bias) {
    case Bias::none:
      return "none";
    case Bias::b1:
      return "b1";
    case Bias::b2:
      return "b2";
    case Bias::both:
      return "both";
  }
  return "?";
}

std::string_view to_string(Impl impl) {
  switch (impl) {
    case Impl::three_kernel:
      return "three_kernel";
    case Impl::merged:
      return "merged";
    case Impl::merged_single:
      return "merged_single";
  }
  return "?";
}

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::route:
      return "route";
    case Stage::gemm1:
      return "gemm1";
    case Stage::activate:
      return "activate";
    case Stage::gate:
      return "gate";
    case Stage::final:
      return "final";
    case Stage::mlp:
      return "mlp";
    case Stage::combine:
      return "combine";
  }
  return "?";
}

std::string to_string(const RoutingSpec& routing) {
  switch (routing.kind) {
    case RoutingSpec::Kind::balanced:
      return "balanced";
    case RoutingSpec::Kind::uniform:
      return "uniform";
    case RoutingSpec::Kind::zipf:
      return fmt::format("zipf:{}", routing.zipf_s);
    case RoutingSpec::Kind::one_expert:
      return "one";
    case RoutingSpec::Kind::file:
      return "file:" + routing.path;
  }
  return "?";
}

DType parse_dtype(std::string_view name) {
  return parse_name("dtype", name, kDTypes);
}
Activation parse_activation(std::string_view name) {
  return parse_name("activation", name, kActivations);
}
Bias parse_bias(std::string_view name) {
  return parse_name("bias", name, kBiases);
}
Impl parse_impl(std::string_view name) {
  return parse_name("implementation", name, kImpls);
}
Stage parse_stage(std::string_view name) {
  return parse_name("stage", name, kStages);
}

RoutingSpec parse_routing(std::string_view text) {
  using Kind = RoutingSpec::Kind;
  if (text == "balanced") return {.kind = Kind::balanced};
  if (text == "uniform") return {.kind = Kind::uniform};
  if (text == "one") return {.kind = Kind::one_expert};
  if (text.starts_with("zipf:")) {
    const auto s = parse_number<double>(text.substr(5));
    if (!s || !std::isfinite(*s) || *s < 0)
      throw Error(fmt::format("routing '{}': the exponent must be a number of at least 0, as in zipf:1.2", text));
    return {.kind = Kind::zipf, .zipf_s = *s};
  }
  if (text.starts_with("file:")) {
    const std::string_view path = text.substr(5);
    if (path.empty() || path.find_first_of("\r\n") != std::string_view::npos)
      throw Error("routing 'file:': give the path of a .npy file on one line, as in file:topk_ids.npy");
    return {.kind = Kind::file, .path = std::string(path)};
  }
  throw Error(fmt::format("unknown routing '{}': use balanced, uniform, zipf:S, one or file:PATH", text));
}

std::string to_line(const Problem& problem) {
  std::string line =
      fmt::format("M={},K={},N1={},N2={},E={},topk={},dtype={},activation={},bias={},routing={}", problem.M, problem.K,
                  problem.N1, problem.N2, problem.E, problem.topk, to_string(problem.dtype),
                  to_string(problem.activation), to_string(problem.bias), quote_if_needed(to_string(problem.routing)));
  if (problem.ep_ranks != 1 || problem.ep_rank != 0)
    line += fmt::format(",ep_ranks={},ep_rank={}", problem.ep_ranks, problem.ep_rank);
  if (problem.weight_on_input) line += ",weight_on_input=1";
  if (!problem.model.empty()) line += ",model=" + quote_if_needed(problem.model);
  return line;
}

Problem parse_problem_line(std::string_view line) {
  Problem problem;
  std::set<std::string> seen;
  for (const Entry& entry : split_line(line)) {
    const auto& [key, value] = entry;
    if (!seen.insert(key).second) throw Error(fmt::format("problem line: '{}' is given twice", key));
    if (key == "M")
      problem.M = parse_size(entry);
    else if (key == "K")
      problem.K = parse_size(entry);
    else if (key == "N1")
      problem.N1 = parse_size(entry);
    else if (key == "N2")
      problem.N2 = parse_size(entry);
    else if (key == "E")
      problem.E = parse_size(entry);
    else if (key == "topk")
      problem.topk = parse_size(entry);
    else if (key == "ep_ranks")
      problem.ep_ranks = parse_size(entry);
    else if (key == "ep_rank")
      problem.ep_rank = parse_size(entry);
    else if (key == "dtype")
      problem.dtype = parse_dtype(value);
    else if (key == "activation")
      problem.activation = parse_activation(value);
    else if (key == "bias")
      problem.bias = parse_bias(value);
    else if (key == "routing")
      problem.routing = parse_routing(value);
    else if (key == "weight_on_input")
      problem.weight_on_input = parse_flag(entry);
    else if (key == "model")
      problem.model = value;
    else
      throw Error(fmt::format(
          "problem line: unknown key '{}': use M, K, N1, N2, E, topk, ep_ranks, ep_rank, dtype, activation, "
          "bias, routing, weight_on_input or model",
          key));
  }
  for (const char* const required : {"M", "K", "N1", "E", "topk"})
    if (!seen.contains(required))
      throw Error(fmt::format("problem line: '{}' is missing in '{}'", required, trim(line)));
  if (!seen.contains("N2")) problem.N2 = problem.K;
  return problem;
}

std::vector<Problem> parse_problem_lines(std::string_view text, std::string_view origin) {
  std::vector<Problem> problems;
  std::size_t number = 0;
  while (!text.empty()) {
    ++number;
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    const auto first = line.find_first_not_of(" \t\r");
    if (first == line.npos || line[first] == '#') continue;
    try {
      problems.push_back(parse_problem_line(line));
      validate(problems.back());
    } catch (const Error& error) {
      throw Error(fmt::format("{}:{}: {}", origin, number, error.what()));
    }
  }
  if (problems.empty())
    throw Error(fmt::format("'{}' holds no problem; a line looks like M=128,K=2048,N1=1536,E=128,topk=8", origin));
  return problems;
}

void validate(const Problem& problem) {
  const std::pair<std::string_view, std::int64_t> sizes[] = {{"M", problem.M},
                                                             {"K", problem.K},
                                                             {"N1", problem.N1},
                                                             {"N2", problem.N2},
                                                             {"E", problem.E},
                                                             {"topk", problem.topk},
                                                             {"ep_ranks", problem.ep_ranks}};
  for (const auto& [name, size] : sizes)
    if (size <= 0) throw Error(fmt::format("{} = {} is not positive: use 1 or more", name, size));
  if (problem.N1 % 2 != 0)
    throw Error(fmt::format("N1 = {} is odd: it counts gate rows and up rows, use an even number", problem.N1));
  check_width("K", problem.K);
  check_width("N1/2", problem.inner());
  check_width("N2", problem.N2);
  if (problem.E > kMaxExperts) throw Error(fmt::format("E = {} is too large: at most {}", problem.E, kMaxExperts));
  if (problem.ep_ranks > kMaxGlobalExperts / problem.E)
    throw Error(fmt::format("ep_ranks = {} times E = {} is more than {} experts: use ep_ranks of at most {}",
                            problem.ep_ranks, problem.E, kMaxGlobalExperts, kMaxGlobalExperts / problem.E));
  if (problem.ep_rank < 0 || problem.ep_rank >= problem.ep_ranks)
    throw Error(fmt::format("ep_rank = {} is none of {} ranks: use {}", problem.ep_rank, problem.ep_ranks,
                            problem.ep_ranks == 1 ? "0" : fmt::format("0 to {}", problem.ep_ranks - 1)));
  if (problem.topk > problem.global_experts())
    throw Error(fmt::format("topk = {} is more than the {} experts: use at most {}", problem.topk,
                            problem.global_experts(), problem.global_experts()));
  if (problem.M > kMaxSlots / problem.topk)
    throw Error(fmt::format("M = {} times topk = {} is more than {} slots: use M of at most {}", problem.M,
                            problem.topk, kMaxSlots, kMaxSlots / problem.topk));
}

bool is_tunable(Stage stage) {
  return stage == Stage::gemm1 || stage == Stage::gate || stage == Stage::final || stage == Stage::mlp;
}

std::span<const Stage> stages_of(Impl impl) {
  static constexpr std::array kThreeKernel{Stage::route, Stage::gemm1, Stage::activate, Stage::final, Stage::combine};
  static constexpr std::array kMerged{Stage::route, Stage::gate, Stage::final, Stage::combine};
  static constexpr std::array kMergedSingle{Stage::route, Stage::mlp, Stage::combine};
  if (impl == Impl::three_kernel) return kThreeKernel;
  if (impl == Impl::merged) return kMerged;
  return kMergedSingle;
}

std::span<const Stage> tunable_stages_of(Impl impl) {
  static constexpr std::array kThreeKernel{Stage::gemm1, Stage::final};
  static constexpr std::array kMerged{Stage::gate, Stage::final};
  static constexpr std::array kMergedSingle{Stage::mlp};
  if (impl == Impl::three_kernel) return kThreeKernel;
  if (impl == Impl::merged) return kMerged;
  return kMergedSingle;
}

StageRange stages_decided_by(Stage tunable) {
  const bool is_last = tunable == Stage::final || tunable == Stage::mlp;
  return {tunable, is_last ? Stage::combine : tunable};
}

Epilogue epilogue_of(Stage stage) {
  switch (stage) {
    case Stage::gemm1:
      return Epilogue::plain;
    case Stage::gate:
      return Epilogue::gated;
    case Stage::final:
      return Epilogue::final;
    case Stage::route:
    case Stage::activate:
    case Stage::mlp:
    case Stage::combine:
      break;
  }
  throw Error(fmt::format("stage {} is no single matrix product and has no epilogue", to_string(stage)));
}

}  // namespace moetune
