#pragma once
/// Pictures in folders, one per class: train/CLASS/FILE and test/CLASS/FILE.

#include <filesystem>

#include "data/dataset.h"

namespace gnc {

/// Loads JPEG and PNG pictures (*.jpg, *.jpeg, *.png) from a directory that holds train/ and test/, or from a
/// tar archive of one (.tar, .tar.gz, .tar.xz; folders above train/ and test/ are allowed there, the same for
/// all). Nothing is extracted to disk. Classes are sorted by name (bytewise) and pictures by class and file
/// name, whatever the order of the archive or the number of threads. Hidden files, and files outside train/
/// and test/, are passed over.
///
/// Throws FileError naming the file for: a picture of another size or channel count than the first, a file
/// that is not a picture, a folder inside a class, a link in an archive, the same picture twice, a class of
/// test/ that train/ lacks, no pictures in either.
Dataset load_image_folder(const std::filesystem::path& source, const LoadOptions& options);

}  // namespace gnc
