# CMake generated Testfile for 
# Source directory: /tmp/hk/krypteringsmodul
# Build directory: /tmp/hk/krypteringsmodul
# 
# This file includes the relevant testing commands required for 
# testing this directory and lists subdirectories to be tested as well.
