# Prints what ptxas says of every kernel (registers, stack, spills, shared memory) for each real architecture, and writes
# it to OUTPUT.
#
#   cmake -DNVCC=… -DROOT=<source tree> -DSOURCES=a.cu;b.cu -DARCHITECTURES=80-real;90a-real -DOUTPUT=… -P kernel_resources.cmake
cmake_minimum_required(VERSION 3.25)

set(table "architecture registers stack spill_stores spill_loads shared kernel\n")
foreach(architecture IN LISTS ARCHITECTURES)
  if(architecture MATCHES "-virtual$")
    continue()  # PTX has no registers yet
  endif()
  string(REPLACE "-real" "" architecture ${architecture})
  foreach(source IN LISTS SOURCES)
    execute_process(
      COMMAND ${NVCC} -std=c++20 --expt-relaxed-constexpr -DKERNEL_TARGET=cuda -I${ROOT} -arch=sm_${architecture}
              -Xptxas -v -cubin -o ${OUTPUT}.cubin ${ROOT}/kernels/${source}
      ERROR_VARIABLE said OUTPUT_VARIABLE said RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "nvcc failed for ${source}:\n${said}")
    endif()
    # One kernel: "Compiling entry function 'NAME' for …", "N bytes stack frame, N bytes spill stores, N bytes spill
    # loads", "Used N registers, …[, N bytes smem]".
    string(REPLACE ";" "," said "${said}")
    string(REPLACE "ptxas info    : Compiling entry function" ";" parts "${said}")
    foreach(part IN LISTS parts)
      if(NOT part MATCHES "^ '([^']+)'")
        continue()
      endif()
      # Inside the mangled name, the length and the name of the function follow the anonymous namespace.
      string(REGEX REPLACE "^.*_[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9]+([a-z_0-9]+)E.*$" "\\1"
             kernel ${CMAKE_MATCH_1})
      string(REGEX MATCH "([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads" _ "${part}")
      set(memory "${CMAKE_MATCH_1} ${CMAKE_MATCH_2} ${CMAKE_MATCH_3}")
      string(REGEX MATCH "Used ([0-9]+) registers" _ "${part}")
      set(registers ${CMAKE_MATCH_1})
      set(shared 0)
      if(part MATCHES "([0-9]+) bytes smem")
        set(shared ${CMAKE_MATCH_1})
      endif()
      string(APPEND table "sm_${architecture} ${registers} ${memory} ${shared} ${kernel}\n")
    endforeach()
  endforeach()
endforeach()
file(REMOVE ${OUTPUT}.cubin)
file(WRITE ${OUTPUT} "${table}")
message("${table}")
