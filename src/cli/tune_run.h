#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/auto_buckets.h"
#include "cli/progress.h"
#include "isolation/task.h"
#include "report/report.h"
#include "results/past.h"

namespace moetune {

/// What a tuning is to find out, and where it writes.
struct TuneGoal {
  std::vector<Impl> impls;
  std::vector<Problem> problems;
  std::size_t problems_in_all = 0;  ///< where these are one shard of several
  std::optional<Budget> budget;     ///< seconds: of this run; trials: of all problems
  std::filesystem::path folder;
  TuningKey tuning;
  std::optional<double> bucket_margin;  ///< --auto-buckets: the share that an M may lose with its neighbour's config
};

/// The best-config files of a problem, as a shell would be told: "out/best/qwen3….{three_kernel,merged}.json".
std::string answer_files(const TuneGoal& goal, const Problem& problem);

/// What a problem may spend where `left` are left, this one included, `seconds_gone` of the run. What is left over of
/// seconds goes to the problems to come. A number of trials is divided beforehand, so that what is found depends
/// neither on the order nor on who does it.
std::optional<Budget> budget_of_one(const TuneGoal& goal, std::size_t devices, double seconds_gone, std::size_t left);

/// One tuning, whoever drives its devices: hands out the problems, journals what happens, shows how far it has come and
/// keeps what was found.
class TuneRun {
 public:
  /// A device of the run: takes what happens on it into the journal.
  class Device;

  /// `past`: what is gone on with; its problems that are done are not handed out again. `command`: of the journal's
  /// headers.
  TuneRun(TuneGoal goal, std::optional<Past> past, Progress& progress, std::vector<std::string> command, bool verbose);
  ~TuneRun();

  /// Takes a device in and writes its header. Throws Error where it is not what the past was measured on, or another
  /// device that takes part.
  Device& add_device(const DeviceInfo& info, const Ceilings& ceilings);

  /// Says where it runs, once the devices are known.
  void announce() const;
  bool goes_on() const { return past_.has_value(); }
  /// The run cannot be ended as it should.
  void fail(const Error& error);

  /// Once all problems are tuned: whether there are configs to be tried at other M, which the devices then get for
  /// tasks.
  bool begin_transfers();
  /// Once these are done: leaves best-config files for those M alone whose configs serve the others. Returns a line
  /// about each family of several M. After an interruption all keep their files; then a warning says so.
  std::vector<std::string> keep_buckets();

  /// "2 min 30 s of tuning: 96 s on the device, 49 s waiting for compilers, 5.1 s of moe-tune's own"; empty where
  /// nothing was tuned.
  std::string account() const;

  const std::filesystem::path& folder() const { return goal_.folder; }
  /// An implementation has no working config; a problem failed (then with this exit code).
  int exit_code() const { return exit_code_; }
  /// What was found, in the past and now.
  Report report() const;

 private:
  /// A problem failed.
  void complain(const Error& error);
  /// What was found, in the past and now.
  std::vector<Best> bests() const;
  /// For two devices and more, lest one works on the largest problem when the others have nothing left to do.
  void let_largest_wait_first();
  /// Says once what is going to be done in all, taking the other problems' spaces to be like the first one's.
  void announce_total(const TunePlan& first, const Ceilings& ceilings);
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }
  void show();

  TuneGoal goal_;
  std::optional<Past> past_;
  Progress& progress_;
  std::vector<std::string> command_;
  bool verbose_, is_announced_ = false;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<std::size_t> waiting_;  ///< indices into goal_.problems, the next one first
  std::size_t done_ = 0;              ///< problems, failed ones included …
  std::size_t to_do_ = 0;             ///< … of so many
  bool in_transfers_ = false;         ///< the problems are tuned
  bool is_cut_short_ = false;         ///< by an error
  std::vector<Transfers> transfers_;
  double tuned_s_ = 0;        ///< what the problems tuned in this run took, …
  Spent spent_;               ///< … and for what
  double done_before_s_ = 0;  ///< what those took that were done in the past
  int exit_code_ = 0;
  Journal seen_;
  std::vector<std::unique_ptr<Device>> devices_;
};

class TuneRun::Device final : public TaskSource {
 public:
  Device(TuneRun& run, const Environment& environment);

  std::optional<TuneTask> next() override;
  void finish(const std::vector<Best>& bests) override;
  void finish_transfers(const Transfers& transfers) override;
  void give_up(const Error& error) override;
  void on_plan(const Problem& problem, const TunePlan& plan) override;
  void on_trial(const Trial& trial) override;
  void on_progress(const TuneProgress& progress) override;
  void on_failure(const Problem& problem, Impl impl, const std::string& reason) override;
  bool should_stop() override;

 private:
  friend class TuneRun;

  TuneTask take_problem();
  TuneTask next_transfers();

  TuneRun& run_;
  Environment environment_;
  JournalWriter journal_;
  std::size_t index_in_seen_;
  std::size_t index_ = 0;  ///< of the problem in hand, into TuneGoal::problems
  std::size_t recorded_ = 0;
  double task_seconds_ = 0;  ///< that the problem in hand has taken
  Spent task_spent_;
  std::map<Impl, std::string> failures_;
  TuneProgress progress_;
};

}  // namespace moetune
