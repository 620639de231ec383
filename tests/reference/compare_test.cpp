#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "naive.h"

namespace moetune {
namespace {

constexpr OutputScan kClean{.hash = 42, .nonfinite = 0, .unwritten = 0};

/// A problem with an honest device's output, to be spoilt.
struct Case {
  explicit Case(Problem of, Fill fill = Fill::random, Impl impl = Impl::merged)
      : problem(std::move(of)), data{.fill = fill, .seed = 11} {
    const Routing routing = make_routing(problem, data);
    std::vector<std::int64_t> tokens(problem.M);
    std::iota(tokens.begin(), tokens.end(), std::int64_t{0});
    reference = compute_reference(problem, impl, routing, data, tokens);
    rows = testing::Naive<float>(problem, impl, routing, data).rounded();
  }

  Verdict verdict(const OutputScan& first = kClean, const OutputScan& second = kClean) const {
    return judge(problem, data, reference, rows, first, second);
  }
  float& at(std::int64_t token, std::int64_t column) { return rows[token * problem.N2 + column]; }

  Problem problem;
  DataSpec data;
  ReferenceRows reference;
  std::vector<float> rows;
};

Problem ordinary(DType dtype = DType::bf16) {
  return {.M = 12, .K = 64, .N1 = 96, .N2 = 72, .E = 4, .topk = 2, .dtype = dtype, .routing = {}};
}

TEST(Judge, PassesHonestRoundingOfEveryVariant) {
  std::uint64_t seed = 100;
  for (const DType dtype : kDTypes)
    for (const Activation activation : kActivations)
      for (const Bias bias : kBiases)
        for (const Impl impl : kImpls)
          for (const Fill fill : {Fill::random, Fill::exact_integer})
            for (const bool weight_on_input : {false, true}) {
              Problem problem{
                  .M = 9, .K = 40, .N1 = 80, .N2 = 24, .E = 16, .topk = 1 + static_cast<std::int64_t>(seed % 16)};
              problem.dtype = dtype;
              problem.activation = activation;
              problem.bias = bias;
              problem.weight_on_input = weight_on_input;
              Case honest(problem, fill, impl);
              const Verdict verdict = honest.verdict();
              EXPECT_TRUE(verdict.passed) << to_line(problem) << ": " << verdict.reason;
              EXPECT_EQ(verdict.exact, fill == Fill::exact_integer);
              ++seed;
            }
}

TEST(Judge, HonestErrorStaysWellInsideTheTolerance) {
  for (const DType dtype : kDTypes) {
    const double roundoff = dtype == DType::bf16 ? 0x1p-8 : 0x1p-11;
    const Verdict verdict = Case(ordinary(dtype)).verdict();
    EXPECT_GT(verdict.relative_l2, 0.2 * roundoff) << "the output's own rounding must show";
    EXPECT_LT(verdict.relative_l2, 0.8 * roundoff);
    EXPECT_LT(verdict.worst_element, 0.5);
  }
}

TEST(Judge, RecordsTheScope) {
  Case honest(ordinary());
  honest.problem.M = 1000;
  const Verdict verdict = honest.verdict();
  EXPECT_EQ(verdict.rows_checked, 12);
  EXPECT_EQ(verdict.rows_total, 1000);
  EXPECT_EQ(verdict.experts_checked, honest.reference.experts_checked);
  EXPECT_EQ(verdict.experts_hit, honest.reference.experts_hit);
  EXPECT_TRUE(verdict.group_ends_checked);
  EXPECT_TRUE(verdict.bitwise_repeatable);
}

TEST(Judge, CatchesWhatIsNoNumber) {
  for (const Fill fill : {Fill::random, Fill::exact_integer})
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
      Case spoilt(ordinary(), fill);
      spoilt.at(3, 17) = bad;
      const Verdict verdict = spoilt.verdict();
      EXPECT_FALSE(verdict.passed);
      EXPECT_NE(verdict.reason.find("token 3, column 17"), std::string::npos) << verdict.reason;
      EXPECT_FALSE(verdict.worst_element <= 1);
      EXPECT_FALSE(verdict.relative_l2 <= 1);
    }
}

TEST(Judge, CatchesNaNInEveryElement) {
  Case spoilt(ordinary());
  std::fill(spoilt.rows.begin(), spoilt.rows.end(), std::numeric_limits<float>::quiet_NaN());
  EXPECT_FALSE(spoilt.verdict().passed);
}

TEST(Judge, CatchesOneWrongElement) {
  for (const DType dtype : kDTypes) {
    Case spoilt(ordinary(dtype));
    spoilt.at(5, 70) += 0.5f;
    const Verdict verdict = spoilt.verdict();
    EXPECT_FALSE(verdict.passed);
    EXPECT_NE(verdict.reason.find("token 5, column 70"), std::string::npos) << verdict.reason;
  }
}

TEST(Judge, CatchesAnElementSwappedWithItsNeighbour) {
  Case spoilt(ordinary());
  std::swap(spoilt.at(0, 0), spoilt.at(0, 1));
  EXPECT_FALSE(spoilt.verdict().passed);
}

TEST(Judge, CatchesAFlippedSign) {
  Case spoilt(ordinary());
  std::int64_t column = 0;
  while (std::fabs(spoilt.at(2, column)) < 0.3f) ++column;
  spoilt.at(2, column) = -spoilt.at(2, column);
  EXPECT_FALSE(spoilt.verdict().passed);
  for (float& value : spoilt.rows) value = -value;
  const Verdict all = spoilt.verdict();
  EXPECT_FALSE(all.passed);
  EXPECT_NEAR(all.relative_l2, 2, 0.05);
}

TEST(Judge, CatchesAnUntouchedAndAZeroOutput) {
  Case spoilt(ordinary());
  std::fill(spoilt.rows.begin(), spoilt.rows.end(), 0.0f);
  EXPECT_FALSE(spoilt.verdict().passed);
  EXPECT_NEAR(spoilt.verdict().relative_l2, 1, 1e-9);
}

/// A reference of 4096 × 4096 elements, as a large problem's would be, with its honest output.
struct HugeOutput {
  static constexpr std::int64_t kSize = 4096;

  HugeOutput() : problem{.M = kSize, .K = 8, .N1 = 16, .N2 = kSize, .E = 1, .topk = 1} {
    FillSpec spec{.dtype = DType::bf16, .key = 5, .scale = 1.0f};
    rows.resize(kSize * kSize);
    fill_floats(spec, 0, rows);
    reference.values.assign(rows.begin(), rows.end());
    reference.tokens.resize(kSize);
    std::iota(reference.tokens.begin(), reference.tokens.end(), std::int64_t{0});
  }

  Problem problem;
  ReferenceRows reference;
  std::vector<float> rows;
};

TEST(Judge, ARowSlightlyOffThroughoutCannotHideInAHugeOutput) {
  HugeOutput huge;
  ASSERT_TRUE(judge(huge.problem, {}, huge.reference, huge.rows, kClean, kClean).passed);
  for (std::int64_t c = 0; c < HugeOutput::kSize; ++c) huge.rows[1000 * HugeOutput::kSize + c] += 0.02f;
  const Verdict verdict = judge(huge.problem, {}, huge.reference, huge.rows, kClean, kClean);
  EXPECT_LT(verdict.relative_l2, 1e-3) << "the global figure does not see it";
  EXPECT_LT(verdict.worst_element, 1) << "nor does that of any element";
  EXPECT_FALSE(verdict.passed);
  EXPECT_NE(verdict.reason.find("token 1000"), std::string::npos) << verdict.reason;
}

TEST(Judge, OneTileOfGarbageInAHugeOutputFails) {
  HugeOutput huge;
  for (std::int64_t r = 0; r < 8; ++r)
    for (std::int64_t c = 0; c < 8; ++c)
      std::swap(huge.rows[r * HugeOutput::kSize + c], huge.rows[(r + 8) * HugeOutput::kSize + c]);
  const Verdict verdict = judge(huge.problem, {}, huge.reference, huge.rows, kClean, kClean);
  EXPECT_LT(verdict.relative_l2, 5e-3) << "which the global figure cannot see";
  EXPECT_GT(verdict.worst_row, 1e-2);
  EXPECT_FALSE(verdict.passed);
}

TEST(Judge, ExactDataMustBeEqualToTheLastBit) {
  Case honest(ordinary(), Fill::exact_integer);
  ASSERT_TRUE(honest.verdict().passed) << honest.verdict().reason;
  const float before = honest.at(7, 33);
  honest.at(7, 33) = from_bf16(static_cast<unsigned short>(to_bf16(before) ^ 1u));
  const Verdict verdict = honest.verdict();
  EXPECT_FALSE(verdict.passed);
  EXPECT_TRUE(verdict.exact);
  EXPECT_NE(verdict.reason.find("token 7, column 33"), std::string::npos) << verdict.reason;
}

TEST(Judge, ExactDataIsNoEmptyTest) {
  for (const Activation activation : kActivations) {
    Problem problem = ordinary();
    problem.activation = activation;
    const Case honest(problem, Fill::exact_integer);
    const auto zeros = std::count(honest.reference.values.begin(), honest.reference.values.end(), 0.0);
    EXPECT_LT(zeros, static_cast<std::ptrdiff_t>(honest.reference.values.size()) / 2) << to_string(activation);
  }
}

TEST(Judge, CatchesElementsNeverWritten) {
  const Case honest(ordinary());
  const Verdict verdict = honest.verdict({.hash = 42, .nonfinite = 0, .unwritten = 1}, kClean);
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(verdict.unwritten, 1);
  EXPECT_NE(verdict.reason.find("never written"), std::string::npos);
  EXPECT_FALSE(honest.verdict(kClean, {.hash = 42, .nonfinite = 0, .unwritten = 1}).passed) << "in the second run";
}

TEST(Judge, CatchesNonfiniteElementsOutsideTheRowsChecked) {
  const Verdict verdict = Case(ordinary()).verdict({.hash = 42, .nonfinite = 3, .unwritten = 0}, kClean);
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(verdict.nonfinite, 3);
}

TEST(Judge, CatchesARunThatGivesOtherBits) {
  const Verdict verdict = Case(ordinary()).verdict(kClean, {.hash = 43, .nonfinite = 0, .unwritten = 0});
  EXPECT_FALSE(verdict.passed);
  EXPECT_FALSE(verdict.bitwise_repeatable);
  EXPECT_NE(verdict.reason.find("second run"), std::string::npos);
}

TEST(Judge, SumsInNoFixedOrderMayGiveOtherBitsButNotOtherNumbers) {
  const OutputScan other{.hash = 43, .nonfinite = 0, .unwritten = 0};
  for (const Fill fill : {Fill::random, Fill::exact_integer}) {
    Case honest(ordinary(), fill);
    const auto judged = [&] {
      return judge(honest.problem, honest.data, honest.reference, honest.rows, kClean, other, false);
    };
    Verdict verdict = judged();
    EXPECT_TRUE(verdict.passed) << verdict.reason;
    EXPECT_FALSE(verdict.bitwise_repeatable);
    EXPECT_FALSE(verdict.exact) << "integers are held to a tolerance too";
    honest.at(0, 0) *= 1.001F;
    EXPECT_TRUE(judged().passed) << judged().reason;
    honest.at(0, 0) += 1e4F;
    EXPECT_FALSE(judged().passed);
    honest.at(0, 0) = std::numeric_limits<float>::quiet_NaN();
    EXPECT_FALSE(judged().passed);
  }
}

// Each of topk additions rounds to 16 bits. 10 of them on an H200 came to 1.28 units of roundoff.
TEST(Judge, SumsInNoFixedOrderMayRoundWithEachAddition) {
  const auto judge_off_by = [](std::int64_t topk, double roundoffs, bool must_repeat) {
    Problem problem = ordinary();
    problem.E = 16, problem.topk = topk;
    Case honest(problem);
    for (std::size_t i = 0; i < honest.rows.size(); ++i)
      honest.rows[i] = static_cast<float>(honest.reference.values[i] * (1 + (i % 2 ? 1 : -1) * roundoffs * 0x1p-8));
    return judge(honest.problem, honest.data, honest.reference, honest.rows, kClean, kClean, must_repeat);
  };
  EXPECT_TRUE(judge_off_by(10, 1.5, false).passed);
  EXPECT_FALSE(judge_off_by(10, 1.5, true).passed) << "in a fixed order they are summed up in fp32";
  EXPECT_FALSE(judge_off_by(1, 1.5, false).passed) << "a single addition rounds once";
  EXPECT_FALSE(judge_off_by(10, 3, false).passed);
}

TEST(Judge, NothingCheckedIsNotPassed) {
  Case honest(ordinary());
  honest.rows.pop_back();
  EXPECT_FALSE(honest.verdict().passed) << "short";
  honest.rows.clear();
  EXPECT_FALSE(honest.verdict().passed) << "empty";
  honest.reference = {};
  const Verdict verdict = honest.verdict();
  EXPECT_FALSE(verdict.passed) << "nothing to compare";
  EXPECT_EQ(verdict.rows_checked, 0);
}

TEST(Judge, AReferenceThatOverflowsProvesNothing) {
  Case honest(ordinary(DType::fp16));
  honest.reference.values[0] = std::numeric_limits<double>::infinity();
  honest.rows[0] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(honest.verdict().passed);
}

}  // namespace
}  // namespace moetune
