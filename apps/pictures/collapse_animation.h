#pragma once
/// The paper's figure 2 with time: samples and classifier of a two-dimensional feature space as they
/// collapse.

#include <Eigen/Dense>

#include <filesystem>
#include <vector>

namespace gnc {

/// What was recorded of a descent in two dimensions, T >= 1 times in the order of the steps.
struct CollapseHistory {
  std::vector<long> steps;                   ///< [T], rising
  std::vector<Eigen::MatrixXd> features;     ///< [T] of [2,N]
  std::vector<Eigen::MatrixXd> classifiers;  ///< [T] of [2,C]
  std::vector<int> labels;                   ///< [N] in [0,C)
};

/// The records to show in `count` pictures: the first, the last, and between them those that divide the way
/// that samples and classifier go into equal parts; fewer where there are fewer records.
std::vector<int> choose_key_frames(const CollapseHistory& history, int count);

/// Draws the history as a GIF file that repeats for ever, 600x500 pixels, of about 8 s: samples as markers
/// and classifier vectors as arrows from the origin, in the colours of their classes, on one scale. Time runs
/// so that all moves at an even pace, with a soft start and end; the true step is shown. Throws Error for a
/// history whose sizes do not fit together or with a value that is not finite, naming step and class;
/// FileError naming the path.
void write_collapse_gif(const std::filesystem::path& path, const CollapseHistory& history);

/// Draws the records at `key_frames` side by side as a PNG file. Throws as above, and for an index out of
/// range or none.
void write_collapse_strip(const std::filesystem::path& path, const CollapseHistory& history,
                          const std::vector<int>& key_frames);

}  // namespace gnc
