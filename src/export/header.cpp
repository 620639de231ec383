#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/error.h"
#include "export/formats.h"
#include "results/names.h"

namespace moetune {
namespace {

/// As a C++ string literal.
std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += fmt::format("\\{}", c);
    else if (byte < 0x20 || byte >= 0x7f)
      out += fmt::format("\\{:03o}", byte);  // three digits: what follows is never taken in
    else
      out += c;
  }
  return out + '"';
}

void check_is_identifier(const std::string& key) {
  const auto is_word = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  if (key.empty() || std::isalpha(static_cast<unsigned char>(key.front())) == 0 ||
      !std::all_of(key.begin(), key.end(), is_word))
    throw Error(
        fmt::format("nothing to export as header: the config key '{}' is no C++ name; mend it in the input", key));
}

/// The config keys of all rows, in the order in which they come.
std::vector<std::string> config_keys(const Selection& selection) {
  std::vector<std::string> keys;
  for (const ReportRow* row : selection.rows)
    for (const auto& [stage, config] : row->best.config.stages)
      for (const auto& [key, value] : config.config.values()) {
        if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
        check_is_identifier(key);
        keys.push_back(key);
      }
  return keys;
}

std::string stage_initializer(const StageConfig& config, const std::vector<std::string>& keys) {
  std::string text = fmt::format("{{{}", literal(config.engine));
  for (const std::string& key : keys) text += fmt::format(", {}", config.config.find(key).value_or(0));
  return text + "}";
}

std::string entry(const Selection& selection, const ReportRow& row, const std::vector<std::string>& keys) {
  const Best& best = row.best;
  const Problem& problem = best.problem;
  std::string text =
      fmt::format("    {{{}, {},\n     {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {},\n     {}, {}, {}, {}, {},\n",
                  literal(selection.run(row).device.name), literal(problem.model), problem.M, problem.K, problem.N1,
                  problem.N2, problem.E, problem.topk, problem.ep_ranks, problem.ep_rank,
                  literal(to_string(problem.dtype)), literal(to_string(problem.activation)),
                  literal(to_string(problem.bias)), problem.weight_on_input, literal(to_string(problem.routing)),
                  literal(to_string(best.timing.cache)), literal(to_string(best.timing.launch)),
                  literal(to_string(best.timing.load)), literal(to_string(best.config.impl)), best.time.median_us);
  text += fmt::format("     {},\n", stage_initializer(best.config.stages.at(first_gemm(best.config.impl)), keys));
  return text +
         fmt::format("     {}}},\n", stage_initializer(best.config.stages.at(second_gemm(best.config.impl)), keys));
}

}  // namespace

Export to_header(const Selection& selection) {
  if (selection.rows.empty()) throw Error("nothing to export as header: there is no row");
  const std::vector<std::string> keys = config_keys(selection);
  const Environment& run = selection.run(*selection.rows.front());
  // What files say stands in string literals alone, never in a comment, which it could end.
  std::string text = fmt::format(
      "// Tuned configs of expert MLPs, written by moe-tune. C++17.\n"
      "#ifndef MOETUNE_CONFIGS_H\n#define MOETUNE_CONFIGS_H\n\n"
      "namespace moetune_configs {{\n\n"
      "// The version and revision of moe-tune that found the first entry, and when its run began.\n"
      "inline constexpr const char* kFoundBy = {};\n\n"
      "// A GEMM's kernel. A parameter that the engine does not have is 0.\n"
      "struct StageConfig {{\n  const char* engine;\n",
      literal(fmt::format("{} {} {}", run.build.version, run.build.git_revision, run.created)));
  for (const std::string& key : keys) text += fmt::format("  int {};\n", key);
  text +=
      "};\n\n"
      "struct Entry {\n"
      "  const char* device;\n"
      "  const char* model;  // the preset, or empty\n"
      "  long long M, K, N1, N2, E, topk;\n"
      "  long long ep_ranks, ep_rank;  // E experts on each of ep_ranks devices\n"
      "  const char *dtype, *activation, *bias;\n"
      "  bool weight_on_input;\n"
      "  const char* routing;\n"
      "  const char *cache, *launch, *load;  // how it was timed\n"
      "  const char* impl;                   // three_kernel or merged\n"
      "  double median_us;                   // of the whole pipeline\n"
      "  StageConfig first;                  // gemm1 of three_kernel, gate of merged\n"
      "  StageConfig final_gemm;\n"
      "};\n\n"
      "inline constexpr Entry kEntries[] = {\n";
  for (const ReportRow* row : selection.rows) text += entry(selection, *row, keys);
  text += "};\n\n}  // namespace moetune_configs\n\n#endif  // MOETUNE_CONFIGS_H\n";
  return {.files = {{.name = "moe_tune_configs.h", .text = text}}, .notes = {}};
}

}  // namespace moetune
