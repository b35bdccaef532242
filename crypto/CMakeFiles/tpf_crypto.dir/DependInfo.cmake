
# Consider dependencies only in project.
set(CMAKE_DEPENDS_IN_PROJECT_ONLY OFF)

# The set of languages for which implicit dependencies are needed:
set(CMAKE_DEPENDS_LANGUAGES
  )

# The set of dependency files which are needed:
set(CMAKE_DEPENDS_DEPENDENCY_FILES
  "/tmp/hk/crypto/algorithms.cpp" "crypto/CMakeFiles/tpf_crypto.dir/algorithms.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/algorithms.cpp.o.d"
  "/tmp/hk/crypto/check_value.cpp" "crypto/CMakeFiles/tpf_crypto.dir/check_value.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/check_value.cpp.o.d"
  "/tmp/hk/crypto/content_cipher.cpp" "crypto/CMakeFiles/tpf_crypto.dir/content_cipher.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/content_cipher.cpp.o.d"
  "/tmp/hk/crypto/hmac.cpp" "crypto/CMakeFiles/tpf_crypto.dir/hmac.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/hmac.cpp.o.d"
  "/tmp/hk/crypto/key_file.cpp" "crypto/CMakeFiles/tpf_crypto.dir/key_file.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/key_file.cpp.o.d"
  "/tmp/hk/crypto/key_folder.cpp" "crypto/CMakeFiles/tpf_crypto.dir/key_folder.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/key_folder.cpp.o.d"
  "/tmp/hk/crypto/key_ring.cpp" "crypto/CMakeFiles/tpf_crypto.dir/key_ring.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/key_ring.cpp.o.d"
  "/tmp/hk/crypto/key_ring_json.cpp" "crypto/CMakeFiles/tpf_crypto.dir/key_ring_json.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/key_ring_json.cpp.o.d"
  "/tmp/hk/crypto/pkcs8.cpp" "crypto/CMakeFiles/tpf_crypto.dir/pkcs8.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/pkcs8.cpp.o.d"
  "/tmp/hk/crypto/random.cpp" "crypto/CMakeFiles/tpf_crypto.dir/random.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/random.cpp.o.d"
  "/tmp/hk/crypto/rsa.cpp" "crypto/CMakeFiles/tpf_crypto.dir/rsa.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/rsa.cpp.o.d"
  "/tmp/hk/crypto/secret.cpp" "crypto/CMakeFiles/tpf_crypto.dir/secret.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/secret.cpp.o.d"
  "/tmp/hk/crypto/signature.cpp" "crypto/CMakeFiles/tpf_crypto.dir/signature.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/signature.cpp.o.d"
  "/tmp/hk/crypto/xml_guard.cpp" "crypto/CMakeFiles/tpf_crypto.dir/xml_guard.cpp.o" "gcc" "crypto/CMakeFiles/tpf_crypto.dir/xml_guard.cpp.o.d"
  )

# Targets to which this target links.
set(CMAKE_TARGET_LINKED_INFO_FILES
  "/tmp/hk/base/CMakeFiles/tpf_base.dir/DependInfo.cmake"
  )

# Fortran module output directory.
set(CMAKE_Fortran_TARGET_MODULE_DIR "")
