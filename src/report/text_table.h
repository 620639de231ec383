#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace moetune {

/// Columns of text, padded to line up. Cells are UTF-8 and one line each.
class TextTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
  };
  struct Cell {
    std::string text;
    std::string_view colour = {};  ///< an escape sequence, written only where colours are wanted
  };

  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// As many cells as columns.
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

  /// Titles and rows, indented by two blanks; no blanks at line ends.
  std::string to_string(bool colours) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace moetune
