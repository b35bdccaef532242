#include "forward/body.h"

#include <algorithm>
#include <array>

namespace tpf::forward {

Body::Body(std::unique_ptr<File> file, std::uint64_t length, const Digest& sha256)
    : file_(std::move(file)),
      length_(length),
      sha256_(sha256),
      buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(length, kPieceBytes))) {}

Result<Body::Piece> Body::next() {
    const std::size_t want = static_cast<std::size_t>(std::min<std::uint64_t>(length_ - done_, buffer_.size()));
    const std::span<std::uint8_t> piece(buffer_.data(), want);
    TPF_TRY(const std::size_t size, file_->read(piece));
    if (size != want) return fail(Code::record_damaged, "the body is shorter than its record says");
    hash_.update(piece);
    done_ += want;
    if (done_ == length_) {
        TPF_TRY(check_end());
    }
    return Piece{piece, done_ == length_};
}

Status Body::check_end() {
    std::array<std::uint8_t, 1> extra{};
    TPF_TRY(const std::size_t more, file_->read(extra));
    if (more != 0) return fail(Code::record_damaged, "the body is longer than its record says");
    if (hash_.finish() != sha256_) return fail(Code::record_damaged, "the body's digest is not the record's");
    return ok();
}

Status Body::rewind() {
    done_ = 0;
    hash_ = Sha256();
    return file_->seek(0);
}

}  // namespace tpf::forward
