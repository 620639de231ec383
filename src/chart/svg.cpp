#include "chart/svg.h"

#include <cctype>

#include <fmt/format.h>

#include "base/markup.h"
#include "base/resources.h"

namespace moetune {
namespace {

std::string_view to_string(Anchor anchor) {
  switch (anchor) {
    case Anchor::start:
      return "start";
    case Anchor::middle:
      return "middle";
    case Anchor::end:
      return "end";
  }
  return "start";
}

/// A tenth of a pixel is fine enough; nothing is said about what is not there.
std::string number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string class_attribute(std::string_view classes) {
  return classes.empty() ? "" : fmt::format(" class=\"{}\"", classes);
}

}  // namespace

double text_width(std::string_view text, double font_size) {
  double width = 0;
  for (const char c : text) {
    if ((c & 0xC0) == 0x80) continue;  // inside a character of UTF-8
    if (std::string_view("iljtfrI.,:;|'![]() ").find(c) != std::string_view::npos)
      width += 0.4;
    else if (std::string_view("mwMW%@").find(c) != std::string_view::npos)
      width += 0.92;
    else
      width += std::isupper(static_cast<unsigned char>(c)) ? 0.72 : 0.62;
  }
  return width * font_size;
}

Svg::Svg(double width, double height, std::string_view name)
    : text_(fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"{0}\" height=\"{1}\" "
                        "viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"{2}\">\n",
                        number(width), number(height), escape_markup(name))) {}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view classes) {
  text_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}/>\n", number(x1), number(y1), number(x2),
                       number(y2), class_attribute(classes));
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view classes, const Hint& hint,
                    double opacity) {
  mark(fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}{}", number(x), number(y), number(width),
                   number(height), class_attribute(classes),
                   opacity < 1 ? fmt::format(" fill-opacity=\"{:.2f}\"", opacity) : ""),
       hint);
}

void Svg::circle(double x, double y, double radius, std::string_view classes, const Hint& hint) {
  mark(fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"{}", number(x), number(y), number(radius),
                   class_attribute(classes)),
       hint);
}

void Svg::diamond(double x, double y, double radius, std::string_view classes, const Hint& hint) {
  mark(fmt::format("<path d=\"M{} {}l{} {}l{} {}l{} {}z\"{}", number(x), number(y - radius), number(radius),
                   number(radius), number(-radius), number(radius), number(-radius), number(-radius),
                   class_attribute(classes)),
       hint);
}

void Svg::path(std::string_view points, std::string_view classes) {
  text_ += fmt::format("<path d=\"{}\"{}/>\n", points, class_attribute(classes));
}

void Svg::text(double x, double y, std::string_view text, Anchor anchor, std::string_view classes) {
  text_ += fmt::format("<text x=\"{}\" y=\"{}\"{}{}>{}</text>\n", number(x), number(y),
                       anchor == Anchor::start ? "" : fmt::format(" text-anchor=\"{}\"", to_string(anchor)),
                       class_attribute(classes), escape_markup(text));
}

void Svg::mark(const std::string& element, const Hint& hint) {
  if (!hint.href.empty()) text_ += fmt::format("<a href=\"{}\">", escape_markup(hint.href));
  const std::string name = element.substr(1, element.find(' ') - 1);
  text_ += hint.text.empty() ? element + "/>"
                             : fmt::format("{}><title>{}</title></{}>", element, escape_markup(hint.text), name);
  text_ += hint.href.empty() ? "\n" : "</a>\n";
}

std::string Svg::str() const {
  return text_ + "</svg>\n";
}

std::string_view chart_style() {
  return resource("src/chart/chart.css");
}

std::string standalone_svg(std::string_view chart) {
  const auto end_of_tag = chart.find('>') + 1;
  // Links lead into the page that the chart was made for.
  std::string body(chart.substr(end_of_tag));
  for (auto at = body.find("<a href"); at != body.npos; at = body.find("<a href", at))
    body.erase(at, body.find('>', at) + 1 - at);
  for (auto at = body.find("</a>"); at != body.npos; at = body.find("</a>", at)) body.erase(at, 4);
  return fmt::format("{}\n<style>{}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}",
                     chart.substr(0, end_of_tag), chart_style(), body);
}

}  // namespace moetune
