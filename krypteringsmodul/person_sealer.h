#pragma once
// Makes one person of the TPF layer out of one person of the export: the number in clear, the rest sealed for the
// register (formats.md § 2, "The register layer").

#include <cstdint>
#include <string>

#include "base/types.h"
#include "crypto/algorithms.h"
#include "krypteringsmodul/export_reader.h"
#include "krypteringsmodul/key_stock.h"
#include "krypteringsmodul/sealed_text.h"

namespace tpf::krypteringsmodul {

/// Keeps the costly parts of RSA: one per thread. Not thread-safe.
class PersonSealer {
  public:
    /// `stock`: keys for the same recipient, used before new ones are made; nullptr: none. It outlives the object.
    PersonSealer(const RecipientKey& recipient, crypto::KeyTransport transport, const MeldingsId& meldings_id,
                 KeyStock* stock);
    /// Appends `<i:Person>…</i:Person>` to `out`. `position`: from 1, in the message.
    [[nodiscard]] Status seal(const ExportPerson& person, std::uint64_t position, std::string& out);

  private:
    [[nodiscard]] Result<WrappedKey> next_key();

    KeyStock* stock_;
    crypto::KeyWrapper wrapper_;
    SealedText text_;
    std::string reference_;  // what stands before the position in Ref
    Bytes sealed_;
};

}  // namespace tpf::krypteringsmodul
