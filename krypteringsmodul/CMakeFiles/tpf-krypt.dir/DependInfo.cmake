
# Consider dependencies only in project.
set(CMAKE_DEPENDS_IN_PROJECT_ONLY OFF)

# The set of languages for which implicit dependencies are needed:
set(CMAKE_DEPENDS_LANGUAGES
  )

# The set of dependency files which are needed:
set(CMAKE_DEPENDS_DEPENDENCY_FILES
  "/tmp/hk/krypteringsmodul/tpf_krypt.cpp" "krypteringsmodul/CMakeFiles/tpf-krypt.dir/tpf_krypt.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf-krypt.dir/tpf_krypt.cpp.o.d"
  )

# Targets to which this target links.
set(CMAKE_TARGET_LINKED_INFO_FILES
  "/tmp/hk/krypteringsmodul/CMakeFiles/tpf_krypt.dir/DependInfo.cmake"
  "/tmp/hk/pseudonym/CMakeFiles/tpf_pseudonym.dir/DependInfo.cmake"
  "/tmp/hk/crypto/CMakeFiles/tpf_crypto.dir/DependInfo.cmake"
  "/tmp/hk/base/CMakeFiles/tpf_base.dir/DependInfo.cmake"
  )

# Fortran module output directory.
set(CMAKE_Fortran_TARGET_MODULE_DIR "")
