# tpf_library(name SOURCES … [DEPS …]): one library per folder; what it may use is what it names.
function(tpf_library name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_library(tpf_${name} STATIC ${A_SOURCES})
  target_link_libraries(tpf_${name} PUBLIC ${A_DEPS} PRIVATE tpf_flags)
  target_include_directories(tpf_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_features(tpf_${name} PUBLIC cxx_std_20)
endfunction()

# tpf_program(name SOURCES … DEPS …): an installed program.
function(tpf_program name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE tpf_flags ${A_DEPS})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()

# tpf_test(folder SOURCES … [DEPS …]): tests/<folder>'s unit tests in one doctest program, <folder>_test.
function(tpf_test folder)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${folder}_test ${A_SOURCES})
  target_link_libraries(${folder}_test PRIVATE tpf_test_support tpf_test_flags ${A_DEPS})
  tpf_precompile_as(${folder}_test tpf_test_support)
  add_test(NAME ${folder} COMMAND ${folder}_test)
  # 77 is what a test program answers when nothing but absent outside data kept it from running.
  set_tests_properties(${folder} PROPERTIES TIMEOUT 300 SKIP_RETURN_CODE 77)
endfunction()
