#include "problem/problem.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

Problem mixtral() {
  return {.M = 128, .K = 4096, .N1 = 28672, .N2 = 4096, .E = 8, .topk = 2};
}

TEST(Names, GoThereAndBack) {
  for (const DType value : kDTypes) EXPECT_EQ(parse_dtype(to_string(value)), value);
  for (const Activation value : kActivations) EXPECT_EQ(parse_activation(to_string(value)), value);
  for (const Bias value : kBiases) EXPECT_EQ(parse_bias(to_string(value)), value);
  for (const Impl value : kImpls) EXPECT_EQ(parse_impl(to_string(value)), value);
  for (const Stage value : kStages) EXPECT_EQ(parse_stage(to_string(value)), value);
}

TEST(Names, UnknownOnesListTheOthers) {
  EXPECT_ERROR(parse_dtype("fp8"), "unknown dtype 'fp8': use one of fp16, bf16");
  EXPECT_ERROR(parse_activation("relu"), "silu, gelu, gelu_tanh, swigluoai");
  EXPECT_ERROR(parse_bias("b3"), "none, b1, b2, both");
  EXPECT_ERROR(parse_impl(""), "three_kernel, merged");
  EXPECT_ERROR(parse_stage("Gate"), "gate");
}

TEST(Routing, GoesThereAndBack) {
  for (const char* const text :
       {"balanced", "uniform", "zipf:1.2", "zipf:0", "zipf:0.30000000000000004", "one", "file:a b.npy"})
    EXPECT_EQ(to_string(parse_routing(text)), text);
  EXPECT_EQ(parse_routing("zipf:1.0").zipf_s, 1.0);
  EXPECT_EQ(parse_routing("file:/x/y.npy").path, "/x/y.npy");
}

TEST(Routing, RejectsWhatIsNoRouting) {
  for (const char* const text : {"zipf:", "zipf:x", "zipf:-1", "zipf:nan", "zipf:inf", "zipf:1.0x"})
    EXPECT_ERROR(parse_routing(text), "exponent");
  EXPECT_ERROR(parse_routing("file:"), "path");
  EXPECT_ERROR(parse_routing("file:a\nb"), "path");
  EXPECT_ERROR(parse_routing("skewed"), "use balanced, uniform, zipf:S, one or file:PATH");
}

TEST(ProblemLine, IsReadable) {
  EXPECT_EQ(to_line(mixtral()),
            "M=128,K=4096,N1=28672,N2=4096,E=8,topk=2,dtype=bf16,activation=silu,bias=none,routing=uniform");
}

TEST(ProblemLine, GoesThereAndBack) {
  Problem problem = mixtral();
  EXPECT_EQ(parse_problem_line(to_line(problem)), problem);
  problem.dtype = DType::fp16;
  problem.activation = Activation::swigluoai;
  problem.bias = Bias::both;
  problem.weight_on_input = true;
  problem.model = "gpt-oss-120b";
  problem.ep_ranks = 4, problem.ep_rank = 3;
  for (const char* const routing : {"zipf:0.1", "file:ids.npy", "file:a,b=#\"c\\.npy", "file: blanks at both ends "}) {
    problem.routing = parse_routing(routing);
    EXPECT_EQ(parse_problem_line(to_line(problem)), problem) << to_line(problem);
  }
}

TEST(ProblemLine, TellsTheRankOnlyWhereThereAreSeveral) {
  Problem problem = mixtral();
  problem.ep_ranks = 2;
  EXPECT_EQ(to_line(problem), to_line(mixtral()) + ",ep_ranks=2,ep_rank=0");
  EXPECT_NE(parse_problem_line(to_line(problem)), mixtral());
  EXPECT_EQ(parse_problem_line(to_line(mixtral()) + ",ep_ranks=1"), mixtral());
}

TEST(ProblemLine, TakesBlanksCommentsAndDefaults) {
  const Problem problem = parse_problem_line("  topk = 2 , E=8,M=128,\tK=4096, N1=28672  # Mixtral, one of N2=1\r\n");
  EXPECT_EQ(problem, mixtral());
}

TEST(ProblemLine, NamesWhatIsWrong) {
  EXPECT_ERROR(parse_problem_line("M=1,K=8,N1=16,E=1"), "'topk' is missing");
  EXPECT_ERROR(parse_problem_line("# nothing"), "'M' is missing");
  EXPECT_ERROR(parse_problem_line("M=1,K=8,N1=16,E=1,topk=1,N3=8"), "unknown key 'N3'");
  EXPECT_ERROR(parse_problem_line("M=1,M=2"), "'M' is given twice");
  EXPECT_ERROR(parse_problem_line("M=1e3"), "M='1e3' is no integer");
  EXPECT_ERROR(parse_problem_line("M=99999999999999999999"), "is no integer");
  EXPECT_ERROR(parse_problem_line("M="), "M='' is no integer");
  EXPECT_ERROR(parse_problem_line("M"), "'M' is no key=value");
  EXPECT_ERROR(parse_problem_line("M=1,,K=8"), "is no key=value");
  EXPECT_ERROR(parse_problem_line("=1"), "is no key=value");
  EXPECT_ERROR(parse_problem_line("model=\"x"), "not closed");
  EXPECT_ERROR(parse_problem_line("model=\"x\"y"), "comma is missing");
  EXPECT_ERROR(parse_problem_line("weight_on_input=yes"), "neither 0 nor 1");
  EXPECT_ERROR(parse_problem_line("dtype=int8"), "unknown dtype");
}

TEST(Validate, AcceptsWhatCanBeComputed) {
  EXPECT_NO_THROW(validate(mixtral()));
  EXPECT_NO_THROW(validate({.M = 1, .K = 8, .N1 = 16, .N2 = 8, .E = 1, .topk = 1}));
  EXPECT_NO_THROW(validate({.M = 1 << 14, .K = 8, .N1 = 16, .N2 = 8, .E = 1024, .topk = 1024}));
}

TEST(Validate, NamesTheSizeItsValueAndWhatWouldDo) {
  const auto with = [](auto change) {
    Problem problem = mixtral();
    change(problem);
    return problem;
  };
  EXPECT_ERROR(validate(with([](Problem& p) { p.M = 0; })), "M = 0 is not positive");
  EXPECT_ERROR(validate(with([](Problem& p) { p.topk = -2; })), "topk = -2 is not positive");
  EXPECT_ERROR(validate(with([](Problem& p) { p.N1 = 28671; })), "N1 = 28671 is odd");
  EXPECT_ERROR(validate(with([](Problem& p) { p.N1 = 24; })), "N1/2 = 12 is no multiple of 8: use 8 or 16");
  EXPECT_ERROR(validate(with([](Problem& p) { p.K = 4; })), "K = 4 is no multiple of 8: use 8");
  EXPECT_ERROR(validate(with([](Problem& p) { p.N2 = 100; })), "N2 = 100 is no multiple of 8: use 96 or 104");
  EXPECT_ERROR(validate(with([](Problem& p) { p.K = 1 << 21; })), "at most 1048576");
  EXPECT_ERROR(validate(with([](Problem& p) { p.topk = 9; })), "topk = 9 is more than the 8 experts");
  EXPECT_ERROR(validate(with([](Problem& p) { p.E = 1025; })), "E = 1025 is too large: at most 1024");
  EXPECT_NO_THROW(validate(with([](Problem& p) { p.topk = 9, p.ep_ranks = 2, p.ep_rank = 1; })));
  EXPECT_ERROR(validate(with([](Problem& p) { p.topk = 17, p.ep_ranks = 2; })),
               "topk = 17 is more than the 16 experts");
  EXPECT_ERROR(validate(with([](Problem& p) { p.ep_ranks = 0; })), "ep_ranks = 0 is not positive");
  EXPECT_ERROR(validate(with([](Problem& p) { p.ep_ranks = 4, p.ep_rank = 4; })),
               "ep_rank = 4 is none of 4 ranks: use 0 to 3");
  EXPECT_ERROR(validate(with([](Problem& p) { p.ep_ranks = 4, p.ep_rank = -1; })), "use 0 to 3");
  EXPECT_ERROR(validate(with([](Problem& p) { p.ep_rank = 1; })), "ep_rank = 1 is none of 1 ranks: use 0");
  EXPECT_ERROR(validate(with([](Problem& p) { p.ep_ranks = 8193; })), "use ep_ranks of at most 8192");
  EXPECT_ERROR(validate(with([](Problem& p) { p.ep_ranks = INT64_MAX; })), "use ep_ranks of at most 8192");
  EXPECT_ERROR(validate(with([](Problem& p) { p.M = (1 << 23) + 1; })), "use M of at most 8388608");
  EXPECT_ERROR(validate(with([](Problem& p) { p.M = INT64_MAX; })), "slots");
}

TEST(Stages, BothImplementationsShareRoutingFinalAndCombine) {
  const auto three = stages_of(Impl::three_kernel), two = stages_of(Impl::merged);
  EXPECT_EQ(std::vector(three.begin(), three.end()),
            (std::vector{Stage::route, Stage::gemm1, Stage::activate, Stage::final, Stage::combine}));
  EXPECT_EQ(std::vector(two.begin(), two.end()),
            (std::vector{Stage::route, Stage::gate, Stage::final, Stage::combine}));
}

TEST(Stages, OneKernelOfBothGemmsTakesTheirPlace) {
  const auto single = stages_of(Impl::merged_single);
  EXPECT_EQ(std::vector(single.begin(), single.end()), (std::vector{Stage::route, Stage::mlp, Stage::combine}));
}

// A kernel that sums up over topk itself is to be compared with one that leaves it to moe_sum.
TEST(Stages, TheSecondGemmDecidesWhatTheSumTakes) {
  EXPECT_EQ(stages_decided_by(Stage::gate), only(Stage::gate));
  EXPECT_EQ(stages_decided_by(Stage::gemm1), only(Stage::gemm1));
  for (const Stage stage : {Stage::final, Stage::mlp}) {
    const StageRange range = stages_decided_by(stage);
    EXPECT_EQ(range.first, stage);
    EXPECT_TRUE(range.contains(Stage::combine));
  }
  for (const Stage stage : kStages) EXPECT_TRUE(StageRange().contains(stage));
}

TEST(Stages, TunableOnesAreThoseWithAnEpilogue) {
  for (const Impl impl : kImpls) {
    std::vector<Stage> tunable;
    for (const Stage stage : stages_of(impl))
      if (is_tunable(stage)) tunable.push_back(stage);
    const auto expected = tunable_stages_of(impl);
    EXPECT_EQ(tunable, std::vector(expected.begin(), expected.end()));
  }
  for (const Stage stage : kStages) {
    if (is_tunable(stage) && stage != Stage::mlp)  // that has two
      EXPECT_NO_THROW(epilogue_of(stage));
    else
      EXPECT_ERROR(epilogue_of(stage), to_string(stage));
  }
  EXPECT_EQ(epilogue_of(Stage::gemm1), Epilogue::plain);
  EXPECT_EQ(epilogue_of(Stage::gate), Epilogue::gated);
  EXPECT_EQ(epilogue_of(Stage::final), Epilogue::final);
}

}  // namespace
}  // namespace moetune
