#include "chart/frame.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace moetune {
namespace {

constexpr double kLegendRow = 16, kSign = 14, kEntryGap = 14;

void draw_sign(Svg& svg, double x, double y, const LegendEntry& entry) {
  const std::string curve = "curve " + entry.colour, mark = "mark " + entry.colour;
  switch (entry.sign) {
    case LegendEntry::Sign::line:
      svg.line(x, y, x + kSign, y, curve);
      return;
    case LegendEntry::Sign::dashed:
      svg.line(x, y, x + kSign, y, curve + " dashed");
      return;
    case LegendEntry::Sign::box:
      svg.rectangle(x + 2, y - 5, 10, 10, mark);
      return;
    case LegendEntry::Sign::circle:
      svg.circle(x + kSign / 2, y, 4, mark);
      return;
    case LegendEntry::Sign::diamond:
      svg.diamond(x + kSign / 2, y, 5, "open " + entry.colour);
      return;
  }
}

/// Returns the height that it took.
double draw_legend(Svg& svg, double left, double top, double right, const std::vector<LegendEntry>& legend) {
  if (legend.empty()) return 0;
  double x = left, y = top;
  for (const LegendEntry& entry : legend) {
    const double width = kSign + 4 + text_width(entry.name, kLabelSize);
    if (x > left && x + width > right) {
      x = left;
      y += kLegendRow;
    }
    draw_sign(svg, x, y + kLegendRow / 2, entry);
    svg.text(x + kSign + 4, y + kLegendRow / 2 + 4, entry.name);
    x += width + kEntryGap;
  }
  return y + kLegendRow - top;
}

}  // namespace

Frame::Frame(Svg& svg, const ChartSize& size, std::string_view title, const std::vector<LegendEntry>& legend, Axis x,
             Axis y)
    : x_(std::move(x)), y_(std::move(y)) {
  constexpr double kEdge = 8;
  svg.text(kEdge, 17, title, Anchor::start, "title");
  top_ = 26 + draw_legend(svg, kEdge, 26, size.width - kEdge, legend);
  svg.text(kEdge, top_ + 12, y_.title);
  top_ += 24;

  double widest = 0;
  for (const Tick& tick : y_.ticks) widest = std::max(widest, text_width(tick.label, kLabelSize));
  left_ = kEdge + widest + 5;
  width_ = size.width - kEdge - 4 - left_;
  height_ = size.height - (x_.title.empty() ? 22 : 38) - top_;

  // Labels of neighbouring ticks are a line of text apart, or every other one is left out.
  double last = 1e9;
  for (const Tick& tick : y_.ticks) {
    const double at = this->y(tick.value);
    svg.line(left_, at, right(), at, "grid");
    if (last - at < kLabelSize + 2) continue;
    svg.text(left_ - 5, at + 4, tick.label, Anchor::end);
    last = at;
  }
  for (const Tick& tick : ticks_with_room(x_, width_)) {
    const double at = this->x(tick.value);
    svg.line(at, bottom(), at, bottom() + 4, "axis");
    svg.text(at, bottom() + 16, tick.label, Anchor::middle);
  }
  svg.line(left_, bottom(), right(), bottom(), "axis");
  if (!x_.title.empty()) svg.text((left_ + right()) / 2, bottom() + 32, x_.title, Anchor::middle);
}

}  // namespace moetune
