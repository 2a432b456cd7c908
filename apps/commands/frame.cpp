/// gnc frame generate|transform|info: frames as files, with a certificate.

#include <filesystem>
#include <memory>

#include "apps/commands/commands.h"
#include "apps/commands/frame.h"
#include "apps/frame_pictures.h"
#include "apps/frame_report_view.h"
#include "apps/options.h"
#include "apps/output_path.h"
#include "apps/progress.h"
#include "apps/stop_signal.h"
#include "apps/table.h"
#include "engine/error.h"
#include "models/frame_equivalence.h"
#include "models/frame_generate.h"
#include "models/frame_geometry.h"
#include "models/frame_io.h"

namespace gnc {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

void add_generate(CLI::App& frame) {
  struct Settings {
    CommonOptions common;
    FrameOptions frame;
    FramePictures pictures;
    std::string out;
  };
  const auto settings = std::make_shared<Settings>();
  FrameOptions& options = settings->frame;
  CLI::App* app = frame.add_subcommand("generate", "A Grassmannian frame and its certificate");
  app->add_option("--classes", options.classes, "Number of vectors C")->required()->type_name("C");
  app->add_option("--dim", options.dim, "Their dimension d")->required()->type_name("d");
  add_choice_option<FrameObjective>(
      *app, "--objective", options.objective,
      {{"signed", FrameObjective::kSigned}, {"absolute", FrameObjective::kAbsolute}},
      "What to minimise the largest of: <m_i,m_j> (points), or |<m_i,m_j>| (lines)");
  add_choice_option<FrameMethod>(
      *app, "--method", options.method,
      {{"best", FrameMethod::kBest}, {"equation3", FrameMethod::kEquation3}, {"code1", FrameMethod::kCode1}},
      "best: a construction known to be optimal, else many starts of a search; equation3: the paper's "
      "gradient descent, "
      "then a polish; code1: the paper's Code 1 as printed");
  add_choice_option<FrameStructure>(
      *app, "--structure", options.structure,
      {{"simplices", FrameStructure::kSimplices},
       {"cross-polytope", FrameStructure::kCrossPolytope},
       {"descent", FrameStructure::kDescent}},
      "Which of the many signed optima of best where d+2 <= C <= 2d: orthogonal simplices, "
      "(4,2,2,2) at C = 10, d = 6; C of the vectors ±e_i; or what a search finds, which at "
      "other sizes, too, takes the place of the construction");
  app->add_option("--restarts", options.restarts, "Starts of the search; 0: by the size for best, else 1")
      ->capture_default_str()
      ->type_name("K")
      ->check(CLI::Range(0, 10'000'000));
  app->add_option("--steps", options.steps,
                  "Most gradient steps; 0: 20000 for equation3, 1000 for code1, and 1000 a stage for best")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000'000));
  app->add_option("--norm", options.norm,
                  "Norm ρ of every vector; 1 when not given, but code1 keeps its own norms")
      ->type_name("RHO");
  settings->common.device = "cpu";  // a GPU takes the restarts of small frames only
  add_device_option(*app, settings->common);
  add_seed_option(*app, settings->common);
  add_threads_option(*app, settings->common);
  app->add_option("--out", settings->out,
                  "Frame file to write, with F.json beside it; without it, only the report")
      ->type_name("F.npy");
  add_picture_options(*app, settings->pictures);
  add_json_option(*app, settings->common);
  app->callback([settings] {
    use_threads(settings->common);
    check_output_path("--out", settings->out, ".npy");
    check_pictures(settings->pictures, settings->frame.dim);
    settings->frame.seed = settings->common.seed;
    const std::unique_ptr<Backend> backend = open_backend(settings->common);
    // On the processor the search has its own lanes, which abandon hopeless starts.
    if (backend->name() != "cpu") settings->frame.backend = backend.get();
    ProgressOptions display;
    display.label = "frame";
    display.unit = "starts";
    Progress progress(display);
    const StopSignal stop_signal;
    settings->frame.should_stop = [] { return StopSignal::received() != 0; };
    const Frame result =
        generate_frame(settings->frame, [&](int done, int total) { progress.update(done, total); });
    progress.finish();
    // The pictures last: the search may have taken hours, and `frame info` draws them again.
    deliver_frame(result, settings->out, settings->common);
    try {
      draw_pictures(settings->pictures, result);
    } catch (const Error& error) {
      if (settings->out.empty()) throw;
      throw FileError(fmt::format("{}; the frame itself is written: {}", error.what(), settings->out));
    }
    if (StopSignal::received() != 0)
      throw Interrupted("frame generate: stopped; this is the best frame that was found until then",
                        StopSignal::received());
  });
}

/// A boolean of the report; null is a question that the search left open.
std::string yes_or_no(const Json& answer) {
  if (answer.is_null()) return "undecided";
  return answer.get<bool>() ? "yes" : "no";
}

/// Entries that differ by this part of the largest norm count as equal: frames that were stored in float32
/// do.
constexpr double kSame = 1e-6;

/// Definition 4.1 for two frames; null when their sizes differ.
Json equivalence_report(const Frame& a, const Frame& b) {
  if (a.dim() != b.dim() || a.classes() != b.classes()) return nullptr;
  const FrameEquivalence found = compare_frames(a, b, kSame);
  Json report = {{"type1", found.is_type1},
                 {"type2", found.is_type2},
                 {"equivalent", found.is_equivalent ? Json(*found.is_equivalent) : Json(nullptr)},
                 {"procrustes_distance", found.procrustes_distance},
                 {"procrustes_rotation_distance", found.procrustes_rotation_distance},
                 {"gram_distance", found.gram_distance},
                 {"permutation", nullptr}};
  if (!found.permutation.empty()) report["permutation"] = found.permutation;
  return report;
}

/// The permutation that was found, if it fits on a screen.
std::string shown_permutation(const Json& permutation) {
  constexpr std::size_t kMost = 100;
  if (permutation.is_null()) return "-";
  if (permutation.size() > kMost) return fmt::format("of {} classes; --json prints it", permutation.size());
  return fmt::format("{}", fmt::join(permutation.get<std::vector<int>>(), ","));
}

void print_equivalence(const Json& report) {
  if (report.is_null()) {
    fmt::print("The two frames differ in size, so they are not equivalent.\n");
    return;
  }
  print_settings({{"equal to", fmt::format("{:g} of the largest norm", kSame)},
                  {"Type I (B = R·A)", yes_or_no(report["type1"])},
                  {"Type II (B = A·P)", yes_or_no(report["type2"])},
                  {"both (B = R·A·P)", yes_or_no(report["equivalent"])},
                  {"Procrustes distance", fmt::format("{:.6g} of |A| ({:.6g} without reflections)",
                                                      report["procrustes_distance"].get<double>(),
                                                      report["procrustes_rotation_distance"].get<double>())},
                  {"P", shown_permutation(report["permutation"])}});
}

void add_info(CLI::App& frame) {
  struct Settings {
    CommonOptions common;
    std::vector<std::string> files;
    std::string objective;
    FramePictures pictures;
  };
  const auto settings = std::make_shared<Settings>();
  CLI::App* app = frame.add_subcommand(
      "info", "Geometry, bounds and gaps of frames; with two files also whether they are equivalent");
  app->add_option("F.npy", settings->files, "Frame files, (d, C) in float32 or float64")->required();
  restrict_to(
      app->add_option("--objective", settings->objective,
                      "Whose bound and gap to report; when not given, that of the sidecar, else signed"),
      {"signed", "absolute"});
  add_picture_options(*app, settings->pictures);
  add_json_option(*app, settings->common);
  app->callback([settings] {
    require<UsageError>(
        settings->files.size() == 1 || (settings->pictures.plot.empty() && settings->pictures.gif.empty()),
        "gnc frame info: --plot and --gif draw one frame; {} were given", settings->files.size());
    std::vector<Frame> frames;
    Json reports = Json::array();
    for (const std::string& file : settings->files) {
      frames.push_back(read_frame_with_warning(file));
      Frame& read = frames.back();
      if (!settings->objective.empty()) {
        read.provenance.objective =
            settings->objective == "signed" ? FrameObjective::kSigned : FrameObjective::kAbsolute;
      }
      check_pictures(settings->pictures, read.dim());
      draw_pictures(settings->pictures, read);
      reports.push_back(frame_report(read));
      reports.back()["file"] = file;
      if (settings->common.is_json) continue;
      Rows rows = describe_frame(read, reports.back());
      rows.insert(rows.begin(), {"file", file});
      print_settings(rows);
      fmt::print("\n");
    }
    const Json equivalence = frames.size() == 2 ? equivalence_report(frames[0], frames[1]) : Json(nullptr);
    if (settings->common.is_json) {
      print_json(frames.size() == 1 ? reports[0] : Json{{"frames", reports}, {"equivalence", equivalence}});
    } else if (frames.size() == 2) {
      print_equivalence(equivalence);
    }
  });
}

}  // namespace

Frame read_frame_with_warning(const std::string& path) {
  std::string warning;
  Frame frame = read_frame(path, &warning);
  print_warning(warning);
  return frame;
}

void deliver_frame(const Frame& frame, const std::string& out, const CommonOptions& common, const Rows& more,
                   const Json& more_json) {
  if (!out.empty()) write_frame(out, frame);
  Json report = frame_report(frame);
  report.update(more_json);
  if (!out.empty()) report["out"] = out;
  if (common.is_json) {
    print_json(report);
    return;
  }
  Rows rows = describe_frame(frame, report);
  rows.insert(rows.end(), more.begin(), more.end());
  if (!out.empty())
    rows.emplace_back("written to", fmt::format("{} and {}", out, sidecar_path(out).string()));
  print_settings(rows);
}

void add_frame_command(CLI::App& app) {
  CLI::App* frame = app.add_subcommand("frame", "Make, transform and measure Grassmannian frames");
  frame->require_subcommand(1);
  add_generate(*frame);
  add_frame_transform(*frame);
  add_info(*frame);
}

}  // namespace gnc
