// Records as JSON and back. The fields are described in results/README.md.
#pragma once

#include "measure/trial.h"
#include "results/environment.h"
#include "results/json_field.h"

namespace moetune {

/// Readers take files of the same major version; a minor version only adds fields.
inline constexpr std::string_view kSchemaVersion = "1.7";
/// Throws Error where `document`'s "schema" is another or its "schema_version" cannot be read by this version.
void check_schema(const Field& document, std::string_view schema);

Json to_json(const Problem& problem);
Json to_json(const Config& config);
Json to_json(const StageConfig& config);
Json to_json(const PipelineConfig& config);  ///< {"impl": …, "stages": {"gate": {"engine": …, "config": {…}}, …}}
Json to_json(const DataSpec& data);
Json to_json(const TimingOptions& timing);
Json to_json(const Verdict& verdict);
Json to_json(const Summary& summary);
Json to_json(const Ratio& ratio);
Json to_json(const Ceilings& ceilings);
Json to_json(const DeviceInfo& device);
Json to_json(const Environment& environment);
/// These two carry a "repro" command line for the device that they were measured on.
Json to_json(const Trial& trial, std::string_view device_id);
Json to_json(const Best& best, std::string_view device_id);

// Each throws Error naming the file, the line and the field.
Problem read_problem(const Field& field);
Config read_config(const Field& field);
StageConfig read_stage_config(const Field& field);
PipelineConfig read_pipeline_config(const Field& field);
DataSpec read_data(const Field& field);
TimingOptions read_timing(const Field& field);
Verdict read_verdict(const Field& field);
Summary read_summary(const Field& field);
Ratio read_ratio(const Field& field);
Ceilings read_ceilings(const Field& field);
DeviceInfo read_device(const Field& field);
Environment read_environment(const Field& field);
Trial read_trial(const Field& field);
Best read_best(const Field& field);

}  // namespace moetune
