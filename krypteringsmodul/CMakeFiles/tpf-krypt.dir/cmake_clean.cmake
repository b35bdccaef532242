file(REMOVE_RECURSE
  "../bin/tpf-krypt"
  "../bin/tpf-krypt.pdb"
  "CMakeFiles/tpf-krypt.dir/tpf_krypt.cpp.o"
  "CMakeFiles/tpf-krypt.dir/tpf_krypt.cpp.o.d"
)

# Per-language clean rules from dependency scanning.
foreach(lang CXX)
  include(CMakeFiles/tpf-krypt.dir/cmake_clean_${lang}.cmake OPTIONAL)
endforeach()
