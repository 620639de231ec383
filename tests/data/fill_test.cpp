#include "data/fill.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace moetune {
namespace {

constexpr Tensor kTensors[] = {Tensor::hidden, Tensor::w1, Tensor::b1, Tensor::w2, Tensor::b2};

Problem problem_of(DType dtype = DType::bf16) {
  return {.M = 40, .K = 512, .N1 = 2 * 264, .N2 = 200, .E = 3, .topk = 2, .dtype = dtype, .bias = Bias::both};
}

std::vector<float> whole_tensor(const Problem& problem, Tensor tensor, const DataSpec& data) {
  std::vector<float> values(element_count(problem, tensor));
  fill_floats(fill_spec(problem, tensor, data), 0, values);
  return values;
}

double deviation(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const double value : values) sum += value, squares += value * value;
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(squares) / n);
  return std::sqrt(squares / n);
}

TEST(ElementCount, IsThatOfTheShapes) {
  Problem problem = problem_of();
  EXPECT_EQ(element_count(problem, Tensor::hidden), 40 * 512);
  EXPECT_EQ(element_count(problem, Tensor::w1), 3 * 528 * 512);
  EXPECT_EQ(element_count(problem, Tensor::b1), 3 * 528);
  EXPECT_EQ(element_count(problem, Tensor::w2), 3 * 200 * 264);
  EXPECT_EQ(element_count(problem, Tensor::b2), 3 * 200);
  problem.bias = Bias::b2;
  EXPECT_EQ(element_count(problem, Tensor::b1), 0);
  EXPECT_EQ(element_count(problem, Tensor::b2), 3 * 200);
  problem = {.M = 1, .K = 1 << 20, .N1 = 1 << 21, .N2 = 8, .E = 1024, .topk = 1};
  EXPECT_EQ(element_count(problem, Tensor::w1), std::int64_t{1} << 51);
}

TEST(FillFloats, GivesTheVeryBitsOfTheDefinition) {
  for (const DType dtype : kDTypes)
    for (const Fill fill : {Fill::random, Fill::exact_integer})
      for (const Tensor tensor : kTensors) {
        const FillSpec spec = fill_spec(problem_of(dtype), tensor, {.fill = fill, .seed = 21});
        for (const auto& [first, count] : {std::pair{0, 5000}, {511, 3}, {1023, 1}, {700, 0}, {135'000, 3000}}) {
          std::vector<float> values(count);
          fill_floats(spec, first, values);
          for (int i = 0; i < count; ++i)
            ASSERT_EQ(float_bits(values[i]), float_bits(from_bits(dtype, fill_bits(spec, first + i))))
                << "tensor " << static_cast<int>(tensor) << ", element " << first + i;
        }
      }
}

TEST(FillFloats, RoundsSubnormalsOfFp16) {
  const FillSpec spec{.dtype = DType::fp16, .key = 9, .scale = 1e-5f};
  std::vector<float> values(4096);
  fill_floats(spec, 0, values);
  for (int i = 0; i < 4096; ++i) ASSERT_EQ(values[i], from_fp16(fill_bits(spec, i)));
}

TEST(FillFloats, ReachesIndicesBeyond32Bits) {
  const FillSpec spec = fill_spec(problem_of(), Tensor::w1, {});
  const std::int64_t first = (std::int64_t{1} << 40) + 7;
  std::vector<float> values(16);
  fill_floats(spec, first, values);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(values[i], from_bf16(fill_bits(spec, first + i)));
}

TEST(RandomFill, HasTheDeviationsThatMakeOutputsOfOrderOne) {
  const Problem problem = problem_of();
  EXPECT_NEAR(deviation(whole_tensor(problem, Tensor::hidden, {})), 1, 0.02);
  EXPECT_NEAR(deviation(whole_tensor(problem, Tensor::w1, {})), 1 / std::sqrt(512.0), 0.001);
  EXPECT_NEAR(deviation(whole_tensor(problem, Tensor::w2, {})), 2 / std::sqrt(264.0), 0.002);
  EXPECT_NEAR(deviation(whole_tensor(problem, Tensor::b1, {})), 0.5, 0.04);
  EXPECT_NEAR(deviation(whole_tensor(problem, Tensor::b2, {})), 0.5, 0.06);
}

TEST(RandomFill, DependsOnSeedAndTensorOnly) {
  const Problem problem = problem_of();
  EXPECT_EQ(whole_tensor(problem, Tensor::w1, {.seed = 4}), whole_tensor(problem, Tensor::w1, {.seed = 4}));
  EXPECT_NE(whole_tensor(problem, Tensor::w1, {.seed = 4}), whole_tensor(problem, Tensor::w1, {.seed = 5}));
  EXPECT_NE(fill_spec(problem, Tensor::w1, {}).key, fill_spec(problem, Tensor::w2, {}).key);
}

TEST(ExactFill, HoldsTheSmallIntegersItPromises) {
  const Problem problem = problem_of();
  const DataSpec data{.fill = Fill::exact_integer, .seed = 8};
  for (const float value : whole_tensor(problem, Tensor::hidden, data)) ASSERT_TRUE(value == 0 || value == 1);
  for (const float value : whole_tensor(problem, Tensor::w2, data)) ASSERT_TRUE(std::fabs(value) == 1 || value == 0);
  for (const float value : whole_tensor(problem, Tensor::b2, data)) ASSERT_TRUE(std::fabs(value) == 1 || value == 0);
  for (const auto& [tensor, columns] : {std::pair{Tensor::w1, 512}, {Tensor::b1, 1}}) {
    const std::vector<float> values = whole_tensor(problem, tensor, data);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const bool gate = i / columns % 528 < 264;
      ASSERT_TRUE(values[i] == 0 || (gate ? values[i] == 64 : std::fabs(values[i]) == 1)) << i << ": " << values[i];
    }
  }
}

TEST(ExactFill, HasTheDensitiesItPromises) {
  const Problem problem = problem_of();
  const DataSpec data{.fill = Fill::exact_integer, .seed = 8};
  const std::vector<float> w1 = whole_tensor(problem, Tensor::w1, data);
  double gate = 0, up = 0, negative = 0;
  for (std::size_t i = 0; i < w1.size(); ++i) {
    (i / 512 % 528 < 264 ? gate : up) += w1[i] != 0;
    negative += w1[i] < 0;
  }
  EXPECT_NEAR(gate / (3 * 264), 2, 0.3) << "nonzero gate weights of a row";
  EXPECT_NEAR(up / (3 * 264), 8, 0.6);
  EXPECT_NEAR(negative / up, 0.5, 0.05);
}

TEST(ExactFill, SmallestSizesAreDense) {
  const Problem problem{.M = 1, .K = 8, .N1 = 16, .N2 = 8, .E = 1, .topk = 1};
  for (const float value : whole_tensor(problem, Tensor::w2, {.fill = Fill::exact_integer, .seed = 1}))
    EXPECT_EQ(std::fabs(value), 1);
}

}  // namespace
}  // namespace moetune
