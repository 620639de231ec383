#include <algorithm>
#include <chrono>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/cache_directory.h"
#include "base/error.h"
#include "cli/axis.h"
#include "cli/command.h"
#include "cli/problem_options.h"
#include "cli/progress.h"
#include "library/context.h"

namespace moetune {
namespace {

constexpr const char* kMostTokens = "16384";  // what merged_moe_kernel plans for

class PrebuildCommand final : public Command {
 public:
  void add_options(CLI::App& app) override {
    problems_.add_to(app);
    app.add_option("--configs", configs_, "Best configs that `moe-tune tune --out` wrote (none: configs are guessed)")
        ->type_name("DIR");
    app.add_option("--impl", impl_, "merged, three_kernel (merged)")->type_name("LIST");
    app.add_option("--device", device_, "auto, cpu, cuda:N (auto)")->type_name("ID");
    app.footer(
        "Compiles what a plan of libmoetune or merged_moe_kernel needs for calls of up to the largest M (16384), so\n"
        "that none of it is compiled when a server starts. With --configs as there.\n\n"
        "  moe-tune prebuild --model qwen3-30b-a3b --configs moe-tune-results/nvidia-h200");
  }

  int run(const Session&) override {
    if (problems_.M.empty() && !problems_.models.empty()) problems_.M = kMostTokens;
    Context context(device_, configs_);
    for (const Problem& problem : largest(problems_.problems("prebuild")))
      for (const std::span<const Impl> impls : wanted_impls()) {
        const auto start = std::chrono::steady_clock::now();
        PlanCost cost;
        const std::vector<ConfigRange> ranges = context.choose(problem, impls, &cost);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        fmt::print("{} {}: {} kernels, {} compiled in {}\n", to_line(problem), to_string(impls.front()), cost.kernels,
                   cost.compiled, format_duration(took.count()));
        for (const ConfigRange& range : ranges)
          fmt::print("  M {}...{}  {}  ({})\n", range.from, range.to, to_label(range.config), range.why);
      }
    if (context.info().backend == Backend::cuda) fmt::print("in {}\n", (cache_directory() / "kernels").string());
    return 0;
  }

 private:
  /// Of problems that differ in M and routing alone, the one with the most tokens.
  static std::vector<Problem> largest(const std::vector<Problem>& all) {
    std::vector<Problem> kept;
    for (Problem problem : all) {
      problem.routing = {};
      const auto is_alike = [&](Problem other) {
        other.M = problem.M;
        return other == problem;
      };
      const auto known = std::find_if(kept.begin(), kept.end(), is_alike);
      if (known == kept.end())
        kept.push_back(problem);
      else
        known->M = std::max(known->M, problem.M);
    }
    return kept;
  }

  /// What a plan of the library chooses from, for each of --impl.
  std::vector<std::span<const Impl>> wanted_impls() const {
    static constexpr Impl kMerged[] = {Impl::merged, Impl::merged_single}, kThreeKernel[] = {Impl::three_kernel};
    std::vector<std::span<const Impl>> wanted;
    for (const std::string_view name : split_list("--impl", impl_)) {
      const Impl impl = parse_impl(name);
      if (impl == Impl::merged_single)
        throw Error("--impl merged_single: plans of merged take it where it was tuned and found faster; give merged");
      wanted.push_back(impl == Impl::merged ? std::span<const Impl>(kMerged) : std::span<const Impl>(kThreeKernel));
    }
    return wanted;
  }

  ProblemOptions problems_;
  std::string configs_, impl_ = "merged", device_ = "auto";
};

}  // namespace

std::unique_ptr<Command> make_prebuild() {
  return std::make_unique<PrebuildCommand>();
}

}  // namespace moetune
