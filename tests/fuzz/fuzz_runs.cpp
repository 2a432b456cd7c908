/// Readers of what gnc itself writes, or others in its place: weights, frames, settings, tables, results.

#include <array>
#include <cstdlib>
#include <string>

#include "apps/config_file.h"
#include "apps/report/run_records.h"
#include "engine/checkpoint.h"
#include "engine/csv.h"
#include "engine/error.h"
#include "models/frame_sidecar.h"
#include "models/npy.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/targets.h"
#include "tests/support/temp_dir.h"

namespace gnc::tests {
FuzzAnswer fuzz_safetensors(std::string_view bytes) {
  static const MemoryFile file;
  file.set(bytes);
  return read_or_refuse([] { load_safetensors(file.path()); });
}

FuzzAnswer fuzz_npy(std::string_view bytes) {
  return read_or_refuse([&] { parse_npy(bytes, "matrix.npy"); });
}

FuzzAnswer fuzz_sidecar(std::string_view bytes) {
  static const std::string npy = format_npy(Eigen::MatrixXd::Identity(2, 2));
  std::string problem;
  const bool is_read = parse_sidecar(bytes, "frame.json", npy, problem).has_value();
  if (!is_read && problem.empty()) std::abort();
  return is_read ? FuzzAnswer::kRead : FuzzAnswer::kRefused;
}

FuzzAnswer fuzz_toml(std::string_view bytes) {
  static const MemoryFile file;
  file.set(bytes);
  return read_or_refuse([] {
    for (const Setting& setting : read_settings(file.path()))
      for (const std::string& value : setting.values) as_toml(value);
  });
}

FuzzAnswer fuzz_csv(std::string_view bytes) {
  return read_or_refuse([&] {
    const CsvTable table = parse_csv(bytes, "table.csv");
    for (int row = 0; row < table.size(); ++row)
      for (const std::string& column : table.header()) {
        read_or_refuse([&] { table.number(row, column); });
        read_or_refuse([&] { table.integer(row, column); });
      }
    // What was read is written, and reads back as itself.
    if (parse_csv(table.to_string(), "again.csv").to_string() != table.to_string()) std::abort();
  });
}

FuzzAnswer fuzz_run(std::string_view bytes) {
  constexpr std::array kNames = {"result.json", "metrics.csv", "features.csv", "frame.npy", "confusion.npy"};
  static const TempDir folder;
  static const std::array<MemoryFile, kNames.size()> files;
  static const bool is_linked = [&] {
    for (std::size_t i = 0; i < kNames.size(); ++i)
      std::filesystem::create_symlink(files[i].path(), folder / kNames[i]);
    return true;
  }();
  static_cast<void>(is_linked);
  const auto parts = parts_of(bytes, kNames.size());
  for (std::size_t i = 0; i < kNames.size(); ++i) files[i].set(parts[i]);
  return read_or_refuse([] {
    const std::string directory = folder.path();
    read_run_groups({&directory, 1});
  });
}

}  // namespace gnc::tests
