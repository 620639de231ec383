#include "problem/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/error.h"

namespace moetune {
namespace {

using nlohmann::json;

/// One entry of models.json; remembers where it stands for the error messages.
struct EntryReader {
  const json& entry;
  std::string place;  ///< "search_spaces/models.json: model 3 ('dbrx')"

  [[noreturn]] void fail(std::string_view what) const { throw Error(fmt::format("{}: {}", place, what)); }

  std::string text(const char* key, const char* otherwise = nullptr) const {
    if (!entry.contains(key)) {
      if (otherwise) return otherwise;
      fail(fmt::format("'{}' is missing", key));
    }
    if (!entry[key].is_string()) fail(fmt::format("'{}' must be a string, not {}", key, entry[key].dump()));
    return entry[key].get<std::string>();
  }

  std::int64_t size(const char* key, std::int64_t least, std::int64_t otherwise = -1) const {
    if (!entry.contains(key)) {
      if (otherwise >= 0) return otherwise;
      fail(fmt::format("'{}' is missing", key));
    }
    const json& value = entry[key];
    if (!value.is_number_integer() || value.get<double>() < static_cast<double>(least) || value.get<double>() > 1e9)
      fail(fmt::format("'{}' must be an integer of at least {}, not {}", key, least, value.dump()));
    return value.get<std::int64_t>();
  }

  bool flag(const char* key) const {
    if (!entry.contains(key)) fail(fmt::format("'{}' is missing", key));
    if (!entry[key].is_boolean()) fail(fmt::format("'{}' must be true or false, not {}", key, entry[key].dump()));
    return entry[key].get<bool>();
  }
};

Model read_model(const json& entry, std::string place) {
  if (!entry.is_object()) throw Error(fmt::format("{} is no object", place));
  if (entry.contains("id") && entry["id"].is_string()) place += fmt::format(" ('{}')", entry["id"].get<std::string>());
  const EntryReader reader{.entry = entry, .place = place};
  static const std::set<std::string> kKeys{"id",   "name",           "K",          "N1",   "N2",   "E",
                                           "topk", "shared_experts", "activation", "bias", "note", "verified"};
  for (const auto& [key, value] : entry.items())
    if (!kKeys.contains(key)) reader.fail(fmt::format("unknown key '{}': use one of {}", key, fmt::join(kKeys, ", ")));

  Model model{.id = reader.text("id"),
              .name = reader.text("name"),
              .K = reader.size("K", 1),
              .N1 = reader.size("N1", 1),
              .N2 = 0,
              .E = reader.size("E", 1),
              .topk = reader.size("topk", 1),
              .shared_experts = static_cast<int>(reader.size("shared_experts", 0, 0)),
              .activation = Activation::silu,
              .bias = Bias::none,
              .note = reader.text("note", ""),
              .verified = reader.flag("verified")};
  model.N2 = reader.size("N2", 1, model.K);
  if (model.id.empty()) reader.fail("'id' is empty");
  try {
    model.activation = parse_activation(reader.text("activation", "silu"));
    model.bias = parse_bias(reader.text("bias", "none"));
    validate(shard_problem(model, 1, 1));
  } catch (const Error& error) {
    reader.fail(error.what());
  }
  return model;
}

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

/// Levenshtein's distance.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replace = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replace, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// The ids that `id` may have meant: those that hold it or are a few letters away, nearest first.
std::vector<std::string> near_ids(const std::vector<Model>& models, std::string_view id) {
  const std::string wanted = lower_case(id);
  std::vector<std::pair<std::size_t, std::string>> candidates;
  for (const Model& model : models) {
    const std::string known = lower_case(model.id);
    const std::size_t distance = edit_distance(wanted, known);
    const bool holds = wanted.size() >= 3 && known.find(wanted) != std::string::npos;
    if (holds || distance <= std::max<std::size_t>(2, known.size() / 3))
      candidates.emplace_back(holds ? 0 : distance, model.id);
  }
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  if (candidates.size() > 5) candidates.resize(5);
  std::vector<std::string> ids;
  for (const auto& [distance, near] : candidates) ids.push_back(near);
  return ids;
}

}  // namespace

std::vector<Model> parse_models(std::string_view text, std::string_view origin) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error& error) {
    throw Error(fmt::format("{}: not valid JSON near byte {}", origin, error.byte));
  }
  if (!document.is_object() || !document.contains("models") || !document["models"].is_array())
    throw Error(fmt::format("{}: expected an object with a list named 'models'", origin));
  for (const auto& [key, value] : document.items())
    if (key != "models" && key != "$schema") throw Error(fmt::format("{}: unknown key '{}'", origin, key));

  std::vector<Model> models;
  std::set<std::string> ids;
  for (const json& entry : document["models"]) {
    models.push_back(read_model(entry, fmt::format("{}: model {}", origin, models.size() + 1)));
    if (!ids.insert(models.back().id).second)
      throw Error(fmt::format("{}: model {}: the id '{}' is taken", origin, models.size(), models.back().id));
  }
  return models;
}

const Model& find_model(const std::vector<Model>& models, std::string_view id) {
  for (const Model& model : models)
    if (model.id == id) return model;
  const std::vector<std::string> near = near_ids(models, id);
  throw Error(near.empty() ? fmt::format("unknown model '{}': see `moe-tune list models`", id)
                           : fmt::format("unknown model '{}': did you mean {}? See `moe-tune list models`", id,
                                         fmt::join(near, ", ")));
}

Problem shard_problem(const Model& model, int tp, int ep, std::optional<int> ep_rank) {
  if (tp < 1) throw Error(fmt::format("tp = {} is not positive: use 1 or more", tp));
  if (ep < 1) throw Error(fmt::format("ep = {} is not positive: use 1 or more", ep));
  const std::int64_t inner = model.N1 / 2;
  if (inner % tp != 0 || inner / tp % 8 != 0)
    throw Error(
        fmt::format("{}: the inner size {} cannot be split over tp = {} in multiples of 8", model.id, inner, tp));
  if (model.E % ep != 0)
    throw Error(fmt::format("{}: {} experts cannot be split evenly over ep = {}", model.id, model.E, ep));
  if (!ep_rank && model.topk > model.E / ep)
    throw Error(
        fmt::format("{}: ep = {} leaves {} experts on a device, fewer than topk = {}: use ep of at most {}, or "
                    "say which rank this is, so that tokens choose experts of the others too",
                    model.id, ep, model.E / ep, model.topk, model.E / model.topk));
  if (ep_rank && (*ep_rank < 0 || *ep_rank >= ep))
    throw Error(fmt::format("ep_rank = {} is none of {} ranks: use {}", *ep_rank, ep,
                            ep == 1 ? "0" : fmt::format("0 to {}", ep - 1)));
  return {.M = 1,
          .K = model.K,
          .N1 = model.N1 / tp,
          .N2 = model.N2,
          .E = model.E / ep,
          .topk = model.topk,
          .ep_ranks = ep_rank ? ep : 1,
          .ep_rank = ep_rank.value_or(0),
          .activation = model.activation,
          .bias = model.bias,
          .routing = {},
          .model = model.id};
}

}  // namespace moetune
