
# Consider dependencies only in project.
set(CMAKE_DEPENDS_IN_PROJECT_ONLY OFF)

# The set of languages for which implicit dependencies are needed:
set(CMAKE_DEPENDS_LANGUAGES
  )

# The set of dependency files which are needed:
set(CMAKE_DEPENDS_DEPENDENCY_FILES
  "/tmp/hk/krypteringsmodul/chunk_reader.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/chunk_reader.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/chunk_reader.cpp.o.d"
  "/tmp/hk/krypteringsmodul/encrypt.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/encrypt.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/encrypt.cpp.o.d"
  "/tmp/hk/krypteringsmodul/export_header.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/export_header.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/export_header.cpp.o.d"
  "/tmp/hk/krypteringsmodul/export_reader.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/export_reader.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/export_reader.cpp.o.d"
  "/tmp/hk/krypteringsmodul/options.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/options.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/options.cpp.o.d"
  "/tmp/hk/krypteringsmodul/output_file.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/output_file.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/output_file.cpp.o.d"
  "/tmp/hk/krypteringsmodul/own_number.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/own_number.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/own_number.cpp.o.d"
  "/tmp/hk/krypteringsmodul/person_sealer.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/person_sealer.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/person_sealer.cpp.o.d"
  "/tmp/hk/krypteringsmodul/progress.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/progress.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/progress.cpp.o.d"
  "/tmp/hk/krypteringsmodul/recipient_keys.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/recipient_keys.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/recipient_keys.cpp.o.d"
  "/tmp/hk/krypteringsmodul/seal_pipeline.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/seal_pipeline.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/seal_pipeline.cpp.o.d"
  "/tmp/hk/krypteringsmodul/sealed_text.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/sealed_text.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/sealed_text.cpp.o.d"
  "/tmp/hk/krypteringsmodul/sender_error.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/sender_error.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/sender_error.cpp.o.d"
  "/tmp/hk/krypteringsmodul/submission_writer.cpp" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/submission_writer.cpp.o" "gcc" "krypteringsmodul/CMakeFiles/tpf_krypt.dir/submission_writer.cpp.o.d"
  )

# Targets to which this target links.
set(CMAKE_TARGET_LINKED_INFO_FILES
  "/tmp/hk/base/CMakeFiles/tpf_base.dir/DependInfo.cmake"
  "/tmp/hk/crypto/CMakeFiles/tpf_crypto.dir/DependInfo.cmake"
  "/tmp/hk/pseudonym/CMakeFiles/tpf_pseudonym.dir/DependInfo.cmake"
  )

# Fortran module output directory.
set(CMAKE_Fortran_TARGET_MODULE_DIR "")
