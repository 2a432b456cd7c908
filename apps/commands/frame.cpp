/// gnc frame generate|transform|info.

#include "apps/commands/commands.h"

namespace gnc {

void add_frame_command(CLI::App& app) {
  CLI::App* frame = app.add_subcommand("frame", "Make, transform and measure Grassmannian frames");
  frame->require_subcommand(1);
}

}  // namespace gnc
