#include <gtest/gtest.h>

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

#include "engine/metrics/conventions.h"

namespace gnc {
namespace {

struct Reference {
  const char* name;
  double wide;     // d = 6, C = 4
  double crowded;  // d = 3, C = 7
};

// Printed by tests/parity/conventions_reference.py.
constexpr Reference kReferences[] = {
    {"fang_equinorm_means", 0.277301317832924, 0.153961136326119},
    {"fang_equinorm_classifier", 0.0860754887740325, 0.121865185354969},
    {"fang_cosine_mean_means", -0.187300556557253, -0.0887997545356474},
    {"fang_cosine_std_means", 0.401020099146926, 0.536323713530309},
    {"fang_cosine_mean_classifier", -0.0483022730097263, -0.0196005646234211},
    {"fang_cosine_std_classifier", 0.301706823084004, 0.523427444126454},
    {"fang_equiangular_means", 0.364714009015183, 0.454689612817531},
    {"fang_equiangular_classifier", 0.285031060323607, 0.42978335040646},
    {"fang_dual_distance", 1.23242709314527, 1.45270404488666},
    {"fang_dual_distance_squared", 1.51887653991851, 2.11034904203005},
    {"fang_squared_feature_norm", 42.5832598268772, 23.7699877451937},
    {"frame_max_cosine_means", 0.185184274396574, 0.966655507977703},
    {"frame_max_cosine_centred_means", -0.164405711836196, 0.997195917333059},
    {"frame_max_cosine_classifier", 0.543907360787142, 0.9269730064835},
    {"frame_max_abs_cosine_means", 0.399034741045662, 0.966655507977703},
    {"frame_max_abs_cosine_centred_means", 0.520849702296887, 0.997195917333059},
    {"frame_max_abs_cosine_classifier", 0.543907360787142, 0.972986992067018},
    {"frame_rankin_gap_means", 0.518517607729907, 0.966655507977703},
    {"frame_rankin_gap_centred_means", 0.168927621497137, 0.997195917333059},
    {"frame_rankin_gap_classifier", 0.877240694120476, 0.9269730064835},
    {"frame_welch_gap_means", 0.399034741045662, 0.495250987186671},
    {"frame_welch_gap_centred_means", 0.520849702296887, 0.525791396542027},
    {"frame_welch_gap_classifier", 0.543907360787142, 0.501582471275986},
    {"frame_potential_means", 1.1464187995696, 1.17864405335443},
    {"frame_potential_centred_means", 1.38589169964255, 1.23908351229078},
    {"frame_potential_classifier", 1.28008035002005, 1.13406978359565},
    {"frame_tightness_means", 0, 0.415987141441447},
    {"frame_tightness_centred_means", 0, 0.304770392508845},
    {"frame_tightness_classifier", 0, 0.283486275408172},
    {"frame_gram_error_means", 0.595169320329672, 0.899713555856519},
    {"frame_gram_error_centred_means", 0.335883539013718, 0.859428925068816},
    {"frame_gram_error_classifier", 0.596970663911514, 0.934637092128661},
    {"frame_gram_error_floor", 0, 0.765366864730179},
    {"frame_feature_norm_mean", 5.89203262904077, 5.02123372904846},
    {"frame_feature_norm_std", 1.20904303291812, 1.19840508561846},
    {"galanti_cdnv", 0.0580693402727704, 0.149119441523763},
    {"jiang_gnc1", 0.0916910481876417, 0.0828032348206587},
    {"jiang_one_vs_rest", 0.806085318085974, 0.226380775771792},
    {"jiang_gnc3", 0.753384647989211, 1.06157905893019},
    {"jiang_ncc_accuracy", 1, 0.944444444444444},
    {"jiang_hardmax", 0.5196475462549, 1.60291428435744},
    {"jiang_max_cosine", 0.543907360787142, 0.9269730064835},
    {"liu_uniformity", 0.547942748057686, 0.969854974920848},
    {"liu_concentration", 1.26964676721171, 1.38611962303245},
    {"los_nc1", 0.0863476713232053, 0.107264013300701},
    {"los_nc2", 0.471200453471803, 0.867065447671545},
    {"los_nc3", 1.16999687488952, 1.45140068390196},
    {"los_nc4", 10.7089501462357, 11.6747953941238},
    {"markou_nc1", 0.0863476713232053, 0.107264013300701},
    {"markou_vci", 0.0977638077695365, 0.190935107362214},
    {"markou_nc2", 0.596970663911514, 0.934637092128661},
    {"markou_nc3", 1.23098101945086, 1.44722844330766},
    {"markou_nc4", 10.7089501462357, 11.6747953941238},
    {"markou_equinorm_means", 0.320199980994954, 0.166297033693633},
    {"markou_equinorm_classifier", 0.0993914132286326, 0.131629444408161},
    {"markou_equinorm_difference", 0.220808567766321, 0.0346675892854723},
    {"markou_ncc_mismatch", 0.8, 0.722222222222222},
    {"nc_toolbox_cdnv_variation", 0.319851983050762, 1.5962357607702},
    {"nc_toolbox_equinorm_variation", -0.542928848210847, 1.36953534122645},
    {"nc_toolbox_equiangular_variation", 2.74609651340008, 6.8876972112094},
    {"nc_toolbox_log_distance_variation", -0.376027437904201, -1.95032683631023},
    {"nc_toolbox_self_duality", 1.23242709314527, 1.45270404488666},
    {"nc_toolbox_uniform_duality_variation", 25.6170785475705, 4.06407090666877},
    {"nc_toolbox_agreement", 0.2, 0.166666666666667},
    {"papyan_nc1", 0.423576138824144, 0.852555466582246},
    {"papyan_equinorm_means", 0.14611121826059, 0.237505030739354},
    {"papyan_equinorm_classifier", 0.0993914132286326, 0.131629444408161},
    {"papyan_equiangular_means", 0.14239575246031, 0.46290325741152},
    {"papyan_equiangular_classifier", 0.285031060323607, 0.42978335040646},
    {"papyan_nc3", 1.66443750922548, 2.13215285211779},
    {"papyan_nc4", 0.8, 0.722222222222222},
    {"rangamani_nc1", 0.0863476713232053, 0.107264013300701},
    {"rangamani_trace_within", 4.52757889420971, 3.54571068149911},
    {"rangamani_trace_between", 38.0556809326675, 20.2242770636946},
    {"rangamani_cdnv", 0.0580693402727704, 0.149119441523763},
    {"rangamani_ncc_accuracy", 1, 0.966666666666667},
    {"seleznova_nc1", 0.743088018282573, 1.00963176792394},
    {"seleznova_nc2", 0.335883539013718, 0.859428925068816},
    {"seleznova_nc3", 1.29013081089689, 1.46018932064229},
    {"wu_nc1_pinv", 0.105894034706036, 0.121793638083178},
    {"wu_nc1_quotient", 0.225539629940662, 0.218855128824884},
    {"wu_cdnv", 0.0580693402727704, 0.149119441523763},
    {"wu_simplex_etf_error", 0.335883539013718, 0.859428925068816},
    {"wu_distance_mean", 1.62654506596133, 1.45130765019081},
    {"wu_distance_variance", 0.00816563439396671, 0.202740043411435},
    {"wu_log_distance_mean", -0.484919510717649, -0.248853462409659},
    {"wu_log_distance_variance", 0.00307228355230999, 0.460326847639424},
    {"wu_riesz_mean", 0.147270748337999, 1.30081259178169},
    {"wu_riesz_variance", 0.00101196817755794, 7.29623014795714},
    {"wu_self_duality_error", 1.20629552747521, 1.44816162139839},
    {"wu_agreement", 0.2, 0.166666666666667},
    {"wu_agreement_by_class", 0.340909090909091, 0.237935977066412},
    {"yang_cosine_mean_means", -0.187300556557253, -0.0887997545356474},
    {"yang_cosine_std_means", 0.439295508631459, 0.549568268716169},
    {"yang_cosine_mean_classifier", -0.0483022730097263, -0.0196005646234211},
    {"yang_cosine_std_classifier", 0.330503265512659, 0.536353524951585},
    {"yang_cosine_mean_cross", -0.0393532490397561, -0.0459274851557063},
    {"yang_cosine_std_cross", 0.312177435122371, 0.564136581640448},
    {"yang_dual_cosine_mean", 0.264878478708121, -0.0960178019374577},
    {"yang_dual_cosine_std", 0.195862345855878, 0.572984589709957},
    {"yang_nc3", 1.51887653991851, 2.11034904203005},
    {"yaras_nc1", 0.0863476713232053, 0.107264013300701},
    {"yaras_nc2", 0.596970663911514, 0.934637092128661},
    {"yaras_nc3", 1.23316827920588, 1.44643087930816},
    {"zhu_nc1", 0.0863476713232053, 0.107264013300701},
    {"zhu_nc2", 0.596970663911514, 0.934637092128661},
    {"zhu_nc3", 1.23098101945086, 1.44722844330766},
    {"zhu_nc4", 10.7089501462357, 11.6747953941238},
};

/// The script's generator.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : state_(seed) {}

  /// In [-bound, bound], over `divisor`, a power of two.
  double next(int bound, int divisor) {
    state_ = 6364136223846793005U * state_ + 1442695040888963407U;
    const auto range = static_cast<std::uint64_t>(2 * bound + 1);
    return static_cast<double>(static_cast<std::int64_t>((state_ >> 33) % range) - bound) / divisor;
  }
  /// Row by row; column c of the result is row c of the script.
  Eigen::MatrixXd columns(int dimension, int count, int bound, int divisor) {
    Eigen::MatrixXd matrix(dimension, count);
    for (int c = 0; c < count; ++c) {
      for (int k = 0; k < dimension; ++k) matrix(k, c) = next(bound, divisor);
    }
    return matrix;
  }

 private:
  std::uint64_t state_;
};

template <class Real>
struct Case {
  std::vector<Real> features;
  std::vector<std::int32_t> labels;
  int dimension, classes;
  LinearClassifier classifier;

  Case(int samples, int d, int c, std::uint64_t seed) : dimension(d), classes(c) {
    Numbers numbers(seed);
    const Eigen::MatrixXd centres = numbers.columns(d, c, 1024, 256);
    const Eigen::MatrixXd deviations = numbers.columns(d, samples, 512, 256);
    for (int n = 0; n < samples; ++n) {
      labels.push_back(n < 2 * c ? n % c : n * n % c);
      for (int k = 0; k < d; ++k) {
        features.push_back(static_cast<Real>(centres(k, labels.back()) + deviations(k, n)));
      }
    }
    classifier.weights = numbers.columns(d, c, 300, 64);
    classifier.bias = numbers.columns(c, 1, 300, 64);
  }

  std::vector<std::pair<std::string, double>> measure(const std::vector<std::string>& sources) const {
    return measure_conventions(sources, BasicFeatureView<Real>{features, labels, dimension, classes},
                               classifier);
  }
};

// Sums of at most 90 terms (90 ε), magnified by S_B's condition number or by a mean near 0 that is divided
// by, 25 times at most (uniform_duality_variation): 100 allowed for either. 90 · 2.2e-16 · 100 = 2e-12,
// relative to the larger of the value and 1.
constexpr double kTolerance = 2e-12;

void expect_references(const std::vector<std::pair<std::string, double>>& values, double Reference::*member) {
  const std::map<std::string, double> measured(values.begin(), values.end());
  EXPECT_EQ(measured.size(), std::size(kReferences)) << "columns that the script does not have";
  for (const Reference& reference : kReferences) {
    const auto found = measured.find(reference.name);
    ASSERT_NE(found, measured.end()) << reference.name;
    const double expected = reference.*member;
    EXPECT_NEAR(found->second, expected, kTolerance * std::max(1.0, std::abs(expected))) << reference.name;
  }
}

TEST(ConventionsReference, Agrees_With_NumPy_When_Dimensions_Suffice) {
  expect_references(Case<float>(70, 6, 4, 1).measure(convention_names()), &Reference::wide);
}

TEST(ConventionsReference, Agrees_With_NumPy_When_Classes_Outnumber_Dimensions) {
  expect_references(Case<float>(90, 3, 7, 2).measure(convention_names()), &Reference::crowded);
}

TEST(ConventionsReference, Gives_The_Same_Bits_For_Float_And_Double_And_Again) {
  const auto first = Case<float>(90, 3, 7, 2).measure(convention_names());
  EXPECT_EQ(first, Case<float>(90, 3, 7, 2).measure(convention_names()));
  EXPECT_EQ(first, Case<double>(90, 3, 7, 2).measure(convention_names()));
}

TEST(ConventionsReference, Needs_Nothing_That_Another_Source_Asked_For) {
  const Case<float> data(70, 6, 4, 1);
  std::vector<std::pair<std::string, double>> alone;
  for (const std::string& source : convention_names()) {
    for (const auto& column : data.measure({source})) alone.push_back(column);
  }
  expect_references(alone, &Reference::wide);
}

}  // namespace
}  // namespace gnc
