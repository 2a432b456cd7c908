#pragma once
/// NumPy's .npy files holding one matrix of floating-point numbers.

#include <Eigen/Dense>

#include <string>
#include <string_view>

namespace gnc {

/// The matrix in the bytes of a .npy file: little-endian float32 or float64, two dimensions, C or Fortran
/// order, format versions 1.0, 2.0 and 3.0. The header is parsed strictly and its size checked against the
/// bytes before anything is allocated; bytes that are left over are an error. Throws FileError beginning with
/// `name`, the file's.
Eigen::MatrixXd parse_npy(std::string_view bytes, std::string_view name);

/// The bytes of a .npy file, version 1.0, float64, C order, as numpy.save writes them.
std::string format_npy(const Eigen::MatrixXd& matrix);

}  // namespace gnc
