#include "models/frame_catalogue.h"

namespace gnc {

std::vector<CatalogueCode> frame_catalogue(int, FrameObjective) { return {}; }

}  // namespace gnc
