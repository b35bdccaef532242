# CMake generated Testfile for 
# Source directory: /tmp/hk/crypto
# Build directory: /tmp/hk/crypto
# 
# This file includes the relevant testing commands required for 
# testing this directory and lists subdirectories to be tested as well.
