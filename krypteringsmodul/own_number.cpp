#include "krypteringsmodul/own_number.h"

#include <cstring>

#include "crypto/secret.h"

namespace tpf::krypteringsmodul {
namespace {

bool is_digit(unsigned char c) noexcept {
    return c >= '0' && c <= '9';
}
bool is_separator(unsigned char c) noexcept {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '-' || c == '.';
}

}  // namespace

OwnNumberSearch::~OwnNumberSearch() {
    crypto::wipe({reinterpret_cast<std::uint8_t*>(digits_.data()), digits_.size()});
}

void OwnNumberSearch::reset(std::string_view number) noexcept {
    size_ = 0;
    matched_ = 0;
    in_space_ = false;
    for (const char c : number) {
        if (is_digit(static_cast<unsigned char>(c)) && size_ < digits_.size()) digits_[size_++] = c;
    }
    if (size_ < kLeastDigits) size_ = 0;
    fallback_[0] = fallback_[1] = 0;
    for (std::size_t i = 1, k = 0; i < size_; ++i) {
        while (k > 0 && digits_[i] != digits_[k]) k = fallback_[k];
        if (digits_[i] == digits_[k]) ++k;
        fallback_[i + 1] = k;
    }
}

void OwnNumberSearch::feed(std::string_view piece) noexcept {
    if (size_ == 0) return;
    while (!piece.empty() && !found()) {
        if (matched_ == 0) {
            // Most bytes begin nothing.
            const void* const first = std::memchr(piece.data(), digits_[0], piece.size());
            if (first == nullptr) return;
            piece.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(first) - piece.data()));
            in_space_ = false;
        }
        take(static_cast<unsigned char>(piece.front()));
        piece.remove_prefix(1);
    }
}

void OwnNumberSearch::take(unsigned char c) noexcept {
    const bool space_ends = in_space_ && c == 0xa0;
    if (in_space_ && !space_ends) matched_ = 0;
    in_space_ = c == 0xc2;
    if (in_space_ || space_ends || is_separator(c)) return;
    if (!is_digit(c)) {
        matched_ = 0;
        return;
    }
    while (matched_ > 0 && digits_[matched_] != static_cast<char>(c)) matched_ = fallback_[matched_];
    if (digits_[matched_] == static_cast<char>(c)) ++matched_;
}

}  // namespace tpf::krypteringsmodul
