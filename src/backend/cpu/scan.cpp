#include "backend/cpu/scan.h"

#include <vector>

#include "kernels/lib/fill.h"

namespace moetune {

OutputScan scan_output(ThreadPool& pool, DType dtype, std::span<const std::uint16_t> output) {
  const std::uint16_t exponent = dtype == DType::bf16 ? 0x7f80 : 0x7c00;
  std::vector<OutputScan> scans(static_cast<std::size_t>(pool.size()));
  pool.for_ranges(pool.size(), static_cast<std::int64_t>(output.size()), 1 << 15,
                  [&](std::int64_t begin, std::int64_t end, int worker) {
                    OutputScan part;
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::uint16_t bits = output[static_cast<std::size_t>(i)];
                      part.hash += mix_bits(static_cast<unsigned long long>(i) << 16 | bits);
                      if (bits == kPoison) {
                        ++part.unwritten;
                      } else if ((bits & exponent) == exponent) {
                        ++part.nonfinite;
                      }
                    }
                    OutputScan& scan = scans[static_cast<std::size_t>(worker)];
                    scan.hash += part.hash;
                    scan.nonfinite += part.nonfinite;
                    scan.unwritten += part.unwritten;
                  });
  OutputScan total;
  for (const OutputScan& scan : scans) {
    total.hash += scan.hash;
    total.nonfinite += scan.nonfinite;
    total.unwritten += scan.unwritten;
  }
  return total;
}

}  // namespace moetune
