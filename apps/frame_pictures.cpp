#include "apps/frame_pictures.h"

#include "apps/output_path.h"
#include "apps/pictures/frame_drawing.h"
#include "engine/error.h"
#include "models/frame_bounds.h"
#include "models/frame_geometry.h"

namespace gnc {
namespace {

/// "max ⟨mᵢ, mⱼ⟩ = 0.447214 at 30 pairs · fejes-toth bound 0.447214, gap 2.2e-16"
std::string caption_of(const Frame& frame) {
  const FrameObjective objective = frame.provenance.objective.value_or(FrameObjective::kSigned);
  const FrameGeometry geometry = measure_frame(frame);
  const bool is_signed = objective == FrameObjective::kSigned;
  const double value = correlation(geometry, objective);
  const FrameBound bound = frame_bounds(frame.dim(), frame.classes(), objective).front();
  return fmt::format("max {} = {:.6g} at {} pairs · {} bound {:.6g}, gap {:.2g}",
                     is_signed ? "⟨mᵢ, mⱼ⟩" : "|⟨mᵢ, mⱼ⟩|", value,
                     is_signed ? geometry.pairs_at_maximum : geometry.pairs_at_abs_maximum, bound.name,
                     bound.value, value - bound.value);
}

}  // namespace

void add_picture_options(CLI::App& app, FramePictures& pictures) {
  app.add_option(
         "--plot", pictures.plot,
         "Picture to draw: the Gram matrix of the directions as a heat map; for d = 2 with the vectors "
         "beside it")
      ->type_name("F.png");
  app.add_option("--gif", pictures.gif,
                 "Animation to draw, for d = 3 only: the vectors turning on the sphere")
      ->type_name("F.gif");
}

void check_pictures(const FramePictures& pictures, int dim) {
  check_output_path("--plot", pictures.plot, ".png");
  check_output_path("--gif", pictures.gif, ".gif");
  require<UsageError>(pictures.gif.empty() || dim == 3,
                      "--gif {}: only a frame of 3 dimensions can turn; this one has {}", pictures.gif, dim);
}

void draw_pictures(const FramePictures& pictures, const Frame& frame) {
  if (pictures.plot.empty() && pictures.gif.empty()) return;
  const FrameDrawing drawing = {.vectors = frame.vectors,
                                .title = fmt::format("C = {}, d = {}", frame.classes(), frame.dim()),
                                .caption = caption_of(frame)};
  if (!pictures.plot.empty()) write_frame_picture(pictures.plot, drawing);
  if (!pictures.gif.empty()) write_rotating_frame(pictures.gif, drawing);
}

}  // namespace gnc
