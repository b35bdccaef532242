#pragma once
// Reads a pseudonymised message (formats.md § 3) from a stream, strictly, in constant memory: for the register, which
// refuses what is not well-formed or holds anything like an identity number outside sealed data, and for its
// decryption.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "pseudonym/fields.h"
#include "pseudonym/sealed_data.h"

namespace tpf::pseudonym {

/// Everything before the first person.
struct PseudonymisedHeader {
    ClearHeader header;
    std::string domain;
    std::vector<unsigned> key_versions;  ///< newest first
    UtcTime created;
    std::string epost, navn, mobiltelefon;
    std::chrono::sys_days period_from, period_to;
    std::uint64_t persons = 0;
};

struct PseudonymisedPerson {
    std::uint64_t position = 0;           ///< from 1
    std::vector<std::string> pseudonyms;  ///< one per key version, or none and
    std::string fault;                    ///< "E30" or "E31"
};

/// What the reader tells. An error stops it.
class PseudonymisedHandler {
  public:
    virtual ~PseudonymisedHandler() = default;
    [[nodiscard]] virtual Status header(const PseudonymisedHeader& header) = 0;
    [[nodiscard]] virtual Status person(const PseudonymisedPerson& person) = 0;
    /// The person's sealed data is about to come: algorithms, key name and wrapped key are known.
    [[nodiscard]] virtual Status sealed_begin(const SealedData& sealed) = 0;
    /// Base64 text of the sealed content, in pieces (checked alphabet and padding are not done for the handler).
    [[nodiscard]] virtual Status sealed_piece(std::string_view base64) = 0;
    [[nodiscard]] virtual Status sealed_end() = 0;
};

/// Not thread-safe. Checks grammar, order, counts, pseudonym forms, that the same key versions stand everywhere, that
/// no leaf or namespace declaration holds anything like an identity number, and that sealed data are canonical base64
/// of at least 28 bytes.
class PseudonymisedReader {
  public:
    explicit PseudonymisedReader(PseudonymisedHandler& handler, const XmlLimits& limits = {});
    ~PseudonymisedReader();
    PseudonymisedReader(const PseudonymisedReader&) = delete;
    PseudonymisedReader& operator=(const PseudonymisedReader&) = delete;
    [[nodiscard]] Status feed(std::string_view piece);
    [[nodiscard]] Status finish();

  private:
    class Walk;
    std::unique_ptr<Walk> walk_;
};

}  // namespace tpf::pseudonym
