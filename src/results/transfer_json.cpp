#include "results/transfer_json.h"

#include <nlohmann/json.hpp>

#include "results/json.h"

namespace moetune {
namespace {

void append_regret(Json& json, const Transfer& transfer) {
  if (transfer.regret) {
    json["regret"] = transfer.regret->value;
    json["ci_low"] = transfer.regret->low;
    json["ci_high"] = transfer.regret->high;
  } else {
    json["regret"] = nullptr;
    json["reason"] = transfer.reason;
  }
}

void read_regret(const Field& field, Transfer& transfer) {
  if (const auto regret = field.find("regret"))
    transfer.regret = {
        .value = regret->finite(), .low = field.at("ci_low").finite(), .high = field.at("ci_high").finite()};
  else
    transfer.reason = field.at("reason").text();
}

std::int64_t read_M(const Field& field) {
  const std::int64_t M = field.integer();
  if (M < 1) field.fail("must be 1 or more");
  return M;
}

}  // namespace

Json to_json(const Transfers& transfers) {
  Json list = Json::array();
  for (const Transfer& transfer : transfers.of) {
    list.push_back({{"impl", std::string(to_string(transfer.impl))}, {"tuned_M", transfer.tuned_M}});
    append_regret(list.back(), transfer);
  }
  return {{"problem", to_json(transfers.problem)}, {"transfers", std::move(list)}};
}

Transfers read_transfers(const Field& field) {
  Transfers transfers{.problem = read_problem(field.at("problem")), .of = {}};
  for (const Field& each : field.at("transfers").elements()) {
    Transfer transfer{
        .impl = each.at("impl").text_as(parse_impl), .tuned_M = read_M(each.at("tuned_M")), .M = transfers.problem.M};
    read_regret(each, transfer);
    transfers.of.push_back(std::move(transfer));
  }
  return transfers;
}

Json bucket_transfer_json(const Best& best) {
  Json list = Json::array();
  for (const Transfer& transfer : best.bucket_transfer) {
    list.push_back({{"M", transfer.M}});
    append_regret(list.back(), transfer);
    list.back()["served"] = transfer.served;
  }
  return list;
}

std::vector<Transfer> read_bucket_transfer(const Field& field, const Best& best) {
  std::vector<Transfer> transfers;
  for (const Field& each : field.elements()) {
    Transfer transfer{.impl = best.config.impl, .tuned_M = best.problem.M, .M = read_M(each.at("M"))};
    read_regret(each, transfer);
    transfer.served = each.at("served").boolean();
    transfers.push_back(std::move(transfer));
  }
  return transfers;
}

}  // namespace moetune
