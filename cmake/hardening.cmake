# Flags for everything we compile: warnings as errors, hardening, sanitizers. One file, so that one look answers
# "what is this built with".
add_library(tpf_flags INTERFACE)
target_compile_features(tpf_flags INTERFACE cxx_std_20)
target_include_directories(tpf_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(tpf_flags INTERFACE
  -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast
  -Wcast-align -Woverloaded-virtual -Wnull-dereference -Wformat=2 -Wimplicit-fallthrough -fno-strict-aliasing)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wnull-dereference and -Wmaybe-uninitialized report inside inlined library code at -O2.
  target_compile_options(tpf_flags INTERFACE -Wno-null-dereference -Wno-maybe-uninitialized -Wduplicated-cond -Wlogical-op)
else()
  # clang 14 has coroutines under these names only (design: platform, "Building").
  target_compile_definitions(tpf_flags INTERFACE BOOST_ASIO_HAS_CO_AWAIT BOOST_ASIO_HAS_STD_COROUTINE)
endif()
# Lines for whoever reads a stack; what variables there are costs a quarter of the time to compile, and is stripped.
target_compile_options(tpf_flags INTERFACE $<$<CONFIG:RelWithDebInfo>:-g1>)
target_compile_definitions(tpf_flags INTERFACE BOOST_ASIO_NO_DEPRECATED SPDLOG_FMT_EXTERNAL SPDLOG_COMPILED_LIB
  $<$<CONFIG:RelWithDebInfo>:_GLIBCXX_ASSERTIONS>)

if(TPF_SANITIZE)
  target_compile_options(tpf_flags INTERFACE -fsanitize=${TPF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tpf_flags INTERFACE -fsanitize=${TPF_SANITIZE})
  if(TPF_SANITIZE MATCHES "thread")
    target_compile_definitions(tpf_flags INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
  if(TPF_FUZZ)
    target_compile_options(tpf_flags INTERFACE -fsanitize=fuzzer-no-link)
  endif()
else()
  # Indirect jumps land only where they may: each processor's own way.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64|i[3-6]86)$")
    set(branch_protection -fcf-protection)
  elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
    set(branch_protection -mbranch-protection=standard)
  endif()
  target_compile_options(tpf_flags INTERFACE -fstack-protector-strong -fstack-clash-protection ${branch_protection}
    $<$<CONFIG:RelWithDebInfo>:-U_FORTIFY_SOURCE> $<$<CONFIG:RelWithDebInfo>:-D_FORTIFY_SOURCE=2>
    -ftrivial-auto-var-init=zero)
  target_link_options(tpf_flags INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
