# Headers compiled once for many files (GNC_PRECOMPILE): the standard library's and fmt's, in tests GoogleTest's too; none of
# gnc's own. Files still include what they use: the builds without them see to it (the presets by themselves, nightly's of
# everything without CUDA, ./run test's short list under ThreadSanitizer, the fuzzers).

set(common_headers <algorithm> <array> <bit> <chrono> <cmath> <cstdint> <cstdio> <cstdlib> <cstring> <filesystem> <fstream>
  <functional> <limits> <map> <memory> <numbers> <numeric> <optional> <ranges> <set> <span> <sstream> <string> <string_view>
  <thread> <type_traits> <utility> <variant> <vector> <fmt/format.h>)

# All that compiles C++ in a folder and those below.
function(gnc_targets_below folder result)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  set(found "")
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    get_target_property(sources ${target} SOURCES)
    if(type MATCHES "^(STATIC_LIBRARY|EXECUTABLE)$" AND "${sources}" MATCHES "[.]cpp")
      list(APPEND found ${target})
    endif()
  endforeach()
  foreach(below ${folders})
    gnc_targets_below(${below} more)
    list(APPEND found ${more})
  endforeach()
  set(${result} ${found} PARENT_SCOPE)
endfunction()

# The headers for targets of one kind, which have the same flags. usage: gnc_precompiled(NAME LIBRARIES… HEADERS HEADERS…)
function(gnc_precompiled name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "LIBRARIES;HEADERS")
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cpp "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE gnc_flags fmt::fmt ${given_LIBRARIES})
  target_precompile_headers(${name} PRIVATE ${common_headers} ${given_HEADERS})
endfunction()

gnc_precompiled(gnc_headers)
gnc_precompiled(gnc_headers_openmp LIBRARIES OpenMP::OpenMP_CXX)
set(test_headers <gtest/gtest.h> <gmock/gmock.h>)
if(BUILD_TESTING)
  gnc_precompiled(gnc_headers_tests LIBRARIES GTest::gmock HEADERS ${test_headers})
  gnc_precompiled(gnc_headers_tests_openmp LIBRARIES GTest::gmock OpenMP::OpenMP_CXX HEADERS ${test_headers})
  foreach(name gnc_headers_tests gnc_headers_tests_openmp)
    target_compile_options(${name} PRIVATE ${gnc_test_options})
  endforeach()
endif()

gnc_targets_below(${CMAKE_SOURCE_DIR} targets)
list(REMOVE_ITEM targets gnc_kernels_simt)  # includes little, and not fmt
foreach(target ${targets})
  get_target_property(folder ${target} SOURCE_DIR)
  get_target_property(libraries ${target} LINK_LIBRARIES)
  set(headers gnc_headers)
  if(folder MATCHES "^${CMAKE_SOURCE_DIR}/tests(/|$)")
    if(NOT "${libraries}" MATCHES "GTest::")
      continue()  # other macros
    endif()
    string(APPEND headers _tests)
  endif()
  if("OpenMP::OpenMP_CXX" IN_LIST libraries)
    string(APPEND headers _openmp)
  endif()
  target_precompile_headers(${target} REUSE_FROM ${headers})
  # From precompiled headers g++ 12 warns of its own std::string, as it does not from headers of the system (GCC's bug
  # 105651), and only of literals that are long enough: as paths are in some folders, of which the tests are told.
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-array-bounds;-Wno-restrict>")
  if(headers MATCHES "tests")
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-stringop-overflow>")
  endif()
  # The files of the programs, and of some tests, are many, small, and mostly instances of the same templates: several at a
  # time. Names in their unnamed namespaces have to differ.
  # Not the engine's: what is inlined where might decide on last bits.
  if(folder MATCHES "^${CMAKE_SOURCE_DIR}/(apps|tests/(apps|data|faults|guard|paper))(/|$)")
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    # Any file is an included one.
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-subobject-linkage>")
  endif()
endforeach()
