#pragma once
// The streaming rewrite: reads the TPF layer's plaintext and writes the pseudonymised message (formats.md § 2 and § 3),
// each fødselsnummer replaced by its pseudonyms, each EncryptedData of the register layer checked and carried on byte
// for byte. Constant memory. What it writes is UNAUTHENTICATED until the caller has verified the tag.

#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/encoding.h"
#include "base/person_marks.h"
#include "base/text_buffer.h"
#include "crypto/key_ring.h"
#include "pseudonym/derivation.h"
#include "pseudonym/fields.h"
#include "pseudonym/submission.h"

namespace tpf::pseudonym {

/// Where output goes, in order, in pieces. An error stops the pass.
class OutputSink {
  public:
    virtual ~OutputSink() = default;
    /// May take the buffer and leave another in its place, so that a writer on another thread need not copy. What is
    /// left is cleared by the caller.
    [[nodiscard]] virtual Status write(TextBuffer& piece) = 0;
};

/// Where a message's pseudonyms go besides its output, person by person. An error stops the pass.
class PseudonymSink {
  public:
    virtual ~PseudonymSink() = default;
    /// Once, before the first person. `versions`: of each person's pseudonyms, in their order.
    [[nodiscard]] virtual Status begin(const RegisterName& to, const std::vector<unsigned>& versions,
                                       std::uint64_t persons) = 0;
    [[nodiscard]] virtual Status pseudonym(std::string_view text) = 0;
    /// The next person has none.
    [[nodiscard]] virtual Status none() = 0;
};

/// What one register's messages need; made for one pass.
struct RegisterSetup {
    NumberRules rules;
    bool quarantine_invalid = false;                 ///< on_invalid = "quarantine"
    std::vector<PseudonymDeriver> derivers;          ///< newest version first
    std::vector<crypto::KeyRing::RegisterKey> keys;  ///< that persons' data may be sealed for
};

/// E30 missing, E31 wrong.
[[nodiscard]] PersonMarks::Kode apprec_kode(IdentityNumber::Fault fault) noexcept;

/// All limits of a pass; what exceeds one is Code::limit (gcm_bytes: gcm_limit) and a text that names it.
struct PassLimits {
    XmlLimits xml;
    std::size_t leaf_bytes = 4096;
    std::uint64_t persons = kMaxPersons;
    std::uint64_t message_bytes = std::uint64_t{100} << 30;
    std::uint64_t gcm_bytes = crypto::kGcmMaxPlaintext;
};

/// What a good pass knows of its message. No contact person, no pseudonym, no number.
struct PassReport {
    ClearHeader header;  ///< from Hode
    UtcTime created;
    std::chrono::sys_days period_from;
    std::chrono::sys_days period_to;
    std::uint64_t persons = 0;
    PersonMarks marked;                  ///< persons without a pseudonym
    std::vector<unsigned> key_versions;  ///< newest first
};

/// Not thread-safe. Errors: those of formats.md § 2 as codes; after one it is of no further use, but for marked().
class TpfLayer final : private XmlHandler, private SchemaHandler {
  public:
    TpfLayer(const ClearHeader& clear, const Bindings& bindings, RegisterSetup setup, const PassLimits& limits,
             OutputSink& sink, PseudonymSink* pseudonyms = nullptr);
    ~TpfLayer() override;

    [[nodiscard]] Status feed(std::string_view plaintext);
    /// The plaintext's end: all was there, the counts are right; the last output is written.
    [[nodiscard]] Result<PassReport> finish();
    /// Hode was read and is the clear header.
    [[nodiscard]] bool header_confirmed() const noexcept { return header_confirmed_; }
    /// Persons without a pseudonym so far.
    [[nodiscard]] const PersonMarks& marked() const noexcept { return marked_; }

  private:
    Status start(const XmlStart& tag) override;
    Status end(const XmlEnd& tag) override;
    Status text(std::string_view raw, std::string_view value) override;
    Result<std::size_t> base64_run(std::string_view bytes) override;
    Status enter(int id, const XmlStart& tag) override;
    Status leave(int id) override;
    Status leaf(int id, std::string_view value) override;
    Status stream(int id, std::string_view value) override;
    Result<std::size_t> stream_run(int id, std::string_view bytes) override;

    void carry_on(std::string_view raw);
    void write_carried();
    void write_root();
    Status write_header();
    Status check_bindings(const XmlStart& tag);
    Status open_person(const XmlStart& tag);
    Status close_person();
    Status replace_number(std::string_view value);
    Status check_key_name(std::string_view value);
    Status contact_leaf(int id, std::string_view value);
    Status period_leaf(int id, std::string_view value);
    Status number_of_persons(std::string_view value);
    void open(std::string_view local);
    void close(std::string_view local);
    void element(std::string_view local, std::string_view value);
    Status flush_if_full();
    Status flush();

    ClearHeader clear_;
    Bindings bindings_;
    RegisterSetup setup_;
    PassLimits limits_;
    OutputSink& sink_;
    PseudonymSink* pseudonyms_;  // nullptr: nobody wants them
    SchemaWalker walker_;
    XmlScanner scanner_;
    HeaderFields fields_;
    SealedData sealed_;
    Base64Validator content_;
    const crypto::KeyRing::RegisterKey* register_key_ = nullptr;  // of the person at hand
    bool capturing_ = false;                                      // inside an EncryptedData: raw bytes go to the output
    std::bitset<KnownTags::kMost + 1> checked_;                   // known tags whose declarations may be written
    std::string prefix_;                                          // of our namespace in the output
    std::string person_prefix_;  // of the person at hand, where the sender bound prefix_ otherwise
    TextBuffer out_;
    std::string_view piece_;    // what feed() is at
    std::string_view carried_;  // of it: markup that goes into the output next, as it stands
    std::string scratch_;
    bool header_confirmed_ = false;
    std::optional<UtcTime> created_;
    std::optional<std::chrono::sys_days> from_;
    std::optional<std::chrono::sys_days> to_;
    std::uint64_t expected_ = 0;
    std::uint64_t position_ = 0;
    PersonMarks marked_;
};

}  // namespace tpf::pseudonym
