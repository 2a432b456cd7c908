/// gnc frame transform: a frame rotated, permuted, or permuted as the similarity of the classes asks for.

#include <charconv>
#include <filesystem>
#include <memory>
#include <optional>

#include "apps/class_similarity.h"
#include "apps/commands/frame.h"
#include "apps/output_path.h"
#include "engine/error.h"
#include "models/class_assignment.h"

namespace gnc {
namespace {

/// What --permute says: a seed, or the permutation itself.
Frame permuted_by(const Frame& frame, const std::string& text) {
  std::vector<int> permutation;
  const char* end = text.data() + text.size();
  if (text.find(',') == std::string::npos) {
    std::uint64_t seed = 0;
    const auto [rest, error] = std::from_chars(text.data(), end, seed);
    require<UsageError>(error == std::errc() && rest == end,
                        "--permute {}: expected a seed, or the permutation as i,j,k,…", text);
    return permuted(frame, seed);
  }
  for (const char* position = text.data();; ++position) {
    int source = 0;
    const auto [rest, error] = std::from_chars(position, end, source);
    require<UsageError>(error == std::errc() && (rest == end || *rest == ','),
                        "--permute {}: expected class numbers with commas between them", text);
    permutation.push_back(source);
    position = rest;
    if (position == end) break;
  }
  try {
    return permuted(frame, permutation);
  } catch (const Error& error) {
    throw UsageError(fmt::format("--permute {}: {}", text, error.what()));
  }
}

/// --permute-for: what was asked for and found, for the terminal and as JSON.
struct AssignedFrame {
  Frame frame;
  std::vector<std::pair<std::string, std::string>> rows;
  nlohmann::ordered_json json;
};

AssignedFrame assigned_by(const Frame& frame, Placement placement, const std::string& similarity_source) {
  const Eigen::MatrixXd similarity = read_similarity(similarity_source);
  require<UsageError>(similarity.cols() == frame.classes(),
                      "--similarity {}: {} classes, but the frame has {} vectors", similarity_source,
                      similarity.cols(), frame.classes());
  const ClassAssignment found = assign_classes(similarity, frame.vectors, placement);
  const char* name = placement == Placement::kNear ? "near" : "far";
  return {
      .frame = permuted(frame, found.order),
      .rows = {{"similar classes", name},
               {"assignment",
                fmt::format("Σ s⟨M,M⟩ = {:.9g}, {:.9g} in the order given; {}", found.value, found.identity,
                            found.is_proved ? "the best of all permutations"
                                            : fmt::format("found by {} starts of the search", found.hits))}},
      .json = {{"assignment",
                {{"placement", name},
                 {"similarity", similarity_source},
                 {"permutation", found.order},
                 {"value", found.value},
                 {"value_in_the_order_given", found.identity},
                 {"proved", found.is_proved},
                 {"hits", found.hits}}}}};
}

}  // namespace

void add_frame_transform(CLI::App& frame) {
  struct Settings {
    CommonOptions common;
    std::string input;
    std::optional<std::uint64_t> rotation_seed;
    RotationKind rotation = RotationKind::kHaar;
    std::string permutation;
    std::optional<Placement> placement;
    std::string similarity;
    std::string out;
  };
  const auto settings = std::make_shared<Settings>();
  CLI::App* app = frame.add_subcommand("transform", "An equivalent frame R·M·P");
  app->add_option("IN.npy", settings->input, "The frame M")->required();
  CLI::Option* rotate = restrict_to_natural(
      app->add_option("--rotate", settings->rotation_seed, "Seed of a random rotation R")->type_name("SEED"));
  add_choice_option<RotationKind>(
      *app, "--rotation", settings->rotation,
      {{"haar", RotationKind::kHaar}, {"exp", RotationKind::kExponential}},
      "How R is drawn: uniformly from SO(d), or as exp(A - Aᵀ) with A Gaussian, the paper's way")
      ->needs(rotate);
  CLI::Option* permute =
      app->add_option(
             "--permute", settings->permutation,
             "Seed of a random permutation P, or P itself: column y of the result is column i_y of M")
          ->type_name("SEED|i,j,k,...");
  CLI::Option* permute_for = add_placement_option(*app, "--permute-for", settings->placement);
  permute_for->excludes(permute);
  permute_for->needs(add_similarity_option(*app, settings->similarity)->needs(permute_for));
  app->add_option("--out", settings->out, "Frame file to write, with F.json beside it")
      ->required()
      ->type_name("F.npy");
  add_json_option(*app, settings->common);
  app->callback([settings] {
    require<UsageError>(settings->rotation_seed || !settings->permutation.empty() || settings->placement,
                        "gnc frame transform: nothing to do; give --rotate, --permute or --permute-for");
    check_output_path("--out", settings->out, ".npy");
    std::error_code none;  // what is not there is no input
    require<UsageError>(!std::filesystem::equivalent(settings->input, settings->out, none),
                        "--out {}: is the input, which would be lost; expected another file", settings->out);
    Frame result = read_frame_with_warning(settings->input);
    if (settings->rotation_seed) result = rotated(result, *settings->rotation_seed, settings->rotation);
    if (!settings->permutation.empty()) result = permuted_by(result, settings->permutation);
    AssignedFrame assigned{.frame = std::move(result), .rows = {}, .json = nlohmann::ordered_json::object()};
    if (settings->placement)
      assigned = assigned_by(assigned.frame, *settings->placement, settings->similarity);
    deliver_frame(assigned.frame, settings->out, settings->common, assigned.rows, assigned.json);
  });
}

}  // namespace gnc
