#include "apps/report/run_records.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <set>

#include "apps/config_file.h"
#include "engine/error.h"
#include "engine/file.h"
#include "models/json_object.h"
#include "models/npy.h"

namespace gnc {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Null where there is no such file.
Json read_json(const fs::path& file) {
  if (!fs::exists(file)) return nullptr;
  return parse_json_object(read_file(file), file.string());
}

/// Empty where there is no such file.
Eigen::MatrixXd read_matrix(const fs::path& file) {
  if (!fs::exists(file)) return {};
  return parse_npy(read_file(file), file.string());
}

/// The matrix of a run of `classes` classes; throws FileError for another number of columns.
Eigen::MatrixXd read_matrix(const fs::path& file, Eigen::Index classes) {
  Eigen::MatrixXd matrix = read_matrix(file);
  require<FileError>(matrix.size() == 0 || classes == 0 || matrix.cols() == classes,
                     "{}: {} columns; expected one for each of the {} classes", file.string(), matrix.cols(),
                     classes);
  return matrix;
}

/// Those of a config.toml; none where there is no such file.
std::vector<std::pair<std::string, std::string>> read_group_settings(const fs::path& file) {
  std::vector<std::pair<std::string, std::string>> settings;
  if (!fs::exists(file)) return settings;
  for (const Setting& setting : read_settings(file))
    settings.emplace_back(setting.name, fmt::format("{}", fmt::join(setting.values, ", ")));
  return settings;
}

bool is_run(const fs::path& directory) {
  return fs::exists(directory / "metrics.csv") || fs::exists(directory / "result.json");
}

RunRecord read_run(const fs::path& directory) {
  RunRecord run;
  run.directory = directory;
  run.name = directory.filename().string();
  for (const auto& [table, name] :
       {std::pair(&RunRecord::metrics, "metrics.csv"), std::pair(&RunRecord::layers, "layers.csv"),
        std::pair(&RunRecord::features, "features.csv")})
    if (fs::exists(directory / name)) run.*table = read_csv(directory / name);
  run.result = read_json(directory / "result.json");
  if (run.is_finished()) {
    try {
      const Json settings = run.result.value("settings", Json::object());
      run.transformation = settings.value("transformation", "");
      if (settings.contains("seed"))
        run.seed = integer_at<std::uint64_t>(settings, "seed", (directory / "result.json").string());
    } catch (const Json::exception& error) {
      throw FileError(fmt::format("{}: its settings are not those of a run: {}",
                                  (directory / "result.json").string(), error.what()));
    }
  }
  run.frame = read_matrix(directory / "frame.npy");
  run.class_means = read_matrix(directory / "class_means.npy", run.frame.cols());
  run.margins = read_matrix(directory / "margins.npy", run.frame.cols());
  run.confusion = read_matrix(directory / "confusion.npy", run.frame.cols());
  return run;
}

RunGroup read_group(const fs::path& given) {
  const fs::path directory = fs::absolute(given).lexically_normal();
  RunGroup group;
  group.directory = given;
  group.name = directory.filename().string();
  if (group.name.empty()) group.name = directory.parent_path().filename().string();
  const fs::path config = directory / "config.toml";
  group.settings = read_group_settings(config);
  if (is_run(directory)) {
    group.vary = "single";
    group.planned = 1;
    group.runs.push_back(read_run(directory));
    group.runs.back().name = group.name;
    return group;
  }
  require<FileError>(fs::is_directory(directory),
                     "{}: no such folder; expected one that gnc train or gnc sweep wrote", given.string());
  require<FileError>(fs::exists(config),
                     "{}: holds neither a run nor a sweep (no metrics.csv, no config.toml)", given.string());
  group.vary = group.setting("vary");
  const std::string frames = group.setting("frames");
  require<FileError>(!group.vary.empty() && !frames.empty() && frames.size() < 7 &&
                         std::ranges::all_of(frames, [](char c) { return c >= '0' && c <= '9'; }),
                     "{}: has no 'vary' and 'frames'; expected the settings of a sweep", config.string());
  group.planned = std::stoi(frames);
  for (int i = 0; i < group.planned; ++i) {
    const fs::path run = directory / fmt::format("run-{:02}", i);
    if (fs::exists(run / "config.toml")) group.runs.push_back(read_run(run));
  }
  return group;
}

}  // namespace

double RunRecord::number(const std::string& key) const {
  for (const Json* json : {&result, &derived}) {
    if (!json->is_object()) continue;
    const auto found = json->find(key);
    if (found != json->end() && found->is_number()) return found->get<double>();
  }
  return std::numeric_limits<double>::quiet_NaN();
}

void add_similarity_alignment(std::span<RunGroup> groups, const Eigen::MatrixXd& similarity) {
  for (RunGroup& group : groups)
    for (RunRecord& run : group.runs) {
      if (run.frame.cols() != similarity.cols()) continue;
      const Eigen::MatrixXd unit = run.frame.colwise().normalized();
      double sum = 0;
      for (Eigen::Index j = 1; j < unit.cols(); ++j)
        for (Eigen::Index i = 0; i < j; ++i) sum += similarity(i, j) * unit.col(i).dot(unit.col(j));
      run.derived["similarity_alignment"] = sum;
    }
}

std::string RunGroup::setting(std::string_view key) const {
  for (const auto& [setting_name, value] : settings)
    if (setting_name == key) return value;
  return {};
}

bool RunGroup::is_finished() const {
  return static_cast<int>(runs.size()) == planned && std::ranges::all_of(runs, &RunRecord::is_finished);
}

std::vector<RunGroup> read_run_groups(std::span<const std::string> directories) {
  std::vector<RunGroup> groups;
  std::set<std::string> names;
  for (const std::string& directory : directories) {
    groups.push_back(read_group(directory));
    RunGroup& group = groups.back();
    const std::string plain = group.name;
    for (int copy = 2; !names.insert(group.name).second; ++copy)
      group.name = fmt::format("{} ({})", plain, copy);
  }
  return groups;
}

}  // namespace gnc
