#include "engine/linalg.h"

#include <unsupported/Eigen/MatrixFunctions>

#include "engine/error.h"

namespace gnc {

Eigen::MatrixXd gaussian_matrix(const RandomStream& stream, Eigen::Index rows, Eigen::Index columns) {
  Eigen::MatrixXd matrix(rows, columns);
  for (Eigen::Index i = 0; i < matrix.size(); ++i)
    matrix.data()[i] = stream.normal(static_cast<std::uint64_t>(i));
  return matrix;
}

Eigen::MatrixXd matrix_exponential(const Eigen::MatrixXd& matrix) {
  require<ShapeError>(matrix.rows() == matrix.cols(), "the exponential needs a square matrix, not {} x {}",
                      matrix.rows(), matrix.cols());
  return matrix.exp();
}

Eigen::MatrixXd haar_rotation(const RandomStream& stream, int size) {
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(gaussian_matrix(stream, size, size));
  Eigen::MatrixXd rotation = qr.householderQ();
  // Householder's own signs depend on the numbers, so Q alone is not Haar distributed.
  for (Eigen::Index i = 0; i < size; ++i) {
    if (qr.matrixQR()(i, i) < 0.0) rotation.col(i) = -rotation.col(i);
  }
  if (rotation.determinant() < 0.0) rotation.col(0) = -rotation.col(0);
  return rotation;
}

Eigen::MatrixXd exponential_rotation(const RandomStream& stream, int size) {
  const Eigen::MatrixXd gaussian = gaussian_matrix(stream, size, size);
  return matrix_exponential(gaussian - gaussian.transpose());
}

}  // namespace gnc
