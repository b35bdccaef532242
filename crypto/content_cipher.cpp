#include "crypto/content_cipher.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include "crypto/content_mode.h"
#include "crypto/random.h"

namespace tpf::crypto {
namespace {

constexpr std::size_t kTagSize = ContentMode::kTagSize;
constexpr std::size_t kBlockSize = 16;
constexpr std::size_t kGcmIvSize = 12;

bool is_gcm(ContentCipher cipher) noexcept {
    return cipher != ContentCipher::aes256_cbc;
}

auto decryption_failure() {
    return fail(Code::decryption);
}
auto too_long() {
    return fail(Code::gcm_limit, "more content than one key may seal");
}

}  // namespace

ContentKey ContentKey::random(ContentCipher cipher) {
    return {cipher, SecretBytes::random(key_size(cipher))};
}

// The buffer holds what has not been decrypted yet at [begin, end): the IV until it is complete, then less than one
// granule and what may still turn out to be tag or padding. Everything else follows from that.
struct ContentDecryptor::State {
    State(const ContentKey& key, std::size_t max_piece, std::uint64_t max_plaintext_)
        : gcm(is_gcm(key.cipher)),
          mode(make_opener(key)),
          granule(std::max<std::size_t>(mode->granule(), kBlockSize)),
          capacity(granule + kBlockSize + kTagSize + max_piece),
          buffer(std::make_unique_for_overwrite<std::uint8_t[]>(capacity)),
          max_plaintext(max_plaintext_) {}
    ~State() { wipe({buffer.get(), high_water}); }

    [[nodiscard]] std::size_t iv_size() const noexcept { return gcm ? kGcmIvSize : kBlockSize; }
    [[nodiscard]] std::size_t held() const noexcept { return end - begin; }

    const bool gcm;
    const std::unique_ptr<ContentMode> mode;
    const std::size_t granule;
    const std::size_t capacity;
    const std::unique_ptr<std::uint8_t[]> buffer;
    const std::uint64_t max_plaintext;
    std::uint64_t decrypted = 0;
    std::size_t begin = 0;
    std::size_t end = 0;
    std::size_t high_water = 0;
    bool started = false;
    Botan::secure_vector<std::uint8_t> last;
};

ContentDecryptor::ContentDecryptor(const ContentKey& key, std::size_t max_piece, std::uint64_t max_plaintext)
    : state_(std::make_unique<State>(key, max_piece, max_plaintext)) {}
ContentDecryptor::~ContentDecryptor() = default;
ContentDecryptor::ContentDecryptor(ContentDecryptor&&) noexcept = default;
ContentDecryptor& ContentDecryptor::operator=(ContentDecryptor&&) noexcept = default;

std::uint8_t* ContentDecryptor::prepare(std::size_t size) {
    State& s = *state_;
    if (s.begin != 0) std::memmove(s.buffer.get(), s.buffer.get() + s.begin, s.held());
    s.end = s.held();
    s.begin = 0;
    if (size > s.capacity - s.end) throw std::length_error("ContentDecryptor::prepare: more than max_piece");
    s.high_water = std::max(s.high_water, s.end + size);
    return s.buffer.get() + s.end;
}

Result<std::span<const std::uint8_t>> ContentDecryptor::advance(std::size_t size) {
    State& s = *state_;
    s.end += size;
    try {
        if (!s.started) {
            if (s.held() < s.iv_size()) return std::span<const std::uint8_t>();
            s.mode->start({s.buffer.get(), s.iv_size()});
            s.begin += s.iv_size();
            s.started = true;
        }
        if (s.held() <= kTagSize) return std::span<const std::uint8_t>();
        const std::size_t certain = s.held() - kTagSize;
        if (s.decrypted + certain > s.max_plaintext) return too_long();
        const std::size_t now = certain - certain % s.granule;
        std::uint8_t* const bytes = s.buffer.get() + s.begin;
        s.mode->process(bytes, now);
        s.begin += now;
        s.decrypted += now;
        return std::span<const std::uint8_t>(bytes, now);
    } catch (const std::exception&) {
        return fail(Code::internal, "the cipher refused a piece");
    }
}

Result<std::span<const std::uint8_t>> ContentDecryptor::finish() {
    State& s = *state_;
    if (!s.started || s.held() < kTagSize || (!s.gcm && s.held() % kBlockSize != 0)) return decryption_failure();
    s.last.assign(s.buffer.get() + s.begin, s.buffer.get() + s.end);
    bool good = false;
    try {
        good = s.mode->finish(s.last);
    } catch (const std::exception&) {
        // As a wrong tag.
    }
    if (!good) {
        s.last.clear();
        return decryption_failure();
    }
    if (!s.gcm) {
        // XML Encryption § 5.2: the last byte is the length of the padding, the other padding bytes are arbitrary.
        const std::size_t padding = s.last.back();
        if (padding == 0 || padding > kBlockSize) return decryption_failure();
        s.last.resize(s.last.size() - padding);
        if (s.decrypted + s.last.size() > s.max_plaintext) return too_long();
    }
    return std::span<const std::uint8_t>(s.last);
}

struct ContentEncryptor::State {
    State(const ContentKey& key, std::uint64_t max_plaintext_)
        : gcm(is_gcm(key.cipher)), mode(gcm ? make_sealer(key) : nullptr), max_plaintext(max_plaintext_) {}

    const bool gcm;
    const std::unique_ptr<ContentMode> mode;
    const std::uint64_t max_plaintext;
    std::uint64_t taken = 0;
    bool started = false;

    void start(Bytes& out) {
        std::array<std::uint8_t, kGcmIvSize> iv{};
        system_generator().randomize(iv.data(), iv.size());
        mode->start(iv);
        out.insert(out.end(), iv.begin(), iv.end());
        started = true;
    }
};

ContentEncryptor::ContentEncryptor(const ContentKey& key, std::uint64_t max_plaintext)
    : state_(std::make_unique<State>(key, max_plaintext)) {}
ContentEncryptor::~ContentEncryptor() = default;
ContentEncryptor::ContentEncryptor(ContentEncryptor&&) noexcept = default;
ContentEncryptor& ContentEncryptor::operator=(ContentEncryptor&&) noexcept = default;

Status ContentEncryptor::update(ByteView plaintext, Bytes& out) {
    State& s = *state_;
    if (!s.gcm) return fail(Code::algorithm, "content is only ever sealed with AES-GCM");
    if (plaintext.size() > s.max_plaintext - s.taken) return too_long();
    s.taken += plaintext.size();
    try {
        if (!s.started) s.start(out);
        const std::size_t at = out.size();
        out.insert(out.end(), plaintext.begin(), plaintext.end());
        s.mode->process(out.data() + at, plaintext.size());
    } catch (const std::exception&) {
        return fail(Code::internal, "the cipher refused a piece");
    }
    return ok();
}

Status ContentEncryptor::finish(Bytes& out) {
    State& s = *state_;
    if (!s.gcm) return fail(Code::algorithm, "content is only ever sealed with AES-GCM");
    try {
        if (!s.started) s.start(out);
        Botan::secure_vector<std::uint8_t> tag;
        if (!s.mode->finish(tag)) return fail(Code::internal, "the cipher refused to finish");
        out.insert(out.end(), tag.begin(), tag.end());
    } catch (const std::exception&) {
        return fail(Code::internal, "the cipher refused to finish");
    }
    return ok();
}

Result<Bytes> seal(const ContentKey& key, ByteView plaintext) {
    Bytes out;
    out.reserve(kGcmIvSize + plaintext.size() + kTagSize);
    ContentEncryptor encryptor(key);
    TPF_TRY(encryptor.update(plaintext, out));
    TPF_TRY(encryptor.finish(out));
    return out;
}

Result<SecretBytes> open(const ContentKey& key, ByteView octets) {
    ContentDecryptor decryptor(key, octets.size());
    if (!octets.empty()) std::memcpy(decryptor.prepare(octets.size()), octets.data(), octets.size());
    TPF_TRY(const auto first, decryptor.advance(octets.size()));
    TPF_TRY(const auto last, decryptor.finish());
    SecretBytes plaintext(first.size() + last.size());
    const auto to = plaintext.writable(SecretToken::access());
    std::copy(last.begin(), last.end(), std::copy(first.begin(), first.end(), to.begin()));
    return plaintext;
}

}  // namespace tpf::crypto
