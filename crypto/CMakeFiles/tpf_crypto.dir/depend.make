# Empty dependencies file for tpf_crypto.
# This may be replaced when dependencies are built.
