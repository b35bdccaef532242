#include "pseudonym/pass.h"

#include <algorithm>

#include "crypto/content_cipher.h"

namespace tpf::pseudonym {
namespace {

/// Of one piece of base64 text, so that the decryptor's buffer stays small enough for the cache.
constexpr std::size_t kTextPiece = 32 * 1024;

}  // namespace

class Pass::Run final : public SubmissionHandler {
  public:
    Run(const PassKeys& keys, const PassOptions& options, OutputSink& sink)
        : keys_(keys), options_(options), sink_(sink), reader_(*this, options.limits.xml, options.limits.leaf_bytes) {}

    Status feed(ByteView piece) {
        if (failed_) return fail(Code::internal, "a pass goes on after its error");
        failed_ = true;
        consumed_ += piece.size();
        if (consumed_ > options_.limits.message_bytes) return fail(Code::limit, "larger than [limits] message_bytes");
        TPF_TRY(reader_.feed(as_text(piece)));
        failed_ = false;
        return ok();
    }

    Result<PassReport> finish() {
        if (failed_) return fail(Code::internal, "a pass goes on after its error");
        TPF_TRY(reader_.finish());
        if (!report_) return fail(Code::internal, "the pass ended without a report");
        return std::move(*report_);
    }

    Status header(const ClearHeader& header, const Bindings& bindings) override {
        clear_ = header;
        bindings_ = bindings;
        for (const auto& [prefix, uri] : bindings) {
            TPF_TRY(check_binding(prefix, uri));
        }
        return ok();
    }

    Status content_begin(const SealedData& sealed) override {
        TPF_TRY(key_id_, KeyId::parse(sealed.key_name()));
        TPF_TRY(RegisterSetup setup, keys_.register_setup(clear_->reg));
        TPF_TRY(const auto key, keys_.message_key(*key_id_));
        TPF_TRY(key.policy.check(sealed.transport(), sealed.cipher()));
        legacy_ = key.policy.is_legacy();
        if (legacy_ && !options_.sender_authenticated) {
            return fail(Code::algorithm, "a legacy algorithm from a source that does not authenticate its senders");
        }
        TPF_TRY(const crypto::ContentKey content_key,
                key.unwrapper->unwrap(sealed.transport(), sealed.cipher(), sealed.wrapped_key()));
        decryptor_.emplace(content_key, Base64Decoder::max_output(kTextPiece), options_.limits.gcm_bytes);
        layer_.emplace(*clear_, bindings_, std::move(setup), options_.limits, sink_, options_.pseudonyms);
        return ok();
    }

    Status content_piece(std::string_view text) override {
        while (!text.empty()) {
            const std::string_view part = text.substr(0, kTextPiece);
            text.remove_prefix(part.size());
            std::uint8_t* room = decryptor_->prepare(Base64Decoder::max_output(part.size()));
            TPF_TRY(const std::size_t size, decoder_.update(part, room));
            TPF_TRY(const auto plaintext, decryptor_->advance(size));
            TPF_TRY(read_plaintext(plaintext));
        }
        return ok();
    }

    Result<std::size_t> content_run(std::string_view bytes) override {
        const std::string_view part = bytes.substr(0, kTextPiece);
        const Base64Decoder::Run run = decoder_.run(part, decryptor_->prepare(Base64Decoder::max_output(part.size())));
        TPF_TRY(const auto plaintext, decryptor_->advance(run.written));
        TPF_TRY(read_plaintext(plaintext));
        return run.taken;
    }

    Status content_end() override {
        TPF_TRY(decoder_.finish());
        TPF_TRY(const auto rest, decryptor_->finish());
        authentic_ = !legacy_;
        TPF_TRY(read_plaintext(rest));
        if (!fault_) {
            auto report = layer_->finish();
            if (report) {
                report_ = std::move(report).value();
            } else if (report.error().disposition() != Disposition::quarantine) {
                return fail(report.error());
            } else {
                fault_ = report.error();
            }
        }
        if (!fault_) return ok();
        // Without a tag nothing of the content is told: it could be the attacker's own.
        if (legacy_) return fail(Code::decryption);
        return fail(*fault_);
    }

    [[nodiscard]] const std::optional<ClearHeader>& clear() const noexcept { return clear_; }
    [[nodiscard]] const std::optional<KeyId>& key_id() const noexcept { return key_id_; }
    [[nodiscard]] bool authentic() const noexcept { return authentic_ && layer_ && layer_->header_confirmed(); }
    [[nodiscard]] PersonMarks marked() const { return layer_ ? layer_->marked() : PersonMarks(); }

  private:
    /// The first fault is kept until the tag has verified; from then on plaintext is only decrypted.
    Status read_plaintext(ByteView plaintext) {
        if (fault_) return ok();
        Status read = layer_->feed(as_text(plaintext));
        if (read) return ok();
        if (read.error().disposition() != Disposition::quarantine) return read;
        fault_ = read.error();
        return ok();
    }

    const PassKeys& keys_;
    PassOptions options_;
    OutputSink& sink_;
    SubmissionReader reader_;
    std::uint64_t consumed_ = 0;
    bool failed_ = false;  // nobody gets a report after an error, even who did not look at it
    std::optional<ClearHeader> clear_;
    Bindings bindings_;
    std::optional<KeyId> key_id_;
    bool legacy_ = false;
    bool authentic_ = false;
    Base64Decoder decoder_;
    std::optional<crypto::ContentDecryptor> decryptor_;
    std::optional<TpfLayer> layer_;
    std::optional<Error> fault_;
    std::optional<PassReport> report_;
};

Pass::Pass(const PassKeys& keys, const PassOptions& options, OutputSink& sink)
    : run_(std::make_unique<Run>(keys, options, sink)) {}
Pass::~Pass() = default;
Status Pass::feed(ByteView piece) {
    return run_->feed(piece);
}
Result<PassReport> Pass::finish() {
    return run_->finish();
}
const std::optional<ClearHeader>& Pass::clear_header() const noexcept {
    return run_->clear();
}
const std::optional<KeyId>& Pass::key_id() const noexcept {
    return run_->key_id();
}
bool Pass::authentic() const noexcept {
    return run_->authentic();
}
PersonMarks Pass::marked() const {
    return run_->marked();
}

class HeaderPeek::Run final : public SubmissionHandler {
  public:
    explicit Run(const PassLimits& limits) : reader_(*this, limits.xml, limits.leaf_bytes) {}
    Status feed(ByteView piece) { return header_ ? ok() : reader_.feed(as_text(piece)); }
    Status header(const ClearHeader& header, const Bindings&) override {
        header_ = header;
        return ok();
    }
    Status content_begin(const SealedData&) override { return ok(); }
    Status content_piece(std::string_view) override { return ok(); }
    Result<std::size_t> content_run(std::string_view) override { return std::size_t{0}; }
    Status content_end() override { return ok(); }
    [[nodiscard]] const std::optional<ClearHeader>& found() const noexcept { return header_; }

  private:
    SubmissionReader reader_;
    std::optional<ClearHeader> header_;
};

HeaderPeek::HeaderPeek(const PassLimits& limits) : run_(std::make_unique<Run>(limits)) {}
HeaderPeek::~HeaderPeek() = default;
Status HeaderPeek::feed(ByteView piece) {
    return run_->feed(piece);
}
const std::optional<ClearHeader>& HeaderPeek::header() const noexcept {
    return run_->found();
}

}  // namespace tpf::pseudonym
