#include "chart/svg.h"

#include <gtest/gtest.h>

#include "base/markup.h"

namespace moetune {
namespace {

TEST(Svg, TextIsEscaped) {
  EXPECT_EQ(escape_markup("a < b & \"c\" > d\x01"), "a &lt; b &amp; &quot;c&quot; &gt; d");
  Svg svg(10, 10, "<name>");
  svg.text(1, 2, "x < y");
  svg.circle(1, 2, 3, "mark c1", {.text = "\"hint\"", .href = "#row-1"});
  EXPECT_EQ(
      svg.str(),
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" width=\"10\" height=\"10\" viewBox=\"0 0 10 10\" "
      "role=\"img\" aria-label=\"&lt;name&gt;\">\n"
      "<text x=\"1\" y=\"2\">x &lt; y</text>\n"
      "<a href=\"#row-1\"><circle cx=\"1\" cy=\"2\" r=\"3\" class=\"mark c1\"><title>&quot;hint&quot;</title></circle>"
      "</a>\n</svg>\n");
}

TEST(Svg, AFileOfItsOwnHasRulesAndNoLinks) {
  Svg svg(10, 10, "name");
  svg.circle(1, 2, 3, "mark c1", {.text = "hint", .href = "#row-1"});
  const std::string file = standalone_svg(svg.str());
  EXPECT_EQ(file.find("<a "), std::string::npos);
  EXPECT_EQ(file.find("</a>"), std::string::npos);
  EXPECT_NE(file.find("svg.chart"), std::string::npos);
  EXPECT_NE(file.find("<title>hint</title>"), std::string::npos);
}

TEST(Svg, WidthsGrowWithTheText) {
  EXPECT_EQ(text_width("", 12), 0);
  EXPECT_GT(text_width("WWW", 12), text_width("iii", 12));
  EXPECT_DOUBLE_EQ(text_width("µ", 10), text_width("a", 10)) << "characters, not bytes";
  EXPECT_DOUBLE_EQ(text_width("abc", 24), 2 * text_width("abc", 12));
}

}  // namespace
}  // namespace moetune
