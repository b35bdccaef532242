file(REMOVE_RECURSE
  "CMakeFiles/tpf_crypto.dir/algorithms.cpp.o"
  "CMakeFiles/tpf_crypto.dir/algorithms.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/check_value.cpp.o"
  "CMakeFiles/tpf_crypto.dir/check_value.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/content_cipher.cpp.o"
  "CMakeFiles/tpf_crypto.dir/content_cipher.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/hmac.cpp.o"
  "CMakeFiles/tpf_crypto.dir/hmac.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/key_file.cpp.o"
  "CMakeFiles/tpf_crypto.dir/key_file.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/key_folder.cpp.o"
  "CMakeFiles/tpf_crypto.dir/key_folder.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/key_ring.cpp.o"
  "CMakeFiles/tpf_crypto.dir/key_ring.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/key_ring_json.cpp.o"
  "CMakeFiles/tpf_crypto.dir/key_ring_json.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/pkcs8.cpp.o"
  "CMakeFiles/tpf_crypto.dir/pkcs8.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/random.cpp.o"
  "CMakeFiles/tpf_crypto.dir/random.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/rsa.cpp.o"
  "CMakeFiles/tpf_crypto.dir/rsa.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/secret.cpp.o"
  "CMakeFiles/tpf_crypto.dir/secret.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/signature.cpp.o"
  "CMakeFiles/tpf_crypto.dir/signature.cpp.o.d"
  "CMakeFiles/tpf_crypto.dir/xml_guard.cpp.o"
  "CMakeFiles/tpf_crypto.dir/xml_guard.cpp.o.d"
  "libtpf_crypto.a"
  "libtpf_crypto.pdb"
)

# Per-language clean rules from dependency scanning.
foreach(lang CXX)
  include(CMakeFiles/tpf_crypto.dir/cmake_clean_${lang}.cmake OPTIONAL)
endforeach()
