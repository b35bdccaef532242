# tpf-forward is built without tpf_daemon: the program with the network has nothing of the journal, the key ring or the
# pass in it. process.cpp and watchdog.cpp are what every process of ours shares.
tpf_program(tpf-forward SOURCES forward_main.cpp forward_outbox.cpp process.cpp reload.cpp watchdog.cpp
  DEPS tpf_base tpf_conf tpf_queue tpf_forward tpf_crypto PkgConfig::SYSTEMD CLI11::CLI11)
target_compile_definitions(tpf-forward PRIVATE TPF_VERSION="${PROJECT_VERSION}")
