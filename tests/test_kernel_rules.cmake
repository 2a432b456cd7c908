# What no kernel may use, so that g++ runs the very text that nvcc compiles: greps kernels/*.cu, *.cuh and *.h, comments aside.
#
#   cmake -DROOT=<source tree> -P tests/test_kernel_rules.cmake                checks the tree
#   cmake -DSELF_TEST_IN=<empty folder> -P tests/test_kernel_rules.cmake       checks the checker on planted lines
cmake_minimum_required(VERSION 3.25)

# Regular expression, why not, files that may (separated by |; none: -).
set(rules
  "<<<" "launch through launch() of kernels/simt.h" "-"
  "extern[ \t]+__shared__" "take dynamic shared memory from dynamic_shared<T>()" "simt_cuda.h"
  "__activemask" "lanes that happen to run together say nothing: pass an explicit mask" "-"
  "(^|[^a-zA-Z0-9_])(__)?asm(__)?([^a-zA-Z0-9_]|$)" "inline PTX lies in kernels/simt_tensor_core.h only"
  "simt_tensor_core.h|simt_fiber.h"
  "cooperative_groups|cooperative_launch|grid_group" "not emulated: end the kernel instead" "-")

# All faults under `root`, one "file:line: rule" each, and the number of files looked at.
function(find_faults root out out_count)
  file(GLOB files RELATIVE ${root} ${root}/kernels/*.cu ${root}/kernels/*.cuh ${root}/kernels/*.h)
  list(LENGTH files count)
  set(faults "")
  set(rest "${rules}")
  while(rest AND files)
    list(POP_FRONT rest pattern why exempt)
    # `/dev/null`: grep names the file even if there is only one.
    execute_process(COMMAND grep -nE "${pattern}" ${files} /dev/null
      WORKING_DIRECTORY ${root} OUTPUT_VARIABLE lines)
    string(REGEX REPLACE "[][;]" "" lines "${lines}")  # characters that would break a CMake list
    string(REPLACE "\n" ";" lines "${lines}")
    foreach(line IN LISTS lines)
      if(NOT line MATCHES "^kernels/([^:]+):([0-9]+):(.*)$")
        continue()
      endif()
      set(file ${CMAKE_MATCH_1})
      set(number ${CMAKE_MATCH_2})
      string(REGEX REPLACE "//.*" "" code "${CMAKE_MATCH_3}")
      if(code MATCHES "${pattern}" AND NOT file MATCHES "^(${exempt})$")
        list(APPEND faults "kernels/${file}:${number}: ${why}")
      endif()
    endforeach()
  endwhile()
  set(${out} "${faults}" PARENT_SCOPE)
  set(${out_count} ${count} PARENT_SCOPE)
endfunction()

if(SELF_TEST_IN)
  # Planted, each alone: file, line, words of the message.
  set(wrong
    "gemm.cu" "gemm_v1<<<grid, block>>>(args)" "launch through launch()"
    "gemm.cuh" "  extern __shared__ float tile" "dynamic_shared<T>()"
    "reduce.cuh" "const unsigned mask = __activemask()" "explicit mask"
    "gemm.cu" "asm volatile(\"bar.sync 0\")" "inline PTX"
    "pack.h" "  __asm__(\"nop\")  // asm" "inline PTX"
    "gemm.cu" "#include <cooperative_groups.h>" "not emulated")
  set(right
    "gemm.cu" "// never <<<>>>, asm, __activemask or cooperative_groups"
    "gemm.cu" "const int grasm = asmuth + 1 << 2"
    "simt_cuda.h" "extern __shared__ unsigned char bytes"
    "simt_tensor_core.h" "asm volatile(\"cp.async\")"
    "simt_host.cpp" "__asm__(\"nop\")"
    "launch.cu" "launch({.grid = grid}, kernel, args)")
  set(planted 0)
  while(wrong)
    list(POP_FRONT wrong file line words)
    file(REMOVE_RECURSE ${SELF_TEST_IN})
    file(WRITE ${SELF_TEST_IN}/kernels/${file} "// line 1\n${line};  // [why]; because\n")
    find_faults(${SELF_TEST_IN} faults count)
    list(LENGTH faults found)
    string(FIND "${faults}" "kernels/${file}:2:" place)
    string(FIND "${faults}" "${words}" words_at)
    if(NOT found EQUAL 1 OR NOT place EQUAL 0 OR words_at EQUAL -1)
      message(FATAL_ERROR "planted in ${file}: ${line}; expected one fault with '${words}', got '${faults}'")
    endif()
    math(EXPR planted "${planted} + 1")
  endwhile()
  file(REMOVE_RECURSE ${SELF_TEST_IN})
  set(accepted 0)
  while(right)
    list(POP_FRONT right file line)
    file(APPEND ${SELF_TEST_IN}/kernels/${file} "${line};\n")
    math(EXPR accepted "${accepted} + 1")
  endwhile()
  find_faults(${SELF_TEST_IN} faults count)
  if(faults OR NOT count EQUAL 4)
    message(FATAL_ERROR "4 files of right lines; ${count} seen, found wrong: '${faults}'")
  endif()
  file(REMOVE_RECURSE ${SELF_TEST_IN})
  message(STATUS "kernel rules: ${planted} planted faults found, ${accepted} right lines accepted")
else()
  find_faults(${ROOT} faults count)
  if(count EQUAL 0)
    message(FATAL_ERROR "kernel rules: no kernel found under '${ROOT}'; is ROOT the source tree?")
  endif()
  if(faults)
    list(GET faults 0 first)
    list(LENGTH faults number)
    message(FATAL_ERROR "kernel rules: ${first}\n(${number} in all; the rules are in tests/test_kernel_rules.cmake)")
  endif()
  message(STATUS "kernel rules: ${count} files follow them")
endif()
