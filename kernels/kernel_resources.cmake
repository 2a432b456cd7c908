# What ptxas said of every kernel while it was built (OBJECT.ptxas, kernels/log_ptxas.sh), as a table; and whether a
# kernel uses local memory.
#
#   cmake -DLOGS=a.ptxas;b.ptxas -DOUTPUT=table.txt -P kernels/kernel_resources.cmake             writes the table
#   cmake -DLOGS=… -DALLOWED=kernels/local_memory_allowed.txt -P kernels/kernel_resources.cmake   fails on spills and stack
#
# Columns: architecture, kernel, registers of a thread, bytes of stack frame, of spill stores and loads, of static shared
# memory of a block; and warps_by_registers: the most warps of a multiprocessor that the registers allow, of how many there
# may be. That is a bound and not the occupancy: dynamic shared memory and the size of a block, which a launch chooses, are
# not in it.
cmake_minimum_required(VERSION 3.25)

set(allowed "")
if(ALLOWED)
  file(STRINGS ${ALLOWED} lines REGEX "^[^#]")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^([A-Za-z_0-9]+)[ :]+[^ ]")
      message(FATAL_ERROR "kernel_resources: ${ALLOWED}: '${line}' is no name with a reason behind it")
    endif()
    list(APPEND allowed ${CMAKE_MATCH_1})
  endforeach()
endif()

set(rows "")
set(faults "")
foreach(log IN LISTS LOGS)
  if(NOT EXISTS ${log})
    string(REGEX REPLACE "\\.ptxas$" "" object "${log}")
    message(FATAL_ERROR "kernel_resources: ${log} is missing. It is written when its object is compiled: "
      "delete ${object}, or clean the target gnc_kernels_cuda, and build again")
  endif()
  file(READ ${log} said)
  string(REPLACE ";" "," said "${said}")
  # One kernel: "Compiling entry function 'NAME' for 'sm_N'", then "N bytes stack frame, N bytes spill stores, N bytes spill
  # loads" and "Used N registers, …[, N bytes smem]".
  string(REPLACE "Compiling entry function" ";" parts "${said}")
  foreach(part IN LISTS parts)
    if(NOT part MATCHES "^ '([^']+)' for 'sm_([0-9a-z]+)'")
      continue()
    endif()
    set(mangled ${CMAKE_MATCH_1})
    set(architecture ${CMAKE_MATCH_2})
    execute_process(COMMAND c++filt ${mangled} OUTPUT_VARIABLE kernel OUTPUT_STRIP_TRAILING_WHITESPACE)
    # "void gnc::kernels::cuda::(anonymous namespace)::name<(type)value, …>(parameters)": the name and its arguments.
    string(REGEX REPLACE "gnc::kernels::(cuda::)?|\\(anonymous namespace\\)::|^void " "" kernel "${kernel}")
    string(REGEX REPLACE "\\([A-Za-z0-9_:]+\\)" "" kernel "${kernel}")
    string(REGEX REPLACE "\\(.*$" "" kernel "${kernel}")
    string(REPLACE " " "" kernel "${kernel}")
    if(NOT part MATCHES "([0-9]+) bytes stack frame, ([0-9]+) bytes spill stores, ([0-9]+) bytes spill loads")
      message(FATAL_ERROR "kernel_resources: ${log} says nothing of the memory of ${kernel}")
    endif()
    set(stack ${CMAKE_MATCH_1})
    set(stores ${CMAKE_MATCH_2})
    set(loads ${CMAKE_MATCH_3})
    string(REGEX MATCH "Used ([0-9]+) registers" _ "${part}")
    set(registers ${CMAKE_MATCH_1})
    set(shared 0)
    if(part MATCHES "([0-9]+) bytes smem")
      set(shared ${CMAKE_MATCH_1})
    endif()
    # A warp gets registers in units of 256; a multiprocessor has 65536 of them, in four parts of 16384.
    set(most_warps 64)
    if(architecture MATCHES "^(8[679]|12)")
      set(most_warps 48)
    endif()
    math(EXPR warps "16384 / ((${registers} * 32 + 255) / 256 * 256) * 4")
    if(warps GREATER most_warps)
      set(warps ${most_warps})
    endif()
    string(REGEX MATCH "^[A-Za-z_0-9]+" plain_name "${kernel}")
    if(stack OR stores OR loads)
      if(NOT plain_name IN_LIST allowed)
        list(APPEND faults "${kernel} on sm_${architecture}: ${stack} bytes of stack, spills of ${stores} and ${loads} bytes")
      endif()
    endif()
    list(APPEND rows "sm_${architecture} ${kernel} ${registers} ${stack} ${stores} ${loads} ${shared} ${warps}/${most_warps}")
  endforeach()
endforeach()

list(LENGTH rows count)
if(count EQUAL 0)
  message(FATAL_ERROR "kernel_resources: no kernel found in ${LOGS}")
endif()
if(OUTPUT)
  list(SORT rows)
  list(JOIN rows "\n" table)
  file(WRITE ${OUTPUT} "architecture kernel registers stack spill_stores spill_loads static_shared warps_by_registers\n${table}\n")
endif()
if(faults)
  list(JOIN faults "\n  " text)
  message(FATAL_ERROR "kernel_resources: local memory (list a kernel in ${ALLOWED} only with a reason):\n  ${text}")
endif()
message(STATUS "kernel_resources: ${count} kernels")
