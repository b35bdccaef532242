file(REMOVE_RECURSE
  "CMakeFiles/tpf_krypt.dir/chunk_reader.cpp.o"
  "CMakeFiles/tpf_krypt.dir/chunk_reader.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/encrypt.cpp.o"
  "CMakeFiles/tpf_krypt.dir/encrypt.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/export_header.cpp.o"
  "CMakeFiles/tpf_krypt.dir/export_header.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/export_reader.cpp.o"
  "CMakeFiles/tpf_krypt.dir/export_reader.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/options.cpp.o"
  "CMakeFiles/tpf_krypt.dir/options.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/output_file.cpp.o"
  "CMakeFiles/tpf_krypt.dir/output_file.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/own_number.cpp.o"
  "CMakeFiles/tpf_krypt.dir/own_number.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/person_sealer.cpp.o"
  "CMakeFiles/tpf_krypt.dir/person_sealer.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/progress.cpp.o"
  "CMakeFiles/tpf_krypt.dir/progress.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/recipient_keys.cpp.o"
  "CMakeFiles/tpf_krypt.dir/recipient_keys.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/seal_pipeline.cpp.o"
  "CMakeFiles/tpf_krypt.dir/seal_pipeline.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/sealed_text.cpp.o"
  "CMakeFiles/tpf_krypt.dir/sealed_text.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/sender_error.cpp.o"
  "CMakeFiles/tpf_krypt.dir/sender_error.cpp.o.d"
  "CMakeFiles/tpf_krypt.dir/submission_writer.cpp.o"
  "CMakeFiles/tpf_krypt.dir/submission_writer.cpp.o.d"
  "libtpf_krypt.a"
  "libtpf_krypt.pdb"
)

# Per-language clean rules from dependency scanning.
foreach(lang CXX)
  include(CMakeFiles/tpf_krypt.dir/cmake_clean_${lang}.cmake OPTIONAL)
endforeach()
