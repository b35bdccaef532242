file(REMOVE_RECURSE
  "libtpf_krypt.a"
)
