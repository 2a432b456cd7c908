# Who may include whom: greps `#include` lines against the table of layers and fails on the first wrong arrow.
#
#   cmake -DROOT=<source tree> -P tests/test_layering.cmake                checks the tree
#   cmake -DSELF_TEST_IN=<empty folder> -P tests/test_layering.cmake       checks the checker on planted includes
cmake_minimum_required(VERSION 3.25)

# Files of the engine core; every other engine/*.h belongs to the upper engine.
set(core batch bfloat16 bootstrap checkpoint comparison csv descriptor error file file_group folder_lock frame_objective imaginary_memory known_folder linalg log memory nearest_name precision printable probability profile random rename_file shape statistics tensor)
list(JOIN core "|" core)

# The layer of a path, first match wins: regular expression, name.
set(layers
  "^kernels/" kernels
  "^engine/(${core})\\.(h|cpp)$" core
  "^engine/ops/" ops
  "^engine/backend\\.h$" seam
  "^engine/backends/open_backend\\.cpp$" opener
  "^engine/backends/device/" device
  "^engine/backends/[^/]+/" backend
  "^engine/" engine
  "^models/" models
  "^data/" data
  "^apps/bench/" bench
  "^apps/" apps
  "^tests/" tests)

# Layer → layers it may include.
set(may_include_kernels kernels)
set(may_include_core core)
set(may_include_ops core ops)
set(may_include_seam core ops seam)
set(may_include_backend core ops seam backend)
set(may_include_device core ops seam device kernels)
set(may_include_opener core ops seam backend device)
set(may_include_engine core ops seam engine)
set(may_include_models core ops seam engine models)
set(may_include_data core data)
set(may_include_apps core ops seam backend device engine models data apps)
# The microbenchmarks run on the tests' case tables.
set(may_include_bench ${may_include_apps} bench tests)
set(may_include_tests core ops seam backend device kernels engine models data apps tests)

# Library headers that only some layers may see: regular expression, layers.
set(libraries
  "^(oneapi/)?dnnl" "backend apps bench tests"
  "^(cuda|cublas|cudnn|cupti|nvtx)" "kernels device apps bench tests")

# The layer `path` lies in; empty when in none.
function(layer_of path out)
  set(rules ${layers})
  while(rules)
    list(POP_FRONT rules pattern name)
    if(path MATCHES "${pattern}")
      set(${out} ${name} PARENT_SCOPE)
      return()
    endif()
  endwhile()
  set(${out} "" PARENT_SCOPE)
endfunction()

# What is wrong with `includer` including `included` with quotes; empty when nothing is.
function(fault_of_own includer included out)
  set(${out} "" PARENT_SCOPE)
  layer_of(${includer} from)
  layer_of("${included}" to)
  if(NOT to)
    set(${out} "own headers are included by their path from the root of the tree" PARENT_SCOPE)
    return()
  endif()
  if(NOT to IN_LIST may_include_${from})
    string(REPLACE ";" ", " allowed "${may_include_${from}}")
    set(${out} "`${from}` may include ${allowed}, but this header is in `${to}`" PARENT_SCOPE)
    return()
  endif()
  # Backends do not know each other (the planning and the real ones included).
  if(from STREQUAL "backend" AND to STREQUAL "backend")
    get_filename_component(from_folder ${includer} DIRECTORY)
    get_filename_component(to_folder ${included} DIRECTORY)
    if(NOT from_folder STREQUAL to_folder)
      set(${out} "a backend may not include another backend" PARENT_SCOPE)
    endif()
  endif()
endfunction()

# The same for a header in angle brackets.
function(fault_of_library includer included out)
  set(${out} "" PARENT_SCOPE)
  layer_of(${includer} from)
  set(rules ${libraries})
  while(rules)
    list(POP_FRONT rules pattern allowed)
    string(REPLACE " " ";" allowed "${allowed}")
    if(included MATCHES "${pattern}" AND NOT from IN_LIST allowed)
      string(REPLACE ";" ", " allowed "${allowed}")
      set(${out} "only ${allowed} may include this library, but the file is in `${from}`" PARENT_SCOPE)
    endif()
  endwhile()
endfunction()

# All faults under `root`, one "file:line: include: rule" each, and the number of includes looked at.
function(find_faults root out out_count)
  execute_process(
    COMMAND grep -rnE --include=*.h --include=*.cpp --include=*.cu --include=*.cuh "^[ \t]*#[ \t]*include"
            kernels engine models data apps tests
    WORKING_DIRECTORY ${root} OUTPUT_VARIABLE lines ERROR_QUIET)
  string(REGEX REPLACE "[][;]" "" lines "${lines}")  # characters that would break a CMake list
  string(REPLACE "\n" ";" lines "${lines}")
  set(faults "")
  set(count 0)
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^([^:]+):([0-9]+):[ \t]*#[ \t]*include[ \t]*([\"<])([^\">]+)[\">]")
      if(line)
        list(APPEND faults "${line}: cannot tell what is included")
      endif()
      continue()
    endif()
    set(file ${CMAKE_MATCH_1})
    set(number ${CMAKE_MATCH_2})
    set(quote ${CMAKE_MATCH_3})
    set(included ${CMAKE_MATCH_4})
    math(EXPR count "${count} + 1")
    if(quote STREQUAL "<")
      fault_of_library(${file} ${included} fault)
    else()
      fault_of_own(${file} ${included} fault)
    endif()
    if(fault)
      list(APPEND faults "${file}:${number}: ${included}: ${fault}")
    endif()
  endforeach()
  set(${out} "${faults}" PARENT_SCOPE)
  set(${out_count} ${count} PARENT_SCOPE)
endfunction()

if(SELF_TEST_IN)
  # Planted: wrong arrows, each alone in a tree of its own, with the words that must be in the message; then right ones.
  set(wrong
    "engine/tensor.h" "\"engine/ops/gemm.h\"" "`core` may include core"
    "engine/trainer.cpp" "\"engine/backends/cpu/cpu_backend.h\"" "`engine` may include"
    "engine/modules/conv2d.cpp" "\"kernels/conv2d.h\"" "this header is in `kernels`"
    "engine/backends/cpu/gemm.cpp" "\"kernels/gemm.h\"" "this header is in `kernels`"
    "engine/backends/cpu/gemm.cpp" "\"engine/backends/reference/loops.h\"" "another backend"
    "models/vgg.cpp" "\"data/dataset.h\"" "`models` may include"
    "data/idx.cpp" "\"engine/trainer.h\"" "`data` may include"
    "apps/gnc.cpp" "\"kernels/sgd_step.h\"" "`apps` may include"
    "apps/gnc.cpp" "\"tests/support/compare.h\"" "`apps` may include"
    "kernels/sgd_step.cu" "\"engine/tensor.h\"" "`kernels` may include kernels"
    "engine/trainer.cpp" "\"optimizer.h\"" "path from the root"
    "engine/trainer.cpp" "<dnnl.hpp>" "only backend, apps, bench, tests"
    "models/frame.cpp" "<cuda_runtime.h>" "only kernels, device"
    "models/frame.cpp" "FRAME_HEADER" "cannot tell")
  set(right
    "engine/trainer.cpp" "\"engine/backend.h\""
    "engine/backends/device/sgd_step.cpp" "\"kernels/sgd_step.h\""
    "engine/backends/cpu/gemm.cpp" "<dnnl.hpp>"
    "data/loader.cpp" "\"engine/batch.h\""
    "apps/commands/doctor.cpp" "\"engine/backends/device/cuda_device.h\""
    "apps/bench/gnc_bench.cpp" "\"tests/support/compare.h\""
    "tests/kernels/test_sgd_step.cpp" "\"kernels/sgd_step.h\"")
  set(planted 0)
  while(wrong)
    list(POP_FRONT wrong file included words)
    file(REMOVE_RECURSE ${SELF_TEST_IN})
    file(WRITE ${SELF_TEST_IN}/${file} "// line 1\n  #  include ${included}  // [why]; because\n")
    find_faults(${SELF_TEST_IN} faults count)
    list(LENGTH faults found)
    string(FIND "${faults}" "${file}:2:" place)
    string(FIND "${faults}" "${words}" words_at)
    if(NOT found EQUAL 1 OR NOT place EQUAL 0 OR words_at EQUAL -1)
      message(FATAL_ERROR "planted in ${file}: #include ${included}; expected one fault with '${words}', got '${faults}'")
    endif()
    math(EXPR planted "${planted} + 1")
  endwhile()
  file(REMOVE_RECURSE ${SELF_TEST_IN})
  while(right)
    list(POP_FRONT right file included)
    file(WRITE ${SELF_TEST_IN}/${file} "#include ${included}\n")
  endwhile()
  find_faults(${SELF_TEST_IN} faults count)
  if(faults OR NOT count EQUAL 7)
    message(FATAL_ERROR "7 right includes; ${count} seen, found wrong: '${faults}'")
  endif()
  file(REMOVE_RECURSE ${SELF_TEST_IN})
  message(STATUS "layering: ${planted} planted wrong includes found, 7 right ones accepted")
else()
  find_faults(${ROOT} faults count)
  if(count EQUAL 0)
    message(FATAL_ERROR "layering: no #include found under '${ROOT}'; is ROOT the source tree?")
  endif()
  if(faults)
    list(GET faults 0 first)
    list(LENGTH faults number)
    message(FATAL_ERROR "layering: ${first}\n(${number} in all; the table is in tests/test_layering.cmake)")
  endif()
  message(STATUS "layering: ${count} includes follow the table")
endif()
