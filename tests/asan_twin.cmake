# A test program once more, with the emulated kernels under AddressSanitizer and UBSan and all else as it is: what kernels do to
# the memory that they are given is seen, and nothing but them is compiled again. (./run asan instruments everything.)
# It is built when it is asked for, and listed in ./run. usage, behind all of the target's: gnc_asan_twin(TARGET NAME)
function(gnc_asan_twin target name)
  if(NOT TARGET gnc_kernels_simt_asan)
    return()
  endif()
  get_target_property(libraries ${target} LINK_LIBRARIES)
  # The kernels first: of gnc_kernels_simt, which the libraries bring, nothing is missing then.
  add_executable(${name} EXCLUDE_FROM_ALL $<TARGET_OBJECTS:gnc_kernels_simt_asan> $<TARGET_OBJECTS:${target}>)
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PRIVATE ${libraries})
  target_link_options(${name} PRIVATE -fsanitize=address,undefined)
endfunction()
