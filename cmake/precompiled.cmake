# Headers that a target's files include over and over, compiled once for it. Every file still includes what it uses: the
# package and script/tidy do without (CMAKE_DISABLE_PRECOMPILE_HEADERS), so that a missing one shows.
set(TPF_COMMON_HEADERS <algorithm> <array> <chrono> <filesystem> <functional> <map> <memory> <optional> <set> <span>
  <string> <string_view> <utility> <vector> <nlohmann/json.hpp>)

# tpf_precompile(target header…)
function(tpf_precompile target)
  target_precompile_headers(${target} PRIVATE ${ARGN})
  tpf_precompiled_for_ccache(${target})
endfunction()

# tpf_precompile_as(target other): with the headers that are compiled for `other`, whose flags are the same.
function(tpf_precompile_as target other)
  target_precompile_headers(${target} REUSE_FROM ${other})
  tpf_precompiled_for_ccache(${target})
endfunction()

# Without these ccache keeps nothing that was compiled with such headers.
function(tpf_precompiled_for_ccache target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  else()
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()
