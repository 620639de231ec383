#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "compare/formats.h"

namespace moetune {
namespace {

constexpr std::size_t kMostBytes = 64 * 1024;

/// Text that Markdown would read as markup or as the end of a table's cell.
std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("|*_`<>[]\\").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

constexpr std::size_t kColumns = 9;
using Cells = std::array<std::string, kColumns>;

/// Padded, so that it reads in a terminal too.
std::string table(const std::vector<Cells>& rows) {
  const Cells titles{"verdict", "row", "base µs", "head µs", "head / base", "95 % interval", "margin", "pairs", "note"};
  constexpr std::array<bool, kColumns> kRight{false, false, true, true, true, true, true, true, false};
  std::array<std::size_t, kColumns> widths{};
  for (std::size_t i = 0; i < kColumns; ++i) {
    widths[i] = width(titles[i]);
    for (const Cells& row : rows) widths[i] = std::max(widths[i], width(row[i]));
  }
  const auto line = [&](const Cells& row) {
    std::string text = "|";
    for (std::size_t i = 0; i < kColumns; ++i) {
      const std::string pad(widths[i] - width(row[i]), ' ');
      text += kRight[i] ? fmt::format(" {}{} |", pad, row[i]) : fmt::format(" {}{} |", row[i], pad);
    }
    return text + "\n";
  };
  std::string text = line(titles) + "|";
  for (std::size_t i = 0; i < kColumns; ++i)
    text += fmt::format("{}{}|", std::string(widths[i] + 1, '-'), kRight[i] ? ":" : "-");
  text += "\n";
  for (const Cells& row : rows) text += line(row);
  return text;
}

std::string median_text(const std::vector<Pair>& pairs, Summary Pair::*side) {
  std::vector<double> medians;
  for (const Pair& pair : pairs) medians.push_back((pair.*side).median_us);
  return fmt::format("{:.2f}", median(medians));
}

void fill_figures(Cells& cells, const Judgement& judgement) {
  cells[4] = fmt::format("{:.3f}", judgement.ratio.value);
  cells[5] = fmt::format("{:.3f} – {:.3f}", judgement.ratio.low, judgement.ratio.high);
  cells[6] = fmt::format("{:.1f} %", 100 * judgement.margin);
  cells[7] = fmt::format("{}", judgement.pairs);
}

std::string note(const ComparedRow& row) {
  std::string text = row.judgement.reason;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (!row.pairs.empty() && row.judgement.only_warns) add("too few pairs: only warns");
  if (row.drift && (row.drift->finding == Finding::slower || row.drift->finding == Finding::faster))
    add(fmt::format("{} than the median of {} earlier runs: {:.3f} [{:.3f}, {:.3f}]", to_string(row.drift->finding),
                    row.drift->pairs, row.drift->ratio.value, row.drift->ratio.low, row.drift->ratio.high));
  return text;
}

Cells cells_of(const ComparedRow& row) {
  Cells cells;
  cells[0] = to_string(row.judgement.finding);
  cells[1] = escape(row.name);
  if (!row.pairs.empty()) {
    cells[2] = median_text(row.pairs, &Pair::base);
    cells[3] = median_text(row.pairs, &Pair::head);
    fill_figures(cells, row.judgement);
  }
  cells[8] = escape(note(row));
  return cells;
}

std::string describe_side(std::string_view name, const std::vector<Environment>& runs) {
  std::set<std::string> kinds;
  for (const Environment& run : runs)
    kinds.insert(fmt::format("moe-tune {} ({}, {}) on {} ({}{}{}), {}", run.build.version, run.build.git_revision,
                             run.build.compiler, run.device.name, run.device.id,
                             run.device.driver.empty() ? "" : ", driver ", run.device.driver, run.device.compiler));
  std::string text;
  for (const std::string& kind : kinds) text += fmt::format("- {}: {}\n", name, escape(kind));
  return text;
}

bool is_plain(const ComparedRow& row) {
  return row.judgement.finding == Finding::same && (!row.drift || row.drift->finding != Finding::slower);
}

std::string write(const GateResult& result, const FailOn& fail_on, bool with_same) {
  std::string text = fmt::format("### moe-tune compare\n\n**{}**\n\n", escape(gate_summary(result, fail_on)));
  std::vector<Cells> remarkable, plain;
  for (const ComparedRow& row : result.rows) (is_plain(row) ? plain : remarkable).push_back(cells_of(row));
  if (result.mean) {
    Cells mean{std::string(to_string(result.mean->finding)), "geometric mean"};
    fill_figures(mean, *result.mean);
    mean[8] = escape(result.mean->reason);
    remarkable.push_back(std::move(mean));
  }
  if (!remarkable.empty()) text += table(remarkable) + "\n";
  const auto rows = [](std::size_t count) { return fmt::format("{} row{}", count, count == 1 ? "" : "s"); };
  if (!plain.empty() && with_same)
    text += fmt::format("<details><summary>{} SAME</summary>\n\n{}\n</details>\n\n", rows(plain.size()), table(plain));
  else if (!plain.empty())
    text += fmt::format("{} SAME, for which there is no room here: the JSON has them.\n\n", rows(plain.size()));
  text += describe_side("base", result.base_runs) + describe_side("head", result.head_runs);
  return text +
         "\nA ratio above 1 means that head takes longer. SLOWER: the whole interval lies beyond the margin; SAME: "
         "within "
         "it; the margin is the one asked for or the noise of these runs, whichever is larger.\n";
}

}  // namespace

std::string gate_markdown(const GateResult& result, const FailOn& fail_on) {
  std::string text = write(result, fail_on, true);
  return text.size() <= kMostBytes ? text : write(result, fail_on, false);
}

}  // namespace moetune
