#include "apps/run_directory.h"

#include "apps/options.h"
#include "engine/file.h"
#include "models/frame_io.h"
#include "models/json_object.h"
#include "models/npy.h"

namespace gnc {
namespace {

/// All that is written here.
constexpr std::string_view kFiles[] = {"config.toml",   "frame.npy",       "frame.json",
                                       "metrics.csv",   "layers.csv",      "checkpoint.safetensors",
                                       "seconds.json",  "class_means.npy", "margins.npy",
                                       "confusion.npy", "features.csv",    "result.json"};

}  // namespace

std::vector<std::string> metrics_header(const EpochMetrics& metrics) {
  std::vector<std::string> header = {"epoch", "lr", "train_ce", "train_accuracy", "test_ce", "test_accuracy"};
  for (std::string& name : metrics.names(Split::kTrain)) header.push_back(std::move(name));
  for (const std::string& name : metrics.names(Split::kTest)) header.push_back("test_" + name);
  return header;
}

void RunDirectory::require_held() const {
  if (lock_) lock_->require_held();
}

const KnownFolder* RunDirectory::held() const {
  require_held();
  return lock_ ? &lock_->folder() : nullptr;
}

void RunDirectory::write(const std::filesystem::path& file, std::string_view bytes) const {
  write_atomically(file, bytes, held());
}

void RunDirectory::write_table(const char* name, const CsvTable& table) const {
  table.write(path_ / name, held());
}

bool RunDirectory::is_in_use() const {
  for (const char* name : {"config.toml", "checkpoint.safetensors", "result.json"})
    if (std::filesystem::exists(path_ / name)) return true;
  return false;
}

void RunDirectory::check_settings(const std::filesystem::path& file, const nlohmann::ordered_json& stored,
                                  const nlohmann::ordered_json& settings) const {
  require<FileError>(stored.is_object(), "{}: has no settings; not written by this version of gnc",
                     file.string());
  for (const auto& [key, value] : settings.items()) {
    require<FileError>(stored.contains(key),
                       "{}: its settings have no '{}'; not written by this version of gnc", file.string(),
                       key);
    require<FileError>(stored[key] == value,
                       "{}: was made with {} = {}, but now {} = {}; give the same settings or another --out",
                       file.string(), key, to_text(stored[key]), key, to_text(value));
  }
}

std::optional<nlohmann::ordered_json> RunDirectory::result(const nlohmann::ordered_json& settings) const {
  const std::filesystem::path file = path_ / "result.json";
  if (!std::filesystem::exists(file)) return std::nullopt;
  nlohmann::ordered_json result = parse_json_object(read_file(file), file.string());
  check_settings(file, result.value("settings", nlohmann::ordered_json()), settings);
  for (const char* key : {"train_ce", "train_accuracy", "test_ce", "test_accuracy", "seconds"})
    require<FileError>(result.contains(key) && result[key].is_number(), "{}: expected \"{}\" and a number",
                       file.string(), key);
  return result;
}

Position RunDirectory::position(const nlohmann::ordered_json& settings) const {
  const std::filesystem::path file = checkpoint_path();
  if (!std::filesystem::exists(file)) return {};
  const StateInfo info = read_state_info(file);
  const auto stored = info.metadata.find("settings");
  check_settings(file,
                 stored == info.metadata.end() ? nlohmann::ordered_json()
                                               : parse_json_object(stored->second, file.string()),
                 settings);
  return info.position;
}

void RunDirectory::begin(const std::string& config, const std::optional<Frame>& frame) const {
  // Another process may have taken a new folder, and be done with it.
  if (lock_ && lock_->renew())
    require<FileError>(!is_in_use(), "{}: was replaced by another run before this one began", path_.string());
  make_writable_directory(path_);
  remove_leftovers(path_, kFiles);
  if (frame) write_classifier(*frame);
  write(path_ / "config.toml", config);
}

void RunDirectory::write_classifier(const Frame& classifier) const {
  write_frame(path_ / "frame.npy", classifier, held());
}

CsvTable RunDirectory::read_metrics(int epochs, const std::vector<std::string>& header) const {
  CsvTable table(header);
  if (epochs == 0) return table;
  const std::filesystem::path file = path_ / "metrics.csv";
  const CsvTable stored = read_csv(file);
  stored.expect_header(table.header());
  require<FileError>(stored.size() >= epochs, "{}: has {} epochs, but the checkpoint beside it has {}",
                     file.string(), stored.size(), epochs);
  for (int row = 0; row < epochs; ++row) table.add_row(stored.row(row));
  return table;
}

CsvTable RunDirectory::read_layers(int epochs) const {
  CsvTable table(layers_header());
  if (epochs == 0) return table;
  const std::filesystem::path file = path_ / "layers.csv";
  const CsvTable stored = read_csv(file);
  stored.expect_header(table.header());
  const auto epoch_of = [&](int row) { return stored.integer(row, "epoch"); };
  const auto wanted = static_cast<std::uint64_t>(epochs);
  require<FileError>(stored.size() > 0 && epoch_of(stored.size() - 1) >= wanted,
                     "{}: ends before epoch {}, which the checkpoint beside it has", file.string(), epochs);
  for (int row = 0; row < stored.size() && epoch_of(row) <= wanted; ++row) table.add_row(stored.row(row));
  return table;
}

void RunDirectory::save_checkpoint(Trainer& trainer, int run, const nlohmann::ordered_json& settings,
                                   double seconds) const {
  write(seconds_path(), to_text({{"seconds", seconds}}) + "\n");
  save_state(checkpoint_path(), trainer, run, {{"settings", to_text(settings)}}, held());
}

double RunDirectory::load_checkpoint(Trainer& trainer, int run) const {
  require_held();
  remove_leftovers(path_, kFiles);
  const Position at = load_state(checkpoint_path(), trainer, run).position;
  const int epochs = trainer.settings().epochs, steps = trainer.steps_per_epoch();
  require<FileError>(at.step < steps && (at.epoch < epochs || (at.epoch == epochs && at.step == 0)),
                     "{}: the metadata say epoch {}, step {}; expected a place within {} epochs of {} steps",
                     checkpoint_path().string(), at.epoch, at.step, epochs, steps);
  const std::filesystem::path file = seconds_path();
  if (!std::filesystem::exists(file)) return 0;
  const nlohmann::ordered_json json = parse_json_object(read_file(file), file.string());
  const auto seconds = json.find("seconds");
  require<FileError>(seconds != json.end() && seconds->is_number() && seconds->get<double>() >= 0,
                     "{}: expected \"seconds\" and a number from 0; without the file they are counted from 0",
                     file.string());
  return seconds->get<double>();
}

void RunDirectory::write_matrices(const RunMatrices& matrices) const {
  if (matrices.class_means.size() > 0) write(path_ / "class_means.npy", format_npy(matrices.class_means));
  if (matrices.margins.size() > 0) write(path_ / "margins.npy", format_npy(matrices.margins));
  write(path_ / "confusion.npy", format_npy(matrices.confusion));
}

void RunDirectory::write_result(const nlohmann::ordered_json& result) const {
  write(path_ / "result.json", to_text(result, 2) + "\n");
  remove_file(seconds_path(), held());  // the result has them
}

}  // namespace gnc
