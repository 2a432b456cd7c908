#include "models/frame_known.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>

#include "models/frame_bounds.h"
#include "models/frame_catalogue.h"

namespace gnc {
namespace {

/// What is common to the rows of one source.
struct Source {
  double accuracy;
  bool is_exact, is_soft;
  std::string_view text;
};

/// Rows with 15 decimals, and numerical values: half a unit of the last digit that is sure.
constexpr double kPrinted = 1e-15, kNumerical = 1e-12;

constexpr Source kPolygon = {kPrinted, true, false, "regular polygon, equally spaced lines"};
constexpr Source kSimplex = {kPrinted, true, false, "regular simplex, Rankin 1955"};
constexpr Source kRankin = {kPrinted, true, false, "Rankin 1955: 0 for d+2 <= C <= 2d"};
constexpr Source kOrthonormal = {kPrinted, true, false, "orthonormal basis"};
constexpr Source kSpace = {kNumerical, true, false,
                           "solved in three dimensions: points up to 14 and 24, lines up to 7"};
constexpr Source kPetersen = {kPrinted, true, false, "Petersen code, Bachoc and Vallentin 2009"};
constexpr Source kSharp = {kPrinted, true, false,
                           "sharp configuration, Levenshtein; table of Cohn and Kumar 2007"};
constexpr Source kThreePoint = {kPrinted, true, false,
                                "three-point bound, Cohn, de Laat and Leijenhorst, arXiv 2403.16874"};
constexpr Source kCell24 = {kPrinted, true, false,
                            "24-cell, de Laat, Leijenhorst and de Muinck Keizer, arXiv 2404.18794"};
constexpr Source kCell600 = {kPrinted, true, false, "600-cell, Böröczky 1978"};
constexpr Source kWelch = {kPrinted, true, false, "real equiangular tight frame, Welch bound"};
constexpr Source kLines = {kPrinted, true, false, "meets the Levenshtein, orthoplex or Bukh-Cox bound"};
constexpr Source kSloanePoints = {kNumerical, false, false, "Sloane's table of packings in three dimensions"};
constexpr Source kSloaneLines = {kNumerical, false, false, "Sloane's table of packings of lines, 1997"};
constexpr Source kCohn = {2e-10, false, false, "Cohn's table of Grassmannian codes, 10 digits"};
constexpr Source kSpherical98 = {kNumerical, false, false,
                                 "published improvement of Cohn's table of spherical codes, 2026"};
constexpr Source kSearch = {kNumerical, false, false, "many-restart search, found again and again"};
constexpr Source kSoft = {kNumerical, false, true, "best seen by a many-restart search"};
constexpr Source kSoftSix = {5e-7, false, true, "best seen by a many-restart search, six digits"};
constexpr Source kSoftKerdock = {kPrinted, false, true, "a subset of the Kerdock code"};

struct Row {
  FrameObjective objective;
  int dim, classes;
  double value;
  const Source& source;
};

constexpr FrameObjective kSigned = FrameObjective::kSigned, kAbsolute = FrameObjective::kAbsolute;

/// By objective, then d, then C, for a binary search.
constexpr Row kTable[] = {
    {kSigned, 2, 4, 0.0, kPolygon},
    {kSigned, 2, 5, 0.309016994374947, kPolygon},
    {kSigned, 2, 6, 0.5, kPolygon},
    {kSigned, 2, 7, 0.623489801858734, kPolygon},
    {kSigned, 2, 8, 0.707106781186548, kPolygon},
    {kSigned, 2, 11, 0.841253532831181, kPolygon},
    {kSigned, 2, 14, 0.900968867902419, kPolygon},
    {kSigned, 2, 15, 0.913545457642601, kPolygon},
    {kSigned, 2, 17, 0.932472229404356, kPolygon},
    {kSigned, 2, 19, 0.945817241700635, kPolygon},
    {kSigned, 2, 20, 0.951056516295154, kPolygon},
    {kSigned, 2, 50, 0.992114701314478, kPolygon},
    {kSigned, 2, 100, 0.998026728428272, kPolygon},
    {kSigned, 3, 7, 0.210138312730603, kSpace},
    {kSigned, 3, 8, 0.261203874963741, kSpace},
    {kSigned, 3, 9, 0.333333333333333, kSpace},
    {kSigned, 3, 10, 0.404394325216251, kSpace},
    {kSigned, 3, 11, 0.447213595499958, kSpace},
    {kSigned, 3, 12, 0.447213595499958, kSpace},
    {kSigned, 3, 13, 0.542636486829639, kSpace},
    {kSigned, 3, 14, 0.563950300360505, kSpace},
    {kSigned, 3, 15, 0.592605902925074, kSloanePoints},
    {kSigned, 3, 16, 0.612294616482697, kSloanePoints},
    {kSigned, 3, 19, 0.673116887560051, kSloanePoints},
    {kSigned, 3, 21, 0.699498431066377, kSloanePoints},
    {kSigned, 3, 22, 0.710306258579691, kSloanePoints},
    {kSigned, 3, 23, 0.722846984942884, kSloanePoints},
    {kSigned, 3, 24, 0.723078468333509, kSpace},
    {kSigned, 3, 27, 0.758389210776578, kSloanePoints},
    {kSigned, 3, 30, 0.781551875094988, kSloanePoints},
    {kSigned, 3, 31, 0.791118613298675, kSloanePoints},
    {kSigned, 3, 32, 0.793616614871263, kSloanePoints},
    {kSigned, 3, 34, 0.810984337203016, kSloanePoints},
    {kSigned, 3, 36, 0.817248185289253, kSloanePoints},
    {kSigned, 3, 37, 0.824892480239921, kSloanePoints},
    {kSigned, 3, 38, 0.826583259421707, kSloanePoints},
    {kSigned, 4, 5, -0.25, kSimplex},
    {kSigned, 4, 9, 0.162015199611637, kSearch},
    {kSigned, 4, 10, 0.166666666666667, kPetersen},
    {kSigned, 4, 11, 0.230405563594556, kSearch},
    {kSigned, 4, 13, 0.307295653981029, kSearch},
    {kSigned, 4, 16, 0.387628177123, kSearch},
    {kSigned, 4, 17, 0.412259362693264, kSearch},
    {kSigned, 4, 18, 0.42281941407306, kSearch},
    {kSigned, 4, 19, 0.434258545910665, kSearch},
    {kSigned, 4, 21, 0.471380858507318, kSearch},
    {kSigned, 4, 22, 0.497884130843555, kSoft},
    {kSigned, 4, 24, 0.5, kCell24},
    {kSigned, 4, 25, 0.537316056655078, kSearch},
    {kSigned, 4, 26, 0.540789617697537, kSearch},
    {kSigned, 4, 27, 0.55759135118017, kSearch},
    {kSigned, 4, 28, 0.567338804074911, kSoft},
    {kSigned, 4, 29, 0.573148530448409, kSoft},
    {kSigned, 4, 30, 0.584232813930586, kSoft},
    {kSigned, 4, 32, 0.595720149235514, kSearch},
    {kSigned, 4, 33, 0.600755407755911, kSearch},
    {kSigned, 4, 34, 0.61012855682935, kSoft},
    {kSigned, 4, 36, 0.628309551407618, kSoft},
    {kSigned, 4, 39, 0.646928247975501, kSoft},
    {kSigned, 4, 40, 0.650497801062725, kSoft},
    {kSigned, 4, 120, 0.809016994374947, kCell600},
    {kSigned, 5, 6, -0.2, kSimplex},
    {kSigned, 5, 7, 0.0, kRankin},
    {kSigned, 5, 13, 0.187259851882854, kSearch},
    {kSigned, 5, 15, 0.2, kSearch},
    {kSigned, 5, 18, 0.275501741659819, kSearch},
    {kSigned, 5, 20, 0.299385692899125, kSearch},
    {kSigned, 5, 21, 0.314916957175, kSearch},
    {kSigned, 5, 22, 0.35590278393211, kSearch},
    {kSigned, 5, 23, 0.369772696943077, kSoft},
    {kSigned, 5, 26, 0.390276209558951, kSoft},
    {kSigned, 5, 30, 0.413029776122086, kSearch},
    {kSigned, 5, 31, 0.433911863959546, kSearch},
    {kSigned, 5, 33, 0.460004535962696, kSearch},
    {kSigned, 5, 35, 0.479525986636215, kSearch},
    {kSigned, 5, 36, 0.483999000230195, kSoft},
    {kSigned, 5, 38, 0.496243746650434, kSoft},
    {kSigned, 5, 40, 0.5, kSoft},
    {kSigned, 6, 7, -0.166666666666667, kSimplex},
    {kSigned, 6, 9, 0.0, kRankin},
    {kSigned, 6, 10, 0.0, kRankin},
    {kSigned, 6, 11, 0.0, kRankin},
    {kSigned, 6, 12, 0.0, kRankin},
    {kSigned, 6, 14, 0.132490920323476, kSearch},
    {kSigned, 6, 15, 0.144948974278318, kSearch},
    {kSigned, 6, 16, 0.171147649429394, kSearch},
    {kSigned, 6, 17, 0.183274337023145, kSearch},
    {kSigned, 6, 18, 0.197812188601976, kSearch},
    {kSigned, 6, 21, 0.242852848013696, kSoft},
    {kSigned, 6, 22, 0.248865699799419, kSoft},
    {kSigned, 6, 26, 0.25, kSearch},
    {kSigned, 6, 28, 0.3, kSearch},
    {kSigned, 6, 30, 0.333333333333333, kSoft},
    {kSigned, 6, 37, 0.366623377686163, kSearch},
    {kSigned, 6, 39, 0.384936289160466, kSoft},
    {kSigned, 6, 40, 0.386096677605348, kSearch},
    {kSigned, 6, 98, 0.571037778803683, kSpherical98},
    {kSigned, 7, 10, 0.0, kRankin},
    {kSigned, 7, 11, 0.0, kRankin},
    {kSigned, 7, 12, 0.0, kRankin},
    {kSigned, 7, 14, 0.0, kRankin},
    {kSigned, 7, 16, 0.113320879600145, kSearch},
    {kSigned, 7, 20, 0.170571572214381, kSearch},
    {kSigned, 7, 21, 0.181523960800569, kSoft},
    {kSigned, 7, 25, 0.214737233854593, kSearch},
    {kSigned, 7, 26, 0.231331430371357, kSoft},
    {kSigned, 7, 27, 0.240549382009568, kSoft},
    {kSigned, 7, 28, 0.247356758737978, kSoft},
    {kSigned, 7, 33, 0.270023386001577, kSoft},
    {kSigned, 7, 34, 0.277696496788169, kSoft},
    {kSigned, 7, 36, 0.299960949659242, kSoft},
    {kSigned, 7, 37, 0.310466067267531, kSoft},
    {kSigned, 7, 40, 0.323843153339286, kSoft},
    {kSigned, 7, 56, 0.333333333333333, kSharp},
    {kSigned, 8, 9, -0.125, kSimplex},
    {kSigned, 8, 10, 0.0, kRankin},
    {kSigned, 8, 11, 0.0, kRankin},
    {kSigned, 8, 12, 0.0, kRankin},
    {kSigned, 8, 14, 0.0, kRankin},
    {kSigned, 8, 19, 0.11140997502604, kSoft},
    {kSigned, 8, 23, 0.157169941989317, kSoft},
    {kSigned, 8, 24, 0.157692144939361, kSoft},
    {kSigned, 8, 26, 0.172652095035071, kSoft},
    {kSigned, 8, 27, 0.179856457058295, kSoft},
    {kSigned, 8, 28, 0.181158420021502, kSoft},
    {kSigned, 8, 30, 0.203957446527905, kSoft},
    {kSigned, 8, 31, 0.222139936625625, kSoft},
    {kSigned, 8, 32, 0.228952680127627, kSoft},
    {kSigned, 8, 33, 0.233062250366957, kSoft},
    {kSigned, 8, 36, 0.239920745565167, kSoft},
    {kSigned, 8, 37, 0.239920745565167, kSoft},
    {kSigned, 8, 38, 0.239920745565167, kSoft},
    {kSigned, 8, 39, 0.243600150511572, kSoft},
    {kSigned, 8, 240, 0.5, kSharp},
    {kSigned, 16, 17, -0.0625, kSimplex},
    {kSigned, 16, 100, 0.206932668672, kSoft},
    {kSigned, 16, 288, 0.25, kThreePoint},
    {kSigned, 20, 56, 0.066666666666667, kThreePoint},
    {kSigned, 21, 50, 0.047619047619048, kThreePoint},
    {kSigned, 21, 77, 0.083333333333333, kThreePoint},
    {kSigned, 21, 112, 0.111111111111111, kSharp},
    {kSigned, 22, 275, 0.166666666666667, kSharp},
    {kSigned, 22, 891, 0.25, kSharp},
    {kSigned, 23, 4600, 0.333333333333333, kSharp},
    {kSigned, 32, 100, 0.078014572731, kSoft},
    {kSigned, 64, 10, -0.111111111111111, kSimplex},
    {kSigned, 64, 65, -0.015625, kSimplex},
    {kSigned, 64, 100, 0.0, kRankin},
    {kSigned, 64, 128, 0.0, kRankin},
    {kSigned, 64, 1000, 0.125, kSoftKerdock},
    {kSigned, 64, 4224, 0.125, kThreePoint},
    {kSigned, 512, 1000, 0.0, kRankin},
    {kSigned, 512, 1024, 0.0, kRankin},
    {kAbsolute, 2, 3, 0.5, kPolygon},
    {kAbsolute, 2, 6, 0.866025403784439, kPolygon},
    {kAbsolute, 2, 7, 0.900968867902419, kPolygon},
    {kAbsolute, 2, 8, 0.923879532511287, kPolygon},
    {kAbsolute, 2, 9, 0.939692620785908, kPolygon},
    {kAbsolute, 2, 11, 0.959492973614497, kPolygon},
    {kAbsolute, 2, 12, 0.965925826289068, kPolygon},
    {kAbsolute, 2, 13, 0.970941817426052, kPolygon},
    {kAbsolute, 2, 14, 0.974927912181824, kPolygon},
    {kAbsolute, 2, 15, 0.978147600733806, kPolygon},
    {kAbsolute, 2, 16, 0.98078528040323, kPolygon},
    {kAbsolute, 2, 18, 0.984807753012208, kPolygon},
    {kAbsolute, 2, 19, 0.986361303402722, kPolygon},
    {kAbsolute, 2, 20, 0.987688340595138, kPolygon},
    {kAbsolute, 2, 50, 0.998026728428272, kPolygon},
    {kAbsolute, 2, 100, 0.999506560365732, kPolygon},
    {kAbsolute, 3, 3, 0.0, kOrthonormal},
    {kAbsolute, 3, 5, 0.447213595499958, kSpace},
    {kAbsolute, 3, 7, 0.577350269189626, kSpace},
    {kAbsolute, 3, 9, 0.669362319281099, kSloaneLines},
    {kAbsolute, 3, 10, 0.686140661634507, kSloaneLines},
    {kAbsolute, 3, 12, 0.744520838205434, kSloaneLines},
    {kAbsolute, 3, 13, 0.768137376314585, kSloaneLines},
    {kAbsolute, 3, 14, 0.780622192785236, kSloaneLines},
    {kAbsolute, 3, 15, 0.786558571135581, kSloaneLines},
    {kAbsolute, 3, 16, 0.794654472291766, kSloaneLines},
    {kAbsolute, 3, 19, 0.836654416246471, kSloaneLines},
    {kAbsolute, 3, 22, 0.848923829346723, kCohn},
    {kAbsolute, 3, 24, 0.864601621516029, kSloaneLines},
    {kAbsolute, 3, 25, 0.872507972483302, kSloaneLines},
    {kAbsolute, 3, 30, 0.89101973629949, kSloaneLines},
    {kAbsolute, 3, 50, 0.934252752011418, kSloaneLines},
    {kAbsolute, 4, 4, 0.0, kOrthonormal},
    {kAbsolute, 4, 6, 0.333333333333333, kLines},
    {kAbsolute, 4, 8, 0.414213562373095, kSloaneLines},
    {kAbsolute, 4, 9, 0.434258545910665, kSloaneLines},
    {kAbsolute, 4, 10, 0.434258545910665, kSloaneLines},
    {kAbsolute, 4, 13, 0.566915270681799, kSloaneLines},
    {kAbsolute, 4, 14, 0.590076515271013, kSloaneLines},
    {kAbsolute, 4, 15, 0.608739411680523, kSloaneLines},
    {kAbsolute, 4, 17, 0.630851711268258, kSloaneLines},
    {kAbsolute, 4, 18, 0.636647308233923, kSloaneLines},
    {kAbsolute, 4, 19, 0.646648903747982, kSloaneLines},
    {kAbsolute, 4, 20, 0.652985797191339, kSloaneLines},
    {kAbsolute, 4, 21, 0.661992527411413, kCohn},
    {kAbsolute, 4, 22, 0.672242741703788, kSloaneLines},
    {kAbsolute, 4, 24, 0.694057475162302, kSloaneLines},
    {kAbsolute, 4, 29, 0.735299293583583, kSloaneLines},
    {kAbsolute, 4, 30, 0.740040121220287, kCohn},
    {kAbsolute, 4, 36, 0.758892027761526, kCohn},
    {kAbsolute, 4, 40, 0.776886987015019, kSloaneLines},
    {kAbsolute, 4, 50, 0.808190439686093, kCohn},
    {kAbsolute, 5, 5, 0.0, kOrthonormal},
    {kAbsolute, 5, 6, 0.2, kWelch},
    {kAbsolute, 5, 7, 0.286208264215581, kSloaneLines},
    {kAbsolute, 5, 9, 0.333333333333333, kSloaneLines},
    {kAbsolute, 5, 11, 0.386641198855814, kSloaneLines},
    {kAbsolute, 5, 14, 0.411130550816258, kSloaneLines},
    {kAbsolute, 5, 15, 0.414213562373095, kSloaneLines},
    {kAbsolute, 5, 19, 0.5, kSloaneLines},
    {kAbsolute, 5, 20, 0.5, kSloaneLines},
    {kAbsolute, 5, 22, 0.554034328752738, kSloaneLines},
    {kAbsolute, 5, 25, 0.575160746940721, kSloaneLines},
    {kAbsolute, 5, 26, 0.584791271507798, kCohn},
    {kAbsolute, 5, 27, 0.594258609817962, kSloaneLines},
    {kAbsolute, 5, 28, 0.598181816122821, kSloaneLines},
    {kAbsolute, 5, 29, 0.601563909230193, kCohn},
    {kAbsolute, 5, 30, 0.604860321479265, kCohn},
    {kAbsolute, 5, 37, 0.618033988749896, kSloaneLines},
    {kAbsolute, 5, 45, 0.666666666708333, kCohn},
    {kAbsolute, 6, 6, 0.0, kOrthonormal},
    {kAbsolute, 6, 9, 0.278258049479083, kCohn},
    {kAbsolute, 6, 11, 0.316227766016838, kSloaneLines},
    {kAbsolute, 6, 13, 0.333333333333333, kSloaneLines},
    {kAbsolute, 6, 15, 0.333333333333333, kSloaneLines},
    {kAbsolute, 6, 16, 0.333333333333333, kWelch},
    {kAbsolute, 6, 17, 0.372806643861419, kCohn},
    {kAbsolute, 6, 18, 0.384183608888443, kCohn},
    {kAbsolute, 6, 19, 0.384778551080186, kSloaneLines},
    {kAbsolute, 6, 20, 0.389129682757312, kSloaneLines},
    {kAbsolute, 6, 21, 0.390388203202208, kSloaneLines},
    {kAbsolute, 6, 22, 0.408248290463863, kLines},
    {kAbsolute, 6, 24, 0.444444444444445, kSloaneLines},
    {kAbsolute, 6, 27, 0.478011851761605, kSearch},
    {kAbsolute, 6, 28, 0.491780001786888, kCohn},
    {kAbsolute, 6, 29, 0.497952253634824, kCohn},
    {kAbsolute, 6, 30, 0.499353588051593, kCohn},
    {kAbsolute, 6, 40, 0.558475759294422, kSloaneLines},
    {kAbsolute, 6, 63, 0.612372435695794, kSloaneLines},
    {kAbsolute, 7, 7, 0.0, kOrthonormal},
    {kAbsolute, 7, 8, 0.142857142857143, kWelch},
    {kAbsolute, 7, 9, 0.2, kLines},
    {kAbsolute, 7, 11, 0.258516944861077, kSloaneLines},
    {kAbsolute, 7, 12, 0.272727272727273, kSloaneLines},
    {kAbsolute, 7, 13, 0.277350098112615, kSloaneLines},
    {kAbsolute, 7, 14, 0.277350098112615, kWelch},
    {kAbsolute, 7, 16, 0.325797054214003, kCohn},
    {kAbsolute, 7, 17, 0.332099086870169, kCohn},
    {kAbsolute, 7, 18, 0.332937539337336, kCohn},
    {kAbsolute, 7, 22, 0.333333333333334, kSloaneLines},
    {kAbsolute, 7, 23, 0.333333333333334, kSloaneLines},
    {kAbsolute, 7, 25, 0.333333333333333, kSloaneLines},
    {kAbsolute, 7, 26, 0.333333333333333, kSloaneLines},
    {kAbsolute, 7, 28, 0.333333333333333, kWelch},
    {kAbsolute, 7, 29, 0.394293641465342, kCohn},
    {kAbsolute, 7, 50, 0.500000000000039, kSloaneLines},
    {kAbsolute, 7, 63, 0.5, kLines},
    {kAbsolute, 8, 8, 0.0, kOrthonormal},
    {kAbsolute, 8, 11, 0.210137256617836, kCohn},
    {kAbsolute, 8, 13, 0.239061043116753, kCohn},
    {kAbsolute, 8, 14, 0.258229931642683, kSloaneLines},
    {kAbsolute, 8, 15, 0.269965190723098, kCohn},
    {kAbsolute, 8, 16, 0.273951471708899, kSloaneLines},
    {kAbsolute, 8, 18, 0.296602272607248, kSloaneLines},
    {kAbsolute, 8, 19, 0.307758762154623, kCohn},
    {kAbsolute, 8, 21, 0.319750073995092, kCohn},
    {kAbsolute, 8, 22, 0.323945250352008, kSloaneLines},
    {kAbsolute, 8, 23, 0.329301331002473, kCohn},
    {kAbsolute, 8, 24, 0.331976138148512, kCohn},
    {kAbsolute, 8, 25, 0.332933561390257, kCohn},
    {kAbsolute, 8, 30, 0.333333046666543, kCohn},
    {kAbsolute, 8, 40, 0.400636066149816, kCohn},
    {kAbsolute, 8, 50, 0.45159075998076, kCohn},
    {kAbsolute, 8, 64, 0.494127867965368, kCohn},
    {kAbsolute, 8, 120, 0.5, kLines},
    {kAbsolute, 9, 12, 0.182743997631557, kLines},
    {kAbsolute, 9, 14, 0.220899031478305, kSloaneLines},
    {kAbsolute, 9, 15, 0.233305708888574, kCohn},
    {kAbsolute, 9, 30, 0.317015469358142, kSloaneLines},
    {kAbsolute, 9, 40, 0.333333333333335, kSloaneLines},
    {kAbsolute, 13, 26, 0.2, kWelch},
    {kAbsolute, 15, 30, 0.185695338177052, kWelch},
    {kAbsolute, 16, 17, 0.0625, kWelch},
    {kAbsolute, 16, 100, 0.293509631750275, kSoft},
    {kAbsolute, 19, 38, 0.164398987305357, kWelch},
    {kAbsolute, 21, 36, 0.142857142857143, kWelch},
    {kAbsolute, 21, 126, 0.2, kWelch},
    {kAbsolute, 22, 176, 0.2, kWelch},
    {kAbsolute, 23, 2300, 0.333333333333333, kLines},
    {kAbsolute, 25, 50, 0.142857142857143, kWelch},
    {kAbsolute, 28, 64, 0.142857142857143, kWelch},
    {kAbsolute, 31, 62, 0.128036879932896, kWelch},
    {kAbsolute, 32, 100, 0.166679, kSoftSix},
    {kAbsolute, 36, 64, 0.111111111111111, kWelch},
    {kAbsolute, 64, 65, 0.015625, kWelch},
    {kAbsolute, 64, 100, 0.080495, kSoftSix},
    {kAbsolute, 66, 144, 0.090909090909091, kWelch},
};

using Key = std::tuple<FrameObjective, int, int>;

Key key_of(const Row& row) { return {row.objective, row.dim, row.classes}; }

/// The first row of this size or a later one.
const Row* row_from(const Key& key) {
  return std::lower_bound(std::begin(kTable), std::end(kTable), key,
                          [](const Row& row, const Key& other) { return key_of(row) < other; });
}

KnownCorrelation known_from(const Row& row) {
  const Source& source = row.source;
  return {row.value, source.accuracy, source.is_exact, source.is_soft, source.text};
}

/// The least value that a larger size is known to reach, by the table or a construction: fewer vectors reach
/// it, too. Infinite if none.
double smallest_above(int dim, int classes, FrameObjective objective) {
  double least = std::numeric_limits<double>::infinity();
  for (const Row* row = row_from({objective, dim, classes}); row != std::end(kTable); ++row) {
    if (row->objective != objective || row->dim != dim) break;
    least = std::min(least, row->value);
  }
  for (const CatalogueCode& code : frame_catalogue(dim, objective)) {
    if (code.classes >= classes) least = std::min(least, code.value);
  }
  return least;
}

}  // namespace

std::optional<KnownCorrelation> known_correlation(int dim, int classes, FrameObjective objective) {
  for (const FrameBound& bound : frame_bounds(dim, classes, objective)) {
    if (bound.is_attained) return KnownCorrelation{bound.value, kPrinted, true, false, "meets a lower bound"};
  }
  const Key sought = {objective, dim, classes};
  const Row* const found = row_from(sought);
  if (found != std::end(kTable) && key_of(*found) == sought) {
    KnownCorrelation known = known_from(*found);
    const double least = smallest_above(dim, classes, objective);
    if (least < known.value - known.accuracy - kNumerical)
      known = {least, kNumerical, false, false, "part of a larger code"};
    return known;
  }
  // The value rises with C: where a smaller size needs as much as a larger one reaches, it is this size's.
  if (found == std::begin(kTable)) return std::nullopt;
  const Row& below = *(found - 1);
  const bool is_same_space = below.objective == objective && below.dim == dim;
  if (!is_same_space || smallest_above(dim, classes, objective) > below.value + kNumerical)
    return std::nullopt;
  KnownCorrelation known = known_from(below);
  known.source = "between two sizes of this value";
  return known;
}

}  // namespace gnc
