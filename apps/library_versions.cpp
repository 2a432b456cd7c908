#include "apps/library_versions.h"

#include <archive.h>
#include <cairo.h>
#include <dnnl.h>
#include <fmt/format.h>
#include <gif_lib.h>
#include <gnu/libc-version.h>
#include <zlib.h>

#include <CLI/Version.hpp>
#include <Eigen/Core>
#include <nlohmann/json.hpp>

#include "apps/table.h"
#include "engine/backends/device/cuda_device.h"

#ifdef GNC_HAS_DOWNLOAD
#include <curl/curl.h>
#include <openssl/crypto.h>
#endif

namespace gnc {
namespace {

/// "12.4" for 12040.
std::string cuda_version(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

/// The word after the last blank: "libarchive 3.6.2" and "3.6.2" give 3.6.2.
std::string number_in(std::string_view text) { return std::string(text.substr(text.rfind(' ') + 1)); }

void add_cuda(TextTable& table) {
  const CudaStatus cuda = query_cuda();
  constexpr const char* kLicence = "NVIDIA's licence agreement";
  if (cuda.runtime_version == 0) return;
  table.add_row({"CUDA runtime", cuda_version(cuda.runtime_version), kLicence, "kernels on the GPU"});
  if (cuda.driver_version != 0)
    table.add_row({"CUDA of the driver", cuda_version(cuda.driver_version), kLicence, "the same"});
  for (const CudaLibrary& library : query_cuda_libraries()) {
    const char* purpose = library.name == "cuBLAS"  ? "matrix products"
                          : library.name == "cuDNN" ? "--conv cudnn and auto"
                                                    : "--profile";
    table.add_row({library.name, library.version.empty() ? "not found" : library.version, kLicence, purpose});
  }
}

}  // namespace

std::string version_text() {
  TextTable table({{"library", Align::kLeft},
                   {"version", Align::kLeft},
                   {"licence", Align::kLeft},
                   {"for", Align::kLeft}});
  const auto three = [](auto major, auto minor, auto patch) {
    return fmt::format("{}.{}.{}", major, minor, patch);
  };
  const dnnl_version_t* onednn = dnnl_version();
  table.add_row({"oneDNN", three(onednn->major, onednn->minor, onednn->patch), "Apache-2.0",
                 "convolutions on the processor"});
  table.add_row({"Eigen", three(EIGEN_WORLD_VERSION, EIGEN_MAJOR_VERSION, EIGEN_MINOR_VERSION), "MPL-2.0",
                 "small matrices"});
  table.add_row(
      {"fmt", three(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100), "MIT", "texts"});
  table.add_row({"CLI11", CLI11_VERSION, "BSD-3-Clause", "the command line"});
  table.add_row({"nlohmann-json",
                 three(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH),
                 "MIT", "JSON"});
  table.add_row({"libarchive", number_in(archive_version_string()), "BSD-2-Clause", "tar archives"});
  table.add_row({"zlib", zlibVersion(), "Zlib", "gzip"});
#ifdef GNC_HAS_DOWNLOAD
  table.add_row({"libcurl", curl_version_info(CURLVERSION_NOW)->version, "curl", "gnc data fetch"});
  table.add_row({"OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING), "Apache-2.0", "MD5 of downloads"});
#endif
  table.add_row({"stb_image", GNC_STB_IMAGE_VERSION, "MIT or public domain", "JPEG and PNG"});
  table.add_row({"stb_image_write", GNC_STB_IMAGE_WRITE_VERSION, "MIT or public domain", "JPEG and PNG"});
  table.add_row({"cairo", cairo_version_string(), "LGPL-2.1 or MPL-1.1", "figures"});
  table.add_row({"giflib", three(GIFLIB_MAJOR, GIFLIB_MINOR, GIFLIB_RELEASE), "MIT", "animations"});
  table.add_row({"Chart.js", GNC_CHART_JS_VERSION, "MIT", "reports (inlined)"});
  table.add_row({"libstdc++, libgomp", three(__GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__),
                 "GPL-3.0 with GCC runtime exception", "C++, threads"});
  table.add_row({"glibc", gnu_get_libc_version(), "LGPL-2.1", "the system"});
  add_cuda(table);
  std::string text = fmt::format("gnc {} (MIT)\n\n{}", GNC_VERSION, table.to_string());
  text.pop_back();  // CLI11 ends it with a line break of its own
  return text;
}

}  // namespace gnc
