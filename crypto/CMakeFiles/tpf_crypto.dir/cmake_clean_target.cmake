file(REMOVE_RECURSE
  "libtpf_crypto.a"
)
