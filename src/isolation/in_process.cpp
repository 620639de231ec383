#include "isolation/in_process.h"

#include <fmt/core.h>

namespace moetune {

InProcess::InProcess(std::unique_ptr<Device> device, TuneOptions options)
    : device_(std::move(device)),
      options_(std::move(options)),
      opened_{{.device = device_->info(), .ceilings = options_.ceilings}} {}

void InProcess::run(std::span<TaskSource* const> sources) {
  TaskSource& source = *sources.front();
  while (std::optional<TuneTask> task = source.next()) {
    options_.budget = task->budget;
    options_.recorded = std::move(task->recorded);
    try {
      Transfers transfers{.problem = task->problem, .of = {}};
      std::vector<Best> bests;
      if (task->winners.empty())
        bests = tune_problem(*device_, task->problem, options_, source);
      else
        transfers.of = measure_transfers(*device_, task->problem, task->winners, options_, source);
      if (device_->is_lost())
        throw Error(fmt::format("{} is lost to this process after a fault; what was found is kept: go on with --resume",
                                device_->info().id));
      if (transfers.of.empty())
        source.finish(bests);
      else
        source.finish_transfers(transfers);
    } catch (const Error& error) {
      source.give_up(error);
      if (device_->is_lost()) return;
    }
  }
}

}  // namespace moetune
