#include "daemon/pass_io.h"

#include <utility>

namespace tpf::daemon {
namespace {

/// Pieces that one side may be ahead of the other, each way.
constexpr std::size_t kAhead = 4;

}  // namespace

Result<ByteView> HashedFiles::read(Bytes& block) {
    TPF_TRY(const std::size_t got, input_.read(block));
    const ByteView piece(block.data(), got);
    digest_.update(piece);
    return piece;
}

Status HashedFiles::write(std::string_view piece) {
    if (output_ == nullptr) return ok();
    TPF_TRY(output_->write(as_bytes(piece)));
    output_->start_writeback();
    return ok();
}

ThreadedPassIo::ThreadedPassIo(File& input, File* output, std::size_t piece_bytes)
    : files_(input, output), piece_bytes_(piece_bytes), thread_([this] { run(); }) {}

ThreadedPassIo::~ThreadedPassIo() {
    {
        const std::lock_guard lock(mutex_);
        finishing_ = true;
        dropped_ = true;
    }
    to_thread_.notify_one();
    if (thread_.joinable()) thread_.join();
}

Result<ByteView> ThreadedPassIo::next() {
    if (at_hand_ && !at_hand_->read) return fail(at_hand_->read.error());
    std::unique_lock lock(mutex_);
    if (at_hand_) blocks_.push_back(std::move(at_hand_->block));
    at_hand_.reset();
    to_pass_.wait(lock, [&] { return !read_.empty() || at_end_; });
    if (read_.empty()) return ByteView();
    at_hand_.emplace(std::move(read_.front()));
    read_.pop_front();
    lock.unlock();
    to_thread_.notify_one();
    if (!at_hand_->read) return fail(at_hand_->read.error());
    return at_hand_->read.value();
}

Status ThreadedPassIo::write(TextBuffer& piece) {
    std::unique_lock lock(mutex_);
    to_pass_.wait(lock, [&] { return !written_ || unwritten_.size() < kAhead; });
    if (!written_) return written_;
    TextBuffer next;
    if (!buffers_.empty()) {
        next = std::move(buffers_.back());
        buffers_.pop_back();
    }
    std::swap(piece, next);
    unwritten_.push_back(std::move(next));
    lock.unlock();
    to_thread_.notify_one();
    return ok();
}

Status ThreadedPassIo::finish() {
    {
        const std::lock_guard lock(mutex_);
        finishing_ = true;
    }
    to_thread_.notify_one();
    if (thread_.joinable()) thread_.join();
    return written_;
}

Digest ThreadedPassIo::input_digest() {
    return files_.input_digest();
}

void ThreadedPassIo::run() {
    std::unique_lock lock(mutex_);
    while (true) {
        const bool may_read = !finishing_ && !at_end_ && read_.size() < kAhead;
        const bool may_write = !dropped_ && !unwritten_.empty();
        if (may_read && (read_.empty() || !may_write)) {
            read_one(lock);
        } else if (may_write) {
            write_one(lock);
        } else if (finishing_) {
            return;
        } else {
            to_thread_.wait(lock);
        }
    }
}

void ThreadedPassIo::read_one(std::unique_lock<std::mutex>& lock) {
    Bytes block;
    if (!blocks_.empty()) {
        block = std::move(blocks_.back());
        blocks_.pop_back();
    }
    lock.unlock();
    if (block.empty()) block.resize(piece_bytes_);
    auto read = files_.read(block);
    lock.lock();
    at_end_ = !read || read.value().empty();
    read_.push_back({std::move(block), std::move(read)});
    to_pass_.notify_one();
}

void ThreadedPassIo::write_one(std::unique_lock<std::mutex>& lock) {
    TextBuffer piece = std::move(unwritten_.front());
    unwritten_.pop_front();
    const bool wanted = written_.has_value();
    lock.unlock();
    Status written = wanted ? files_.write(piece.view()) : ok();
    piece.clear();
    lock.lock();
    if (!written) written_ = std::move(written);
    buffers_.push_back(std::move(piece));
    to_pass_.notify_one();
}

}  // namespace tpf::daemon
