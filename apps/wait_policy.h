#pragma once
/// How OpenMP's threads wait for each other.

namespace gnc {

/// Makes waiting threads sleep instead of spin, unless the environment says otherwise (OMP_WAIT_POLICY,
/// GOMP_SPINCOUNT). libgomp spins for milliseconds by default, and on a machine that others use as well every
/// parallel loop then waits for a thread that is not running: two epochs of a quarter-width VGG11 took 52 s
/// spinning and 2.6 s sleeping on two cores with nine other busy threads. libgomp reads the setting before
/// main() starts, so this starts the program once more with the same arguments; call it first in main().
void sleep_while_waiting(char** argv);

}  // namespace gnc
