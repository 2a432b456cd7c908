#pragma once
/// Data sets by name: one line in registry.cpp adds one.

#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace gnc {

/// Loads NAME or NAME:ARGUMENT, e.g. "fashion-mnist", "images:photos.tar.xz",
/// "synthetic:classes=100,size=32". Throws UsageError for an unknown name (naming the nearest and all there
/// are) or a missing argument, FileError for files that are missing or wrong.
Dataset load_dataset(std::string_view spec, const LoadOptions& options = {});

/// What a SPEC may be, one form an entry, for help texts: "images:DIR_OR_TAR", …
std::vector<std::string> dataset_forms();

}  // namespace gnc
