# Empty dependencies file for tpf-krypt.
# This may be replaced when dependencies are built.
