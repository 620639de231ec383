#include "report/text_table.h"

#include <algorithm>

namespace moetune {
namespace {

/// Code points: every character used here is one column wide.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

std::string TextTable::to_string(bool colours) const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(width(columns_[i].title));
    for (const auto& row : rows_) widths[i] = std::max(widths[i], width(row[i].text));
  }

  std::string out;
  const auto add_line = [&](auto cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Cell cell = cell_at(i);
      const std::string padding(widths[i] - width(cell.text), ' ');
      line += "  ";
      if (columns_[i].align == Align::right) line += padding;
      const bool coloured = colours && !cell.colour.empty();
      if (coloured) line += cell.colour;
      line += cell.text;
      if (coloured) line += "\x1b[0m";
      if (columns_[i].align == Align::left) line += padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line([&](std::size_t i) { return Cell{.text = columns_[i].title, .colour = "\x1b[2m"}; });
  for (const auto& row : rows_) add_line([&](std::size_t i) { return row[i]; });
  return out;
}

}  // namespace moetune
