#pragma once

#include <string>
#include <string_view>

namespace moetune {

/// About how wide a text is in a proportional sans-serif font of that size; rather too wide than too narrow.
double text_width(std::string_view text, double font_size);

/// What a reader gets to know of a mark: a text on hovering, a place in the same page on clicking.
struct Hint {
  std::string text = {};
  std::string href = {};  ///< "#row-12"; empty for none
};

enum class Anchor { start, middle, end };

/// A drawing as SVG. Lengths are in pixels. What marks look like is said in chart.css by their classes.
class Svg {
 public:
  /// `name` is what a screen reader says.
  Svg(double width, double height, std::string_view name);

  void line(double x1, double y1, double x2, double y2, std::string_view classes);
  void rectangle(double x, double y, double width, double height, std::string_view classes, const Hint& hint = {},
                 double opacity = 1);
  void circle(double x, double y, double radius, std::string_view classes, const Hint& hint = {});
  void diamond(double x, double y, double radius, std::string_view classes, const Hint& hint = {});
  /// `points` is the d of a path.
  void path(std::string_view points, std::string_view classes);
  void text(double x, double y, std::string_view text, Anchor anchor = Anchor::start, std::string_view classes = "");

  /// The element, to stand in a page that has chart.css.
  std::string str() const;

 private:
  void mark(const std::string& element, const Hint& hint);

  std::string text_;
};

/// The rules for the classes of all charts.
std::string_view chart_style();

/// A chart as a file of its own, on white, for slides.
std::string standalone_svg(std::string_view chart);

/// Font sizes that chart.css sets; layouts need to know.
inline constexpr double kTitleSize = 14;
inline constexpr double kLabelSize = 12;

}  // namespace moetune
