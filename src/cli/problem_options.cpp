#include "cli/problem_options.h"

#include <algorithm>
#include <iostream>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/files.h"
#include "base/resources.h"
#include "cli/axis.h"
#include "data/inputs.h"

namespace moetune {
namespace {

constexpr const char* kDefaultM = "1,4,16,64,256,1024,4096";
constexpr std::size_t kMaxProblems = 100000;

/// A comma list read with `parse`, or `otherwise` where none was given.
template <class T>
std::vector<T> parse_list(std::string_view name, const std::string& text, T (*parse)(std::string_view), T otherwise) {
  if (text.empty()) return {otherwise};
  std::vector<T> values;
  for (const std::string_view part : split_list(name, text)) values.push_back(parse(part));
  return values;
}

/// `problems`, each with every value of an axis.
template <class T, class Set>
std::vector<Problem> cross(const std::vector<Problem>& problems, const std::vector<T>& values, Set set) {
  if (problems.size() * values.size() > kMaxProblems)
    throw Error(fmt::format("the axes make more than {} problems: give fewer values", kMaxProblems));
  std::vector<Problem> all;
  for (Problem problem : problems) {
    for (const T& value : values) {
      set(problem, value);
      all.push_back(problem);
    }
  }
  return all;
}

std::vector<Problem> read_batch(const std::string& path) {
  if (path != "-") return parse_problem_lines(read_file(path), path);
  return parse_problem_lines(std::string(std::istreambuf_iterator<char>(std::cin), {}), path);
}

}  // namespace

const std::vector<Model>& known_models() {
  static const std::vector<Model> models =
      parse_models(resource("search_spaces/models.json"), "search_spaces/models.json");
  return models;
}

void ProblemOptions::add_to(CLI::App& app) {
  const std::string group = "Problems";
  const auto add = [&](const char* name, auto& value, std::string text, const char* type) {
    auto* option = app.add_option(name, value, std::move(text))->group(group)->type_name(type);
    option->allow_extra_args(false);  // repeat the option rather than swallow what follows
    return option;
  };
  add("--model", models, "A model's expert MLP by id, see `moe-tune list models`; may be repeated", "ID");
  add("--tp", tp, "Tensor-parallel ranks: N1 (and w2's inner size) are divided by it", "N");
  add("--ep", ep, "Expert-parallel ranks: E is divided by it. Without --ep-rank all that tokens choose is here", "N");
  add("--ep-rank", ep_rank,
      "The rank of --ep that this is, from 0: tokens choose among the experts of all ranks, of which it computes its "
      "own",
      "R");
  add("--M", M, fmt::format("Tokens: 1,2,4 or 1024:4096:1024 or pow2:0:12 (with --model: {})", kDefaultM), "VALUES");
  add("--K", K, "Hidden size of the input, likewise", "VALUES");
  add("--N1", N1, "Rows of w1 per expert: gate and up halves together, twice the intermediate size", "VALUES");
  add("--N2", N2, "Hidden size of the output (K)", "VALUES");
  add("--E", E, "Experts", "VALUES");
  add("--topk", topk, "Experts per token", "VALUES");
  add("--dtype", dtype, "bf16, fp16 (bf16)", "LIST");
  add("--activation", activation, "silu, gelu, gelu_tanh, swigluoai (the model's, or silu)", "LIST");
  add("--bias", bias, "none, b1, b2, both (the model's, or none)", "LIST");
  add("--routing", routings,
      "balanced, uniform, zipf:S, one, file:PATH.npy with topk_ids [M, topk]; may be repeated (uniform)", "KIND");
  app.add_flag("--weight-on-input", weight_on_input, "The routing weight multiplies before the activation")
      ->group(group);
  add("--problem", lines,
      "One problem as a line: M=128,K=2048,N1=1536,N2=2048,E=128,topk=8,dtype=bf16,routing=zipf:1.0; may be repeated",
      "LINE");
  add("--batch", batch_files, "A file of such lines, with # comments ('-' reads stdin); may be repeated", "FILE");
}

bool ProblemOptions::empty() const {
  return models.empty() && M.empty() && K.empty() && N1.empty() && N2.empty() && E.empty() && topk.empty() &&
         lines.empty() && batch_files.empty();
}

bool ProblemOptions::untouched() const {
  return empty() && N2.empty() && dtype.empty() && activation.empty() && bias.empty() && routings.empty() &&
         !weight_on_input && tp == 1 && ep == 1 && !ep_rank;
}

std::vector<Problem> ProblemOptions::problems(std::string_view command) const {
  const std::string example = fmt::format(
      "e.g. `moe-tune {0} --model qwen3-30b-a3b --M 1,16`, `moe-tune {0} --M 64 --K 2048 --N1 1536 --E 128 "
      "--topk 8` or `moe-tune {0} --batch FILE`",
      command);
  if (empty()) throw Error(fmt::format("which problem? Give a model, sizes or a file: {}", example));
  const bool sizes = !K.empty() || !N1.empty() || !E.empty() || !topk.empty();
  if (!models.empty() && sizes)
    throw Error("--K, --N1, --E and --topk come from the model: leave them out, or leave out --model");
  if (models.empty() && (tp != 1 || ep != 1 || ep_rank))
    throw Error(
        "--tp, --ep and --ep-rank divide a model's sizes: give --model too; problem lines have ep_ranks and ep_rank");
  if (ep_rank && ep == 1) throw Error("--ep-rank is one of the ranks of --ep: give that too, as in --ep 8 --ep-rank 0");

  std::vector<Problem> shapes;
  for (const std::string& id : models) shapes.push_back(shard_problem(find_model(known_models(), id), tp, ep, ep_rank));
  if (sizes || (models.empty() && (!M.empty() || !N2.empty()))) {
    std::string missing;
    for (const auto& [name, value] : {std::pair{"--M", &M}, {"--K", &K}, {"--N1", &N1}, {"--E", &E}, {"--topk", &topk}})
      if (value->empty()) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name);
    if (!missing.empty())
      throw Error(fmt::format("{} missing: sizes need --M, --K, --N1, --E and --topk; {}", missing, example));
    shapes.push_back({});
    shapes = cross(shapes, parse_axis("--K", K), [](Problem& p, std::int64_t value) { p.K = p.N2 = value; });
    shapes = cross(shapes, parse_axis("--N1", N1), [](Problem& p, std::int64_t value) { p.N1 = value; });
    shapes = cross(shapes, parse_axis("--E", E), [](Problem& p, std::int64_t value) { p.E = value; });
    shapes = cross(shapes, parse_axis("--topk", topk), [](Problem& p, std::int64_t value) { p.topk = value; });
  }

  std::vector<Problem> all;
  if (shapes.empty()) {
    if (!M.empty() || !N2.empty() || !dtype.empty() || !activation.empty() || !bias.empty() || !routings.empty() ||
        weight_on_input)
      throw Error(
          "--M, --dtype, --activation, --bias, --routing and the like belong to --model or to sizes: problem lines "
          "have them inside, as in --problem M=8,K=64,N1=64,E=4,topk=2,dtype=fp16");
  } else {
    if (!N2.empty())
      shapes = cross(shapes, parse_axis("--N2", N2), [](Problem& p, std::int64_t value) { p.N2 = value; });
    const auto set_if_given = [&](const std::string& name, const std::string& text, auto parse, auto set) {
      if (text.empty()) return;
      shapes = cross(shapes, split_list(name, text), [&](Problem& p, std::string_view value) { set(p, parse(value)); });
    };
    set_if_given("--dtype", dtype, parse_dtype, [](Problem& p, DType value) { p.dtype = value; });
    set_if_given("--activation", activation, parse_activation,
                 [](Problem& p, Activation value) { p.activation = value; });
    set_if_given("--bias", bias, parse_bias, [](Problem& p, Bias value) { p.bias = value; });
    if (!routings.empty())
      shapes = cross(shapes, routings, [](Problem& p, const std::string& value) { p.routing = parse_routing(value); });
    for (Problem& problem : shapes) problem.weight_on_input = weight_on_input;
    all = cross(shapes, parse_axis("--M", M.empty() ? kDefaultM : M),
                [](Problem& p, std::int64_t value) { p.M = value; });
    for (const Problem& problem : all) validate(problem);
  }
  for (const std::string& line : lines) {
    all.push_back(parse_problem_line(line));
    validate(all.back());
  }
  for (const std::string& file : batch_files)
    for (Problem& problem : read_batch(file)) all.push_back(std::move(problem));

  std::vector<Problem> distinct;
  for (const Problem& problem : all) {
    if (std::find(distinct.begin(), distinct.end(), problem) != distinct.end()) continue;
    // Found out now rather than hours into a run.
    if (problem.routing.kind == RoutingSpec::Kind::file) make_routing(problem, {});
    distinct.push_back(problem);
  }
  return distinct;
}

}  // namespace moetune
