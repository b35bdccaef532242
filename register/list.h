#pragma once
// What a store holds, for a person or a program to read.

#include <iosfwd>

#include "base/fs.h"
#include "base/result.h"

namespace tpf::reg {

/// One line for each decision, in the order of the names. Text: name, status, kvittering or kode, time, persons, bytes,
/// SHA-256, with a tab between. JSON: the stored receipt with `personer` and `bytes`, one object a line. Works while a
/// server is at it.
[[nodiscard]] Status list_messages(FileSystem& fs, const Path& store, bool json, std::ostream& out);

}  // namespace tpf::reg
