#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problem/problem.h"

namespace moetune {

/// A model preset from search_spaces/models.json: the expert MLP of one layer on one device.
struct Model {
  std::string id;    ///< "qwen3-30b-a3b"
  std::string name;  ///< "Qwen3-30B-A3B"
  std::int64_t K = 0, N1 = 0, N2 = 0, E = 0, topk = 0;
  int shared_experts = 0;  ///< not computed here; for information
  Activation activation = Activation::silu;
  Bias bias = Bias::none;
  std::string note;        ///< e.g. an activation limit that is not modelled
  bool verified = false;   ///< sizes checked against the model's published config
};

/// Reads models.json. Throws Error naming `origin` and the entry.
std::vector<Model> parse_models(std::string_view json, std::string_view origin);

/// Throws Error with near names where `id` is unknown.
const Model& find_model(const std::vector<Model>& models, std::string_view id);

/// The problem of one shard: N1 (so also w2's inner dimension) divided by tp, E by ep. With an `ep_rank` tokens choose
/// among the experts of all ep ranks, and the shard is that rank's; without, all that they choose are here. Throws
/// Error where sizes do not divide, the shard's inner size is no multiple of 8 or there is no such rank. M is left
/// at 1.
Problem shard_problem(const Model& model, int tp, int ep, std::optional<int> ep_rank = std::nullopt);

}  // namespace moetune
