#include "results/repro.h"

#include <charconv>

#include <fmt/format.h>

#include "base/error.h"
#include "base/single_quotes.h"
#include "results/names.h"

namespace moetune {
namespace {

std::string command(std::string_view subcommand, const Problem& problem, const PipelineConfig& config,
                    const DataSpec& data, std::string_view device_id) {
  std::string line = fmt::format("moe-tune {} --device {} --problem {} --impl {}", subcommand, shell_quote(device_id),
                                 shell_quote(to_line(problem)), to_string(config.impl));
  for (const auto& [stage, stage_config] : config.stages)
    line += " --config " + shell_quote(to_argument(stage, stage_config));
  return line + fmt::format(" --seed {} --fill {}", data.seed, to_string(data.fill));
}

std::string timing_options(const TimingOptions& timing) {
  std::string options = fmt::format(" --cache {} --launch {} --routing-draws {}", to_string(timing.cache),
                                    to_string(timing.launch), timing.routing_draws);
  if (timing.load != LoadState::lasting) options += fmt::format(" --load {}", to_string(timing.load));
  return options;
}

[[noreturn]] void fail_argument(std::string_view text, std::string_view what) {
  throw Error(
      fmt::format("--config '{}': {}; the form is STAGE=ENGINE:KEY=VALUE,KEY=VALUE, e.g. "
                  "gate=mma:BLOCK_SIZE_M=64,BLOCK_SIZE_N=128",
                  text, what));
}

}  // namespace

std::string repro_command(const Trial& trial, std::string_view device_id) {
  return command("bench", trial.problem, trial.config, trial.data, device_id) + timing_options(trial.timing) +
         (trial.stage ? " --stages" : "");
}

std::string repro_command(const Best& best, std::string_view device_id) {
  return command("bench", best.problem, best.config, best.data, device_id) + timing_options(best.timing);
}

std::string verify_command(const Problem& problem, const PipelineConfig& config, const DataSpec& data,
                           std::string_view device_id) {
  return command("verify", problem, config, data, device_id);
}

std::string to_argument(Stage stage, const StageConfig& config) {
  std::string text = fmt::format("{}={}", to_string(stage), config.engine);
  char separator = ':';
  for (const auto& [key, value] : config.config.values()) {
    text += fmt::format("{}{}={}", separator, key, value);
    separator = ',';
  }
  return text;
}

std::pair<Stage, StageConfig> parse_stage_argument(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == text.npos) fail_argument(text, "no stage");
  const Stage stage = parse_stage(text.substr(0, equals));
  if (!is_tunable(stage)) fail_argument(text, fmt::format("stage '{}' has no config", to_string(stage)));
  std::string_view rest = text.substr(equals + 1);
  const auto colon = rest.find(':');
  StageConfig config{.engine = std::string(rest.substr(0, colon)), .config = {}};
  if (config.engine.empty() || config.engine.find('=') != std::string::npos) fail_argument(text, "no engine");
  rest = colon == rest.npos ? std::string_view() : rest.substr(colon + 1);
  while (!rest.empty()) {
    const auto comma = rest.find(',');
    const std::string_view part = rest.substr(0, comma);
    rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
    const auto at = part.find('=');
    int value = 0;
    const char* end = part.data() + part.size();
    if (at == part.npos || at == 0) fail_argument(text, fmt::format("'{}' is no KEY=VALUE", part));
    const auto [stop, error] = std::from_chars(part.data() + at + 1, end, value);
    if (error != std::errc() || stop != end)
      fail_argument(text, fmt::format("'{}' is no integer", part.substr(at + 1)));
    const std::string key(part.substr(0, at));
    if (config.config.find(key)) fail_argument(text, fmt::format("'{}' is given twice", key));
    config.config.set(key, value);
  }
  return {stage, std::move(config)};
}

std::string shell_quote(std::string_view word) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=:,./+@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == word.npos) return std::string(word);
  return in_single_quotes(word);
}

}  // namespace moetune
