/// gnc doctor: what this machine can do, and what is missing.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "apps/commands/commands.h"
#include "apps/measure/ceilings.h"
#include "apps/measure/machine.h"
#include "apps/options.h"
#include "apps/table.h"

namespace gnc {
namespace {

struct DoctorCommand {
  CommonOptions common;
  bool measures = false;
};

/// Something that is not there, and what it would bring.
struct Missing {
  std::string what;
  std::string brings;
};

/// Ceilings of a device, or why there are none.
struct MeasuredDevice {
  std::string device;
  std::string precision;
  std::optional<Ceilings> ceilings;
  std::string reason;
};

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

std::string gibibytes(std::size_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

bool has(const Machine& machine, std::string_view feature) {
  return std::find(machine.features.begin(), machine.features.end(), feature) != machine.features.end();
}

std::vector<Missing> missing_of(const Machine& machine) {
  std::vector<Missing> missing;
  if (!machine.cuda.is_usable)
    missing.push_back({machine.cuda.reason,
                       "the backend cuda: training on the GPU, and --precision tf32 and bf16 at speed"});
  constexpr std::pair<std::string_view, std::string_view> kBrings[] = {
      {"cuBLAS", "matrix products of linear layers; without it gnc's own kernel computes them"},
      {"cuDNN", "--conv cudnn and --conv auto, and the convolution to set gnc's own beside"},
      {"CUPTI", "the kernels in the timeline of gnc train --profile"}};
  for (const CudaLibrary& library : machine.cuda_libraries)
    for (const auto& [name, brings] : kBrings)
      if (machine.cuda.runtime_version != 0 && library.name == name && library.version.empty())
        missing.push_back({library.reason, std::string(brings)});
  if (!has(machine, "avx2") && !has(machine, "asimd"))
    missing.push_back(
        {"the processor has no AVX2", "vectors of eight floats in the loops of the backend cpu"});
  if (!has(machine, "avx512f") && has(machine, "avx2"))
    missing.push_back({"the processor has no AVX-512",
                       "oneDNN's kernels for vectors of sixteen floats, for convolutions and products"});
  return missing;
}

std::vector<MeasuredDevice> measure(const Machine& machine) {
  std::vector<MeasuredDevice> measured;
  const auto add = [&](const std::string& device, Precision precision) {
    MeasuredDevice entry{
        .device = device, .precision = std::string(to_string(precision)), .ceilings = {}, .reason = {}};
    try {
      entry.ceilings = measure_ceilings(device, precision);
    } catch (const BackendError& error) {
      entry.reason = error.what();
    }
    measured.push_back(std::move(entry));
  };
  add("cpu", Precision::kFp32);
  if (!machine.cuda.is_usable) return measured;
  for (const Precision precision : {Precision::kFp32, Precision::kTf32, Precision::kBf16})
    add("cuda", precision);
  return measured;
}

void print(const Machine& machine, const std::vector<MeasuredDevice>& measured, bool measures) {
  const CudaStatus& cuda = machine.cuda;
  std::vector<std::pair<std::string, std::string>> rows = {
      {"processor", machine.processor},
      {"threads", std::to_string(machine.threads)},
      {"features", fmt::format("{}", fmt::join(machine.features, " "))},
      {"memory", gibibytes(machine.memory_bytes)},
      {"last-level caches",
       machine.last_cache_bytes == 0
           ? "unknown"
           : fmt::format("{:.1f} MiB", static_cast<double>(machine.last_cache_bytes) / (1 << 20))},
      {"oneDNN", fmt::format("{}, kernels for {}", machine.onednn, machine.onednn_isa)},
      {"built with", machine.compiler},
      {"GPU", cuda.is_usable
                  ? fmt::format("{}, compute capability {}.{}, {}", cuda.name, cuda.capability_major,
                                cuda.capability_minor, gibibytes(cuda.memory_bytes))
                  : "none to use"},
      {"driver", machine.driver.empty() ? "none" : machine.driver},
      {"CUDA",
       cuda.runtime_version == 0
           ? "built without"
           : fmt::format(
                 "built with {}{}", version_text(cuda.runtime_version),
                 cuda.driver_version == 0 ? "" : ", driver takes " + version_text(cuda.driver_version))}};
  if (!machine.clocks.empty()) rows.emplace_back("clocks", machine.clocks);
  for (const CudaLibrary& library : machine.cuda_libraries)
    rows.emplace_back(library.name, library.version.empty()
                                        ? machine.cuda.runtime_version == 0 ? "built without" : "not there"
                                        : library.version);
  rows.emplace_back("backends", fmt::format("{}", fmt::join(available_backends(), " ")));
  for (const MeasuredDevice& device : measured) {
    const std::string name = fmt::format("ceilings of {}, {}", device.device, device.precision);
    rows.emplace_back(name, device.ceilings ? fmt::format("copy {:.1f} GB/s, matrix product {:.1f} GFLOP/s",
                                                          1e-9 * device.ceilings->bytes_per_second,
                                                          1e-9 * device.ceilings->flops_per_second)
                                            : "not measured: " + device.reason);
  }
  if (!measures) rows.emplace_back("ceilings", "not measured (--measure)");
  print_settings(rows);
  const std::vector<Missing> missing = missing_of(machine);
  fmt::print("\n{}\n", missing.empty() ? "Nothing is missing." : "Missing:");
  for (const Missing& item : missing) fmt::print("- {}\n  it would bring: {}\n", item.what, item.brings);
}

nlohmann::ordered_json result_of(const Machine& machine, const std::vector<MeasuredDevice>& measured) {
  nlohmann::ordered_json json = to_json(machine);
  json["backends"] = available_backends();
  json["missing"] = nlohmann::ordered_json::array();
  for (const Missing& item : missing_of(machine))
    json["missing"].push_back({{"what", item.what}, {"brings", item.brings}});
  json["ceilings"] = nlohmann::ordered_json::array();
  for (const MeasuredDevice& device : measured) {
    nlohmann::ordered_json entry = {{"device", device.device}, {"precision", device.precision}};
    if (device.ceilings) {
      entry["copy_bytes_per_second"] = device.ceilings->bytes_per_second;
      entry["gemm_flops_per_second"] = device.ceilings->flops_per_second;
    } else {
      entry["reason"] = device.reason;
    }
    json["ceilings"].push_back(std::move(entry));
  }
  return json;
}

void run_doctor(const DoctorCommand& command) {
  use_threads(command.common);
  const Machine machine = inspect_machine();
  const std::vector<MeasuredDevice> measured =
      command.measures ? measure(machine) : std::vector<MeasuredDevice>();
  if (command.common.is_json)
    print_json(result_of(machine, measured));
  else
    print(machine, measured, command.measures);
}

}  // namespace

void add_doctor_command(CLI::App& app) {
  CLI::App* doctor = app.add_subcommand("doctor", "What this machine can do, and what is missing");
  const auto command = std::make_shared<DoctorCommand>();
  doctor->add_flag(
      "--measure", command->measures,
      "Measure what memory and arithmetic can do at most: a large copy and a large matrix product");
  add_threads_option(*doctor, command->common);
  add_json_option(*doctor, command->common);
  doctor->callback([command] { run_doctor(*command); });
}

}  // namespace gnc
