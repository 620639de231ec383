// Bucket transfer as JSON and back: a line of the journal, and a part of a best config's record.
#pragma once

#include "measure/trial.h"
#include "results/json_field.h"

namespace moetune {

/// {"problem": …, "transfers": [{"impl": …, "tuned_M": …, "regret": …, "ci_low": …, "ci_high": …}, …]}; where there is
/// no regret it is null, and a "reason" stands in place of the interval.
Json to_json(const Transfers& transfers);
/// Throws Error naming the file, the line and the field.
Transfers read_transfers(const Field& field);

/// Best::bucket_transfer: [{"M": …, "regret": …, "ci_low": …, "ci_high": …, "served": …}, …]
Json bucket_transfer_json(const Best& best);
/// `best` says which config it is of. Throws Error likewise.
std::vector<Transfer> read_bucket_transfer(const Field& field, const Best& best);

}  // namespace moetune
