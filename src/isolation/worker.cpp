#include "isolation/worker.h"

#include <unistd.h>

#include <new>

#include "isolation/worker_messages.h"

namespace moetune {
namespace {

/// Says what is in hand.
class Announcer final : public Watch {
 public:
  explicit Announcer(WorkerVoice& voice) : voice_(voice) {}

  void begin(const PipelineConfig& config, double seconds) override { voice_.on_begin(config, seconds); }
  void end() override { voice_.on_end(); }
  void lost(const PipelineConfig&, const Failure& failure) override {
    voice_.on_lost(failure);
    _exit(0);  // whatever else were done with the device would fail
  }

 private:
  WorkerVoice& voice_;
};

}  // namespace

void run_worker(ParentChannel& supervisor, const WorkerSetup& setup) {
  die_with_parent();
  WorkerVoice voice([&](const std::string& line) { supervisor.send(line); }, setup.should_stop);
  std::string line;
  if (!supervisor.receive(line)) return;
  try {
    const std::unique_ptr<Device> device = setup.open(read_device_message(line));
    TuneOptions options = setup.options(*device, [&](std::string_view note) { voice.on_note(std::string(note)); });
    Announcer announcer(voice);
    const std::unique_ptr<Device> watched = watch_device(*device, options.ceilings, setup.patience, announcer);
    voice.on_ready(device->info(), options.ceilings);
    while (supervisor.receive(line)) {
      TuneTask task = read_task_messages(line, [&] {
        std::string next;
        supervisor.receive(next);
        return next;
      });
      options.budget = task.budget;
      options.recorded = std::move(task.recorded);
      try {
        if (!task.winners.empty()) {
          const Transfers transfers{.problem = task.problem,
                                    .of = measure_transfers(*watched, task.problem, task.winners, options, voice)};
          if (transfers.of.empty()) return;  // to be stopped: as below
          voice.on_transfers(transfers);
          continue;
        }
        const std::vector<Best> bests = tune_problem(*watched, task.problem, options, voice);
        if (bests.empty() && setup.should_stop()) return;  // the supervisor knows, or starts another
        voice.on_finished(bests);
      } catch (const Error& error) {
        voice.on_error(error);
      }
    }
  } catch (const Error& error) {
    voice.on_error(error);
  } catch (const std::bad_alloc&) {
    voice.on_lost({.outcome = Outcome::out_of_memory, .reason = "its process found no more memory on the host"});
    _exit(0);
  }
}

}  // namespace moetune
