#include "backend/fake/naive_mlp.h"

#include <gtest/gtest.h>

#include "measure/small_problem.h"

namespace moetune {
namespace {

// The loops of the fake device and the reference were written apart: each is a check on the other.
TEST(NaiveMlp, AgreesWithTheReference) {
  for (const DType dtype : {DType::bf16, DType::fp16})
    for (const Activation activation :
         {Activation::silu, Activation::gelu, Activation::gelu_tanh, Activation::swigluoai})
      for (const Bias bias : {Bias::none, Bias::b1, Bias::b2, Bias::both})
        for (const bool weight_on_input : {false, true})
          for (const Impl impl : {Impl::three_kernel, Impl::merged})
            for (const Fill fill : {Fill::random, Fill::exact_integer}) {
              Problem problem{.M = 5, .K = 24, .N1 = 48, .N2 = 16, .E = 4, .topk = 2};
              problem.dtype = dtype;
              problem.activation = activation;
              problem.bias = bias;
              problem.weight_on_input = weight_on_input;
              FakeDevice device({.time_us = small_bowl()});
              const auto workload = device.load(problem, {.fill = fill, .seed = 3});
              const PipelineConfig config = impl == Impl::merged
                                                ? merged(fake_config(32, 32, 4), fake_config(32, 32, 4))
                                                : three_kernel(fake_config(32, 32, 4), fake_config(32, 32, 4));
              const auto pipeline = std::move(workload->build(config).value());
              std::vector<std::int64_t> tokens(problem.M);
              std::iota(tokens.begin(), tokens.end(), 0);
              const Verification verification =
                  verify(*pipeline, problem, workload->data(),
                         compute_reference(problem, impl, workload->routing(), workload->data(), tokens));
              EXPECT_TRUE(verification.result)
                  << to_line(problem) << " " << to_string(impl) << ": " << verification.verdict->reason;
            }
}

}  // namespace
}  // namespace moetune
