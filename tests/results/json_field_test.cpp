#include "results/json_field.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "temporary_folder.h"

namespace moetune {
namespace {

const Origin kOrigin{.file = "some.jsonl", .line = 12};

TEST(JsonField, ReadsValues) {
  const Json json = parse_json(R"({"a": {"b": [1, 2.5, "x", true, "nan", "-inf"]}, "n": null})", kOrigin);
  const Field root(json, kOrigin);
  const auto elements = root.at("a").at("b").elements();
  EXPECT_EQ(elements[0].integer(), 1);
  EXPECT_EQ(elements[0].number(), 1.0);
  EXPECT_EQ(elements[1].number(), 2.5);
  EXPECT_EQ(elements[2].text(), "x");
  EXPECT_TRUE(elements[3].boolean());
  EXPECT_TRUE(std::isnan(elements[4].number()));
  EXPECT_EQ(elements[5].number(), -INFINITY);
  EXPECT_FALSE(root.find("n"));
  EXPECT_FALSE(root.find("missing"));
}

TEST(JsonField, ErrorsNameFileLineAndField) {
  const Json json = parse_json(R"({"a": {"b": [1, 2.5, "many", -1, 18446744073709551615, "nan"]}})", kOrigin);
  const Field root(json, kOrigin);
  const auto elements = root.at("a").at("b").elements();
  EXPECT_ERROR(elements[1].integer(), "some.jsonl:12: 'a.b[1]' must be an integer, not 2.5");
  EXPECT_ERROR(elements[2].number(), "'a.b[2]' must be a number, not \"many\"");
  EXPECT_ERROR(elements[3].unsigned_integer(), "an integer of 0 or more, not -1");
  EXPECT_EQ(elements[4].unsigned_integer(), 18446744073709551615ull);
  EXPECT_ERROR(elements[4].integer(), "below 2^63");
  EXPECT_ERROR(elements[4].small_integer(), "below 2^63");
  EXPECT_ERROR(elements[5].finite(), "a finite number");
  EXPECT_ERROR(root.at("a").at("c"), "'a.c' is missing");
  EXPECT_ERROR(root.at("a").elements(), "'a' must be an array");
  EXPECT_ERROR(elements[0].at("x"), "must be an object");
  EXPECT_ERROR(elements[2].text_as([](std::string_view) -> int { throw Error("what is that"); }),
               "some.jsonl:12: 'a.b[2]': what is that");
}

TEST(JsonField, SyntaxErrorsAreOneLineWithTheirPlace) {
  EXPECT_ERROR(parse_json("{\"a\": ", kOrigin), "some.jsonl:12: no valid JSON");
  EXPECT_ERROR(parse_json("{\n  \"a\": oops\n}", (Origin{.file = "x.json", .line = 0})),
               "x.json:2: no valid JSON (column ");
  EXPECT_ERROR(parse_json("[1,\n1e999]", (Origin{.file = "x.json", .line = 0})),
               "x.json: a number is larger than 1e308");
  EXPECT_ERROR(parse_json("", kOrigin), "no valid JSON");
  EXPECT_ERROR(parse_json(std::string_view("\"\xff\"", 3), kOrigin), "no valid JSON");
}

}  // namespace
}  // namespace moetune
