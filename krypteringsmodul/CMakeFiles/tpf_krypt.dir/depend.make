# Empty dependencies file for tpf_krypt.
# This may be replaced when dependencies are built.
