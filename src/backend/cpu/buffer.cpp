#include "backend/cpu/buffer.h"

#include <sys/mman.h>

namespace moetune {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

AlignedMemory::AlignedMemory(std::size_t bytes) {
  if (bytes == 0) return;
  const bool large = bytes >= kHugePage;
  const std::align_val_t alignment{large ? kHugePage : 64};
  data_ = {::operator new(bytes, alignment), Free{alignment}};
  if (large) ::madvise(data_.get(), bytes / kHugePage * kHugePage, MADV_HUGEPAGE);  // a wish; refusal costs speed only
}

}  // namespace moetune
