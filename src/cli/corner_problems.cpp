#include "cli/corner_problems.h"

namespace moetune {

std::vector<Problem> corner_problems() {
  const Problem base{.M = 33, .K = 64, .N1 = 128, .N2 = 64, .E = 8, .topk = 2};
  std::vector<Problem> all{base};
  const auto add = [&](auto change) {
    all.push_back(base);
    change(all.back());
  };
  using Kind = RoutingSpec::Kind;

  add([](Problem& p) { p.M = 1; });
  add([](Problem& p) { p.topk = 1; });
  add([](Problem& p) { p.E = 1, p.topk = 1; });
  add([](Problem& p) { p.topk = p.E; });
  add([](Problem& p) { p.M = 3, p.E = 64; });  // most experts are empty
  add([](Problem& p) { p.M = 130, p.topk = 1, p.routing.kind = Kind::one_expert; });
  add([](Problem& p) { p.routing.kind = Kind::balanced; });
  add([](Problem& p) { p.M = 200, p.E = 16, p.routing = {.kind = Kind::zipf, .zipf_s = 2}; });
  add([](Problem& p) { p.M = 1, p.K = 8, p.N1 = 16, p.N2 = 8, p.E = 1, p.topk = 1; });  // the smallest of all
  add([](Problem& p) { p.K = 8; });
  add([](Problem& p) { p.N2 = 8; });
  add([](Problem& p) { p.M = 257, p.K = 136, p.N1 = 272, p.N2 = 264, p.E = 2, p.topk = 1; });  // just past a tile
  add([](Problem& p) { p.M = 129, p.K = 1032, p.E = 2, p.topk = 2; });
  for (const std::int64_t inner : {88, 96, 176, 2880}) add([&](Problem& p) { p.N1 = 2 * inner; });
  add([](Problem& p) { p.N2 = 40; });
  add([](Problem& p) { p.ep_ranks = 4, p.ep_rank = 1; });  // many tokens have no choice here
  add([](Problem& p) { p.E = 64, p.M = 1, p.topk = 8, p.ep_ranks = 2, p.ep_rank = 1; });
  add([](Problem& p) { p.topk = 1, p.ep_ranks = 2, p.ep_rank = 1, p.routing.kind = Kind::one_expert; });  // nothing
  add([](Problem& p) { p.E = 1024, p.topk = 8; });
  for (const DType dtype : kDTypes) {
    for (const Activation activation : kActivations) {
      for (const Bias bias : kBiases) {
        if (dtype == base.dtype && activation == base.activation && bias == base.bias) continue;
        add([&](Problem& p) { p.dtype = dtype, p.activation = activation, p.bias = bias; });
      }
    }
    add([&](Problem& p) { p.dtype = dtype, p.weight_on_input = true, p.bias = Bias::both; });
  }
  return all;
}

}  // namespace moetune
