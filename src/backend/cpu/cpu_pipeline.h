#pragma once

#include <array>

#include "backend/cpu/buffer.h"
#include "backend/cpu/cpu_mlp.h"
#include "backend/cpu/host.h"
#include "backend/device.h"
#include "kernels/lib/fill.h"

namespace moetune {

/// The tensors of a problem, shared by all its pipelines. Element types are 16-bit floats of the problem's dtype.
struct CpuTensors {
  std::array<Buffer<std::uint16_t>, 5> inputs;  ///< by Tensor
  Routing routing;
  Buffer<std::int32_t> sorted_slots;   ///< [slots], grouped by expert
  Buffer<std::uint16_t> cache1;        ///< [slots, N1] in expert order; only where a three-kernel pipeline was built
  Buffer<std::uint16_t> cache2;        ///< [slots, N1/2] in expert order
  Buffer<std::uint16_t> cache3;        ///< [M, topk, N2]
  Buffer<std::uint16_t> out;           ///< [M, N2]
  const Pipeline* last_run = nullptr;  ///< whose intermediates and output these are

  std::span<const std::uint16_t> values(Tensor tensor) const { return inputs[static_cast<std::size_t>(tensor)].span(); }
  const std::uint16_t* input(Tensor tensor) const { return values(tensor).data(); }
};

/// The stages on a workload's own tensors, with what it takes to check and time them.
class CpuPipeline final : public Pipeline {
 public:
  CpuPipeline(Host& host, const Problem& problem, CpuTensors& tensors, const PipelineConfig& config);
  ~CpuPipeline() override;

  Result<OutputScan> run() override;
  std::vector<float> read_rows(std::span<const std::int64_t> tokens) override;
  Result<std::vector<double>> time(int n, const TimingOptions& options) override;
  Result<std::vector<double>> time_stages(StageRange stages, int n, const TimingOptions& options) override;

 private:
  /// As they are now: a refill moves the routing.
  CpuAddresses addresses() const;
  void run_stages();
  void poison();
  /// Runs again, untimed, where another pipeline or a refill has come between.
  void make_current();
  /// All that run_stages() reads and writes with the routing as it is now. Up to the next run.
  std::vector<std::span<const std::byte>> touched() const;
  template <class Body>
  std::vector<double> sample(int n, const TimingOptions& options, const Body& body);

  Host& host_;
  const Problem& problem_;
  CpuTensors& tensors_;
  Impl impl_;
  CpuMlp mlp_;
};

}  // namespace moetune
