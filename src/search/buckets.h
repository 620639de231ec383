// Which of the tuned M are worth a config of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace moetune {

/// Of two tuned M, a < b, the last M whose calls take the config of `a`: it is nearer in ratio, or as near as `b`.
std::int64_t last_nearer(std::int64_t a, std::int64_t b);

/// regret[i][j]: the share of its time that the i-th M loses with the config of the j-th (below 0: it gains); nothing
/// where that config cannot serve it. With its own an M loses nothing, whatever the diagonal says.
using RegretMatrix = std::vector<std::vector<std::optional<double>>>;

/// For each M the index of the one whose config it takes: its own index where it keeps one.
using Buckets = std::vector<std::size_t>;

/// The fewest M with configs of their own such that each of the others, served as libmoetune does it, with the config
/// of the nearest of them in ratio, loses no more than `margin`. Of several such sets the one that loses least in all;
/// of these the one with the smaller M. Ms are in ascending order. Throws std::invalid_argument where they are not, or
/// the matrix is of another size.
Buckets choose_buckets(std::span<const std::int64_t> Ms, const RegretMatrix& regret, double margin);

}  // namespace moetune
