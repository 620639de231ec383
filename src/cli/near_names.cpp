#include "cli/near_names.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace moetune {
namespace {

/// Letters to insert, delete or replace to make one word of the other.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row.back();
}

}  // namespace

std::string suggest(std::string_view name, std::span<const std::string> names) {
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const std::string& each : names) {
    const std::size_t distance = edit_distance(name, each);
    if (distance <= 1 + name.size() / 5)
      near.emplace_back(distance, each);
    else if (name.size() >= 3 && each.starts_with(name))
      near.emplace_back(name.size(), each);
  }
  std::sort(near.begin(), near.end());
  if (near.empty()) return "";
  std::string text = " (did you mean '" + near[0].second + "'";
  if (near.size() > 1) text += " or '" + near[1].second + "'";
  return text + "?)";
}

}  // namespace moetune
